"""Back to the first state: what a target was before a deployment, and what may be done to bring it back. Pure.

    settings        the `rollback` section of a flock: triggers, bake time, checks
    places          what a check may refer to, put in for one target
    records         the first state, the order to a worker, plans, verdicts and results, as they travel
    reversibility   an entry of a plan -> reversible, with data loss, or irreversible, and why
    stateful        which resource types hold what is lost with them, with their sources
    rebuilt         which hold nothing but what their configuration says
    guarding        which are not even deleted where the deployment made them, without consent
    lasting         what making something does that no delete takes back
    letting_go      what was imported and is let go again
    keeping         what was set on something that stays, and stays as well
    one_way         which updates in place nothing turns around
    precedents      what earlier tries of a deployment found and made, as its worker is told
    states          a state document, read as far as all of this needs it
    importing       by which name an object is taken in again
    rearranging     a plan's moves, forgets and imports -> what has to be turned around
    inverses        those -> the extra file of the first configuration that turns them around
    putting_back    what a replacement that was cut left beside its successor -> at its address again
    making          a plan of the first configuration -> the items of a rollback plan
    bounds          what of that plan may be carried out
    comparison      two state documents -> what differs, attribute by attribute, without secrets
    believing       what a worker's result is worth beside that
    standing        where rollbacks stand, as the API returns them

A rollback plans the first configuration against the current state. It never restores a state: an old state with an old
configuration reports no changes, and what was made since is forgotten by everybody.
"""
