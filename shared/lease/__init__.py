"""The lease protocol: at any instant at most one epoch of a target can have calls signed.

Pure rules, each a value in and a value out:

- `timing`    the durations and what follows from them
- `machine`   the states and the one table of transitions
- `view`      what one look at Redis shows
- `gate`      the proxy's rule: until when may this lease be signed for?
- `holder`    the worker's rule: until when may I go on?
- `observer`  the scheduler's rule: when may a lease be expired, an embargo lifted?

And the thin shell around Redis or Valkey:

- `keys`      key names (a public contract, docs/redis-keys.md)
- `commands`  each operation as (script, keys, arguments) and a parser for its reply; `lua/` holds the scripts
- `sending`   brings a command to the server that owns its keys, many in one batch; redis-py's errors become ours
- `store`     `LeaseStore` and `AsyncLeaseStore`: the operations as methods
- `admission` what is refused at start: servers that must not hold leases, hosts whose durations differ
"""
