"""Taking a deployment back: what is recorded before it, who does it, and what holds its target meanwhile.

    last_release    which release was applied on a target last
    first_state     what a target was before a deployment: recorded in its claim, verified readable
    consents        who consents by name to what cannot be undone
    reservation     which runs wait because a rollback has their target, in SQL
    rows            rollbacks as rows and records; queueing one, ending one, telling people
    order           what a worker is told: where to go back to, and when
    existing        what deployments would take over, as their workers found it
    at_work         what the holder says while it takes back: that it began, its plan, its result; what may be signed
    ending          a run is over: does its deployment go back, and who goes on
    requests        what people do with rollbacks: start, retry, skip, look

A rollback is a row from its trigger on, written in the transaction of the trigger. Whoever carries it out may die
anywhere: the row says that it is not over, and the end of each run that had it either ends it or queues the next one.
Its target is reserved from the trigger until it is over, or until a person leaves it as it is.
"""
