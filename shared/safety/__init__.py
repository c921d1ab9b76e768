"""Safety plans: what a run was approved to do, and what follows from that for its calls. Pure.

    plan_document   `terraform show -json`, read strictly, without secrets
    making          a plan -> what it does, one entry for each operation on each address
    entries         those entries, their digest, and what makes them comparable between two targets
    comparison      is this plan within that one?
    rules           who has to approve an entry in a flock
    verdict         rules and approvals -> accepted, held with what is new, or forbidden
    unused          what was approved and not done
    halts           what a run says that was halted at the wire
    allowance       what the signing proxy may sign for a run
    records         all of that as it travels

Who approved what is the scheduler's (`scheduler.safety_plans`), and the proxy's is which calls an allowance covers.
"""
