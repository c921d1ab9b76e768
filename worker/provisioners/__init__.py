"""What a run can start: `terraform` (plan, apply, destroy), `drift` (looks, changes nothing), `command` (anything)."""
