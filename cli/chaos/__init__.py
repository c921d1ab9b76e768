"""`interlock chaos`: strike a staging deployment on purpose, watch it recover, judge it by its own journal.

Reading order:

- `scenarios`: what there is to strike with, what each proves and what it doesn't; pure.
- `strikes`: a scenario as command lines, the blow and its remedy; pure. `remedies` reads those of the user's.
- `targets`: where the blow falls on this machine: process ids and addresses.
- `arsenal`: which of these a scenario means here.
- `failover`: the one blow that is no command line: a failover asked of Sentinel or of a cluster.
- `lifeline`: carries a blow out so that its remedy follows whatever becomes of this command.
- `probe`: the command that calls the cloud meanwhile, harmless.
- `watcher`: what leases and journal showed, and when it was seen.
- `verdict`: the promise against what was seen; pure, with `shared.judge`.
- `story`: one scenario from its first run to its verdict. `command`: the options.
"""
