"""`interlock demo`: one real job, one worker frozen and one killed in the middle, judged by the cloud's own log.

    story.py       the acts; `run_demo` is what the command calls
    stage.py       what they are played on: cloud, Valkey, scheduler, two logical hosts
    fleet.py       processes: start, strike, end
    home.py        the folder of it all, removed or kept afterwards
    home.py        the folder that it is played in
    ear.py         follows the cloud's log while it grows
    leases.py      follows grants and cuts on the boot clock
    timeline.py    what a person sees

    cloud.py       moto behind a recorder that checks every signature; a process of its own
    sigv4.py, requests.py, arrivals.py    its parts: signatures, what a request asks for, the log's format
    inventory.py   what exists in the cloud, and what a state says exists
    verdict.py     from all that to numbers and reasons; pure

    provider.py    hashicorp/aws where it can be had, else offline/ (installed with vendor.py)
    unfenced.py    the way out without a gate, for `--unfenced`
    flock/         the configuration that is deployed

The judge shares no code with the proxy: signatures, classification and the reading of who called are its own.
"""
