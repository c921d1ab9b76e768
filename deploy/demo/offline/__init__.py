"""A small stand-in for the hashicorp/aws provider, so that the demo also runs where Terraform can't get that one.

It serves the resource types of the demo's flock under the same names, written with the `tf` package, and
calls the cloud by botocore: real signatures, HTTPS, through whatever proxy the environment names. It is
installed by `deploy.demo.provider` as a filesystem mirror and runs inside the sandbox like any provider.

    base.py       what all types share: create, read, update, delete, import from five small methods each
    aws.py        botocore clients and answers
    storage.py, messaging.py, access.py, network.py    the types
    __main__.py   the provider itself, served over Terraform's plugin protocol
"""

# High enough to satisfy the flock's `~> 5.100`, and not a version of the real one.
VERSION = "5.100.999"
