"""What a cut leaves in the cloud, and how it is found again. Rules only: no I/O.

- `table`, `rules`   which call makes which resource, and what its import takes; `older_rules` for security group rules
- `calls`            which journaled calls may have left something
- `views`            what a plan would make, what a state holds, what the cloud has
- `reconciling`      what becomes of each create: settled, an import, or listed
- `imports`          import blocks
- `questions`        what is asked of the cloud where the journal does not know enough: by `described` of things that
                     only an id tells apart, by `lookups` of those with a name; `answers` reads what came back
- `upserts`          creates that take over or overwrite what has that name, and the read that tells; `existing` asks it
                     of a plan, where `placing` says in which region
- `building`         calls, in the protocols of the services
- `references`       which planned resource refers to which
- `ownership`        whether a call can have made a thing: by its time, and by what it lies in
- `provenance`       whether what has a name is the run's own
- `shelves`          resources by what tells them apart
- `orphans`          the report about one run
"""
