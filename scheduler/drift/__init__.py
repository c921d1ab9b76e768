"""Drift: when targets are checked, what follows from what a check found, and who hears of it.

    schedule      when a target is due. Pure
    transitions   what a finding changes about where a target stands, and when that is told. Pure
    queueing      the tick that queues checks which are due, and checks on demand
    giving_way    a check that is in the way of anything else is canceled
    intake        a report comes in: the flock's ignore rules, what it comes to
    outcome       a run is over, within the transaction that ends it: where its target stands now, when it is due again
    letting_go    what is deleted of older checks
    rules         the flock's settings, and how often its ignore rules were used
    telling       the tick that tells people: one message for all targets to which the same happened
    remediation   the tick that starts a roll-out to put things right, where the flock wants that
    views         what API and metrics show

A report is taken in while its run holds the target, and counts once that run is over and was not halted, lost or
canceled. What changes then is written in the transaction that ends the run: where the target stands, that it is not
told yet, the second check that is to confirm it, the remedy that is wanted. Telling and remedying are ticks that look
for such rows and settle them in the transaction that tells or begins: who is killed in between loses nothing.
"""
