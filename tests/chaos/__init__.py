"""The fault suite: all of Interlock as real processes on eight hosts, struck by seeded faults, judged by what arrived.

    schedule  (pure)  seed -> which faults, where, when, for how long
    network           one universe's hosts: network namespaces on one bridge, and partitions between them
    redis_hosts       Valkey on three hosts, with a Sentinel each, and a wall clock that can be set
    fleet             Interlock's own processes: two API servers, beat, two worker hosts with a proxy each
    cloud             the fake cloud: verifies signatures, writes down what arrived when, does nothing else
    work              what the runs do: calls and state writes without an end (runs inside the sandbox)
    universe          all of the above, started, repaired and removed
    injection         faults as acts on a universe
    scenario          one run: work, faults, healing, the next holder, evidence
    judgement (pure)  evidence -> overlaps, late calls, lost states, stuck targets
    report            build/chaos.json and what is printed
    builds/           test-only builds of the parts with one rule switched off; the judge must find each

`README.md` defines what is counted.
"""
