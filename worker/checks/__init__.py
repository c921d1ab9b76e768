"""What a deployment is watched by while it bakes. Each check: a rule that decides, and thin hands that ask.

- `evaluation`   good, bad, no data, an error; and what a row of them comes to, by the check's own policy
- `looks`        begins one evaluation, bounded in time
- `asking`       one HTTP request from this host, to listed hosts only, bounded in time and size
- `http`, `prometheus`       asked from this host, each in a thread of its own
- `command`, `cloudwatch`    carried out in the run's sandbox, the latter signed by the proxy like every other call
"""
