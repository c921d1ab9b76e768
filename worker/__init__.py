"""The worker: attempts runs under a lease, with a provisioner that can reach nothing but the signing proxy.

A newcomer reads in this order:

- `main`            the entry point: checks the platform, starts Celery
- `celery_app`      the Celery app; a message is only a hint with a run id
- `node`            the bootstep that says: this host is alive and attempts these runs
- `supervisor`      the life of one run, from the claim to the report
- `release_files`   fetches what a run deploys and verifies every byte, or refuses it; `release_cache` keeps that
- `acquisition`     claim and ACQUIRE; `watcher` sees a cancel, `stop` is the decision to end
- `renewal`         keeps the lease; `renewal_group` sends the renewals of all runs of the worker in one call
- `proxy_client`    the control socket of this host's proxy
- `sandbox_layout`  what is visible inside; `sandbox` the processes, `shim` the first one inside, `seccomp` the filter,
                    `sandbox_remains` removes what it left
- `sandbox_setup`   puts sandbox and `environment` together; `cli_config`, `terraform_binary` find Terraform's parts
- `commands`        runs one command, with one SIGINT at its end;  `provisioners/` what to run
- `deployment`      what a run does with Terraform, to its end: plan, apply, `bake` (watch it, by `checks/`), `rollback`
- `drift_delivery`  a check for drift: what earlier runs left, and the report of what it found
- `safety_gate`     shows the scheduler what a plan does, before anything is applied, and what of that is there already
                    (`existing`); `progress` how far the run is
- `rollback`        brings back what was there before; `rollback_targets`, `turning` are its parts
- `leftovers`       what an earlier worker left on this host's disk
- `take_over`       what an earlier, cut run left; its rules are `shared.recovery`;  `questions` asks the cloud, by
                    `signed_call` inside
- `saved_plans`     hands a plan file over to be applied later, and fetches the approved one
- `blame`           whose doing a failure was: the work's, or that of a part of Interlock which did not answer
- `run_directory`, `log_shipper`, `metrics`   files, log, counts;  `errored_state` what Terraform could not store
"""
