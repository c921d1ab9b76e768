"""Drift: what is out there compared with what the state says, and the state with the configuration. Pure.

    report      what a check found, resource by resource, and what it comes to for the target
    reading     Terraform's own documents -> that report
    evidence    what Terraform said while it looked: which resources it has read, and what went wrong
    instances   the objects that a state holds
    observed    what differs between a state and what was read
    reflections attributes that show other resources of the same state
    shown       the table of those
    pending     what an apply would do, beside that
    finding     a resource's findings while they are gathered
    changes     two values -> the attributes that differ, by path, secrets masked
    meaning     are two values the same to the provider, only written otherwise?
    schemas     which attributes only the provider sets, and which lists have no order
    ignoring    the flock's rules for what nobody wants to hear of
    settings    the `drift` section of a flock
    records     what came of a check and where a target stands, as the scheduler shows it

Deciding what follows from a report is the scheduler's (`scheduler.drift`); making the documents is the worker's.
"""
