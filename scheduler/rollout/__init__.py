"""Roll-outs: a release through its phases.

    events      what may happen to a roll-out: a run ended, a person said something. Pure: roll-out in, roll-out out.
    advance     what follows from where it stands: which runs to start, which to take back. Pure.
    taking_back what rollbacks of its targets mean for it, and which come next. Pure
    rollbacks   their rows
    drive       the transaction around both: observes the runs, writes roll-out and runs down together
    safety_gate which plans the safety rules let pass, hold or halt, and what a person's approval is worth
    service     start, look at, pause, resume, cancel, retry, approve, discard

A roll-out is one value (`shared.rollouts.Rollout`). It and the runs that it starts change in one transaction, so a
scheduler that is killed at any moment leaves either the old value with its runs or the new one with its; the next tick
goes on from there. Nothing is kept in memory.
"""
