"""Notifications: people hear of what they must know, at least once, whoever is killed in between.

    events        what can be told, and that it holds no secret. Pure
    redaction     what is cut out of free text. Pure
    approvals     when a roll-out begins to wait for a person. Pure
    templates     one text for each kind: what happened, to what, what to do. Pure
    bodies        that text as a webhook's JSON, for Slack, as an e-mail. Pure
    signature     Standard Webhooks' HMAC. Pure
    retries       when to try again, and when not any more. Pure
    destinations  the operator's file: where to, with which secrets, for which flocks and kinds
    outbox        the rows: recorded in the caller's transaction, routed, claimed, settled
    http_sending, smtp_sending      one attempt each, bounded in time and size
    loop          the resident loop of beat that does the sending

Whoever has something to tell calls `record(session, Event(…))` inside the transaction that makes it true. Everything
else is beat's: it looks up where the event goes, claims what is due, sends it, and writes down how that went. A beat
that is killed after sending and before writing leaves its claim to run out: the same event is sent again under the same
id. No order is promised, not even to one destination.
"""

from scheduler.notifications.events import Event as Event
from scheduler.notifications.events import Kind as Kind
from scheduler.notifications.outbox import record as record
