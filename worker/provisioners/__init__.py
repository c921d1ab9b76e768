"""What a run can start: `terraform` (plan, apply, destroy) and `command` (exec, any command line)."""
