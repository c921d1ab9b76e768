"""`make bench`: how fast the protocol is, on this machine, written to build/bench.json.

    make bench                    everything (some minutes)
    make bench ARGS="sever kill"  some groups only; the others' figures stay as they were

A benchmark is no test: nothing here asserts a time. Each module measures one group through the real processes.

- `report`     build/bench.json, and the table on the screen
- `hot_path`   the gate's check on every byte;  `renewals` the server's time for keeping leases
- `classifying` which operation a call is, and of which class
- `cutting`    deadline and revocation to the last byte, on 200 live connections (`live_run`, `connections`, `capture`)
- `moving`     from one holder to the next: clean, killed, host lost (`fleet`)
"""
