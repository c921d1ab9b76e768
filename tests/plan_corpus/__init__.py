"""Plans of one configuration by as many versions of Terraform as there are, as `terraform show -json` gave them.

- `configuration/` before and after a change; a file named after a version is for that one and later ones
- `plans/` what each version said;  `python -m tests.plan_corpus TERRAFORM…` records them, see `__main__`
"""
