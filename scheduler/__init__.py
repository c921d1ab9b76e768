"""The scheduler: what is durable, who may run, and when a run is over.

Map, from the bottom up:

    tables, database, migrations/   what the database holds, and transactions that serialize on one target
    cipher, tokens                  states encrypted at rest; bearer tokens of which only hashes are kept
    configuration/                  files -> checked and rendered targets, before there is anything to run
    releases, retention             what is deployed: immutable, named by its content; which of it is let go
    flocks, runs, run_logs          what there is to do, and what was said while doing it
    pending, turns                  runs that wait to be claimed; which of them is next, in SQL
    plans                           plan files between a plan and its apply, and when one is void
    safety_plans, halts             what plans do, what may be applied and signed; telling people what was stopped
    safety_approvals, persons       who approved which plan of which run, and when two names are one person
    claims                          the one transaction that turns a pending run into an epoch
    settlement                      when a run is over: the rules, pure, and the transaction that writes them down
    leases                          lease views and revocations
    journal, recovery               every signed call, and what a cut left behind
    orphans, orphan_requests        reports of what no state holds, and runs that take it over
    terraform_state, quarantine     Terraform's HTTP backend, fenced by epoch, lease, serial and lineage
    state_versions, state_documents what it keeps, and what a state says about itself
    publisher, dispatch, celery_app wake-up hints on the broker, and when they are sent again
    rollback/                       first states, deployments that are taken back, targets kept for that
    rollout/                        a release through its phases: a pure core, and the transaction that drives it
    drift/                          when targets are checked, what follows from what was found, who hears of it
    notifications/                  what people are told: an outbox, and the loop that delivers it
    observer_loop                   the resident loop that expires leases, ends embargoes and settles runs
    ticks, beat                     periodic work that two beats may both attempt
    api/, server                    the HTTP face of all of it

Nothing here imports the worker or the proxy.
"""
