"""Which journaled calls may have left something behind. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from shared.models import JournalRecord
from shared.recovery.rules import leaf, makes_something, names_of, rules_of

#: First words of operations that make nothing. Any other write may have made something, an unknown one too.
_MAKES_NOTHING = frozenset(
    {"Delete", "Remove", "Update", "Modify", "Tag", "Untag", "Detach", "Disassociate", "Revoke", "Deregister"}
    | {"Terminate", "Stop", "Cancel", "Disable", "Release", "Unsubscribe", "Reset", "Send", "Set", "Abort", "Change"}
    | {"Reboot", "Purge", "Schedule"}
)
_UNMAKES = frozenset(
    {"Delete", "Remove", "Terminate", "Deregister", "Release", "Detach", "Disassociate", "Revoke", "Unsubscribe"}
)
#: Deletes that are named after another thing than their creates.
_UNMAKING = {
    ("acm", "DeleteCertificate"): ("RequestCertificate",),
    ("iam", "RemoveUserFromGroup"): ("AddUserToGroup",),
    ("kms", "ScheduleKeyDeletion"): ("CreateKey",),
    ("monitoring", "DeleteAlarms"): ("PutMetricAlarm",),
    ("route53", "ChangeResourceRecordSets"): ("ChangeResourceRecordSets",),
    ("s3", "DeleteBucketLifecycle"): ("PutBucketLifecycleConfiguration",),
    ("s3", "DeleteObject"): ("PutObject", "CompleteMultipartUpload", "CopyObject"),
    ("ses", "DeleteIdentity"): ("VerifyEmailIdentity", "VerifyDomainIdentity"),
}
#: Names in a delete that identify nothing that its create named.
_OF_THE_DELETE = frozenset({"action", "versionid"})
#: Ends of names of what something is set on: `RoleName` names what `DeleteRole` deletes.
_ENDS = re.compile(r"(Name|Id|Url|Arn)$")
#: Error codes of what was not even begun, some of them with a 503.
_THROTTLED = frozenset(
    {"BandwidthLimitExceeded", "EC2ThrottledException", "RequestLimitExceeded", "RequestThrottled", "SlowDown"}
    | {"RequestThrottledException", "Throttling", "ThrottlingException", "ThrottledException"}
    | {"TooManyRequestsException"}
)
_FIRST_WORD = re.compile(r"[A-Z][a-z0-9]*")


def may_make(write: JournalRecord) -> bool:
    """Whether the operation could create something, by its first word; what is unknown could.

    Args:
        write: a call that changes something.
    """
    if not write.operation:
        return write.method != "DELETE"
    return bool(rules_of(write)) or _verb(write.operation) not in _MAKES_NOTHING


def may_have_happened(write: JournalRecord) -> bool:
    """Whether the cloud may have carried the call out: not when we or the cloud refused it.

    Args:
        write: a call that changes something.
    """
    if write.outcome == "refused" or (write.outcome == "answered" and write.error_code in _THROTTLED):
        return False
    refused_by_cloud = write.http_status is not None and 400 <= write.http_status < 500
    return not (write.outcome == "answered" and refused_by_cloud)


def was_answered(record: JournalRecord) -> bool:
    """Whether the cloud said that it did it.

    Args:
        record: a call.
    """
    return record.outcome == "answered" and record.http_status is not None and record.http_status < 300


def unsettled(writes: Iterable[JournalRecord]) -> list[JournalRecord]:
    """The creates that may have made something that is still there: those that no later delete undid.

    Args:
        writes: calls that change something, oldest first.
    """
    creates = _Creates()
    for write in writes:
        if write.access != "write" or not may_have_happened(write):
            continue
        if may_make(write):
            creates.add(write)
        elif was_answered(write) and _unmakes_anything(write):
            creates.unmake(write)
    return creates.left


def to_account_for(records: Iterable[JournalRecord]) -> list[JournalRecord]:
    """Of what `unsettled` returns, the calls that make something of its own, or that a rule knows.

    Args:
        records: as the recovery endpoint returns them.
    """
    return [record for record in unsettled(records) if makes_something(record)]


def _unmakes_anything(write: JournalRecord) -> bool:
    # One operation of Route 53 makes and deletes: what it did stands in the request.
    if write.operation == "ChangeResourceRecordSets" and write.resource.get("Action") != "DELETE":
        return False
    return _verb(write.operation) in _UNMAKES or (write.service, write.operation) in _UNMAKING


class _Creates:
    """Creates by region and names: a delete looks only at those that have its rarest name in common with it."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[JournalRecord, dict[str, str]]] = {}
        self._by_value: dict[tuple[str, str, str, str], dict[int, None]] = {}
        self._parts: dict[tuple[str, str, str, str], list[int]] = {}
        self._added = 0

    @property
    def left(self) -> list[JournalRecord]:
        """Those that nothing undid, oldest first."""
        return [create for create, _ in self._kept.values()]

    def add(self, create: JournalRecord) -> None:
        made = names_of(create)
        self._kept[self._added] = create, made
        for key in self._keys(create, create.operation, made):
            self._by_value.setdefault(key, {})[self._added] = None
        for rule in rules_of(create):
            if rule.part and rule.same and (whole := made.get(rule.same[0][0].lower())):
                key = (create.service, _region(create), _ENDS.sub("", rule.same[0][0]).lower(), whole)
                self._parts.setdefault(key, []).append(self._added)
        self._added += 1

    def unmake(self, delete: JournalRecord) -> None:
        """Leave out what a delete that succeeded took: same service, noun and identifiers; and what is set on it."""
        wanted = _UNMAKING.get((delete.service, delete.operation))
        names = {name: value for name, value in delete.resource.items() if leaf(name) not in _OF_THE_DELETE}
        for operation in wanted or (delete.operation,):
            alike = [list(self._by_value.get(key, ())) for key in self._keys(delete, operation, names)]
            for number in min(alike, key=len, default=[]):
                create, made = self._kept[number]
                if (wanted is None or create.operation == operation) and _names_same(names, made):
                    self._leave_out(number)
        for value in names.values():
            gone = (delete.service, _region(delete), _noun(delete.operation).lower(), value)
            for number in self._parts.pop(gone, ()):
                self._leave_out(number)

    def _leave_out(self, number: int) -> None:
        if number in self._kept:
            create, made = self._kept.pop(number)
            for key in self._keys(create, create.operation, made):
                del self._by_value[key][number]

    @staticmethod
    def _keys(call: JournalRecord, operation: str, names: Mapping[str, str]) -> set[tuple[str, str, str, str]]:
        return {(call.service, _region(call), _noun(operation), value) for value in names.values()}


def _region(call: JournalRecord) -> str:
    # A bucket may be made in one region's name and deleted in another's: its name is one for all of them.
    return "" if call.service == "s3" else call.region


def _names_same(deleted: Mapping[str, str], made: Mapping[str, str]) -> bool:
    return all(
        made[leaf(name)] == value if leaf(name) in made else value in made.values() for name, value in deleted.items()
    )


def _verb(operation: str) -> str:
    first = _FIRST_WORD.match(operation)
    return first.group() if first else operation


def _noun(operation: str) -> str:
    return operation.removeprefix(_verb(operation)).rstrip("s")
