"""Many drift checks of targets that nobody touches: each has to say so. `python -m tests.drift_soak`; see `__main__`.

- `flock/` what is deployed: the kinds of values that providers like to write otherwise than they were given
- `soak` the checks, one after the other, and what came of them
"""
