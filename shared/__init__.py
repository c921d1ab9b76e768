"""The vocabulary and the rules of Interlock; imports none of the other packages.

- `settings`       every option, read from INTERLOCK_* and a TOML file
- `errors`, `exit_codes`  the few exceptions, and what a command exits with
- `clock`          the only place that reads time for safety
- `record`, `models`, `rollouts`, `notifications`  frozen records that travel between the parts
- `release_manifest`, `release_pack`, `versions`  what a release is, how it travels, which Terraform may deploy it
- `constants`, `names`  what more than one part must agree on; the patterns of labels, ids and digests
- `safety/`        what a plan does, who has to approve it, what that lets be signed: pure
- `drift/`         two plans -> what was changed outside of Terraform: pure
- `rollback/`      what a target was before a deployment, and what may be done to bring it back: pure
- `recovery/`      which journaled call makes what, and how that is found again: pure
- `lease/`         the lease protocol: pure rules, and a thin store on Redis or Valkey
- `judge`          did two epochs of one target act at once: what the demo, the fault suite and chaos days share
- `control`        messages between a worker and the signing proxy on its host
- `api_client`, `async_api_client`, `api_exchange`  the scheduler's HTTP API, one typed method for each endpoint
- `redis_address`, `redis_client`, `redis_cluster`  one server, Sentinels or a cluster: a key leads to its primary
- `broker_connection`  behind Sentinels the broker's connection asks them on every reconnect
- `celery_config`  the one set of Celery settings that every app on the broker uses
- `health`, `log`  /healthz, /readyz and /metrics for processes without an API; one-line logs
- `testing`        the fakes that ship with the code
"""
