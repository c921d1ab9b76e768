"""The `interlock` command: the only place that wires the parts together.

Reading order:

- `main`: the Typer application, the global options and the one handler that turns every error into two lines.
- `output`: where words go (data to stdout, everything else to stderr) and what `--json` means.
- `context`: settings as a command sees them, including what a running `interlock up` recorded.
- `runs`, `leases`, `journal`, `notify`, `flocks`, `deployments`: commands that talk to the API; `follow` streams a run
  and `outcome` turns how it ended into an exit code.
- `plans`: what a plan does, approving and comparing it; `plan_usage` looks for its traces in a journal,
  `unused` tells after a deployment what it did not need.
- `recover`: what a cut run left, and a run that takes it over.
- `drift`: what was changed outside, and looking for it.
- `rollback`: taking a deployment back, and deciding about what is left.
- `rollouts`: a release through its phases; `rollout_progress` says what changed.
- `releases`: from a flock to a release and back; `release_build` puts one together with `artifact_digests`
  (signing in by `registry_credentials`) and `provider_lock`, `release_diff` compares two.
- `flock_configuration`, `terraform_check`, `regions`, `atlantis_import`: what can be known of a flock without the API.
- `processes`: `server`, `beat`, `worker`, `proxy`, each one process in the foreground.
- `up_command`, `up`, `up_plan`, `up_record`: everything on one machine under one supervisor.
- `chaos`: blows against a staging deployment, and a verdict.
- `doctor` and `checks*`: what is missing here, and how to mend it.

Command modules import nothing heavy at module level, so that `interlock --help` and shell completion stay quick.
"""
