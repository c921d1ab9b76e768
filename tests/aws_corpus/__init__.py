"""One resource of each type that the verifying cloud knows, planned, applied, altered and destroyed with the real
provider, through a real signing proxy. `python -m tests.aws_corpus check`; see `__main__`.

- `configuration/` the resources;  `harness` what they run in;  `traces.json` which calls each type made
- `injections` changes by boto3 behind Terraform's back;  `injecting` are they found, by the worker's own drift check?
- `recovering` the state is lost: everything is found again from the journal
"""
