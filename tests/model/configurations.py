"""What `make model` checks: configurations that hold, and mutants that fall.

Names of definitions are those at the head of lease.pml.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """A shape of the system whose whole state space is searched."""

    name: str
    """One word; the directory of its files is called so."""
    says: str
    """What takes part, in words."""
    defines: tuple[str, ...]
    """Definitions for the model."""
    liveness: bool = False
    """Whether EventuallyGranted is checked under weak fairness instead of the safety properties."""
    compact: bool = False
    """Whether states are kept as hashes (-DHC4): a state may then be missed, with a small probability."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refutation:
    """A change of the protocol that must be refuted by a trail."""

    name: str
    """One word."""
    says: str
    """What was changed."""
    defines: tuple[str, ...]
    """The change, and the cheapest configuration that shows it."""
    liveness: bool = False
    """Whether it is EventuallyGranted that must fall."""


WITNESSES: Final = (
    Refutation(name="by-ack", says="a grant after a signed call, by acknowledgements", defines=("WITNESS_ACK",)),
    Refutation(name="by-expire", says="a grant after a signed call, by EXPIRE", defines=("WITNESS_EXPIRE",)),
)
"""Claims that a good thing never happens, one for each way to a grant; each configuration must refute both."""

CONFIGURATIONS: Final = (
    Configuration(
        name="restart-renewals",
        says="2 proxies, Redis restarts from an old disk, 2 renewals",
        defines=("BOOTS=2", "SYMMETRIC", "RESTART", "SEQS=3"),
    ),
    Configuration(
        name="failover-proxies",
        says="2 proxies, failover with lost writes, deposed primary for ever, 1 renewal",
        defines=("FAILOVER", "BOOTS=2", "SYMMETRIC"),
    ),
    Configuration(
        name="restart",
        says="2 proxies, Redis restarts from an old disk, state deleted once, late CLEAR, 1 renewal",
        defines=("BOOTS=2", "SYMMETRIC", "RESTART", "DELETES=1", "LATE_CLEAR"),
    ),
    Configuration(
        name="failover-busy",
        says="1 proxy, failover with lost writes, deposed primary that takes all, state deleted once, late CLEAR",
        defines=("FAILOVER", "DEPOSED_BUSY", "DELETES=1", "LATE_CLEAR"),
    ),
    Configuration(
        name="failover-late",
        says="1 proxy, failover with lost writes, deposed primary for ever, late and lost replies, 1 renewal",
        defines=("FAILOVER", "LATE_REPLY"),
    ),
    Configuration(
        name="failover-renewals",
        says="1 proxy, failover with lost writes, deposed primary for ever, 2 renewals",
        defines=("FAILOVER", "SEQS=3"),
    ),
    Configuration(
        name="failover-reboot",
        says="1 proxy and its restart, failover with lost writes, deposed primary for ever, 1 renewal",
        defines=("FAILOVER", "BOOTS=2", "REBOOT"),
    ),
    Configuration(
        name="late-replies",
        says="2 proxies, 2 renewals, late and lost replies to polls, a reply to ATTACH counts as evidence",
        defines=("BOOTS=2", "SEQS=3", "LATE_REPLY", "REPLY_ATTACHES"),
    ),
    Configuration(
        name="proxies",
        says="2 proxies and a restart of one, 2 renewals, late messages of an older epoch, attach records lost",
        defines=("BOOTS=3", "REBOOT", "SEQS=3", "OLDER", "LOSES_RECORDS"),
    ),
    Configuration(
        name="long",
        says="1 proxy, 3 renewals, late and lost replies to polls, D after 4 ticks and Q of 3",
        defines=("BUDGET=4", "Q=3", "SEQS=4", "LATE_REPLY"),
    ),
    Configuration(
        name="deleted",
        says="2 proxies, state deleted twice, empty restart, late CLEAR, late messages of epoch 1, attach records lost",
        defines=("BOOTS=2", "DELETES=2", "LATE_CLEAR", "EMPTY", "OLDER", "LOSES_RECORDS"),
    ),
    Configuration(
        name="plain",
        says="1 proxy, 3 renewals, clean release too",
        defines=("SEQS=4", "RELEASES"),
    ),
    Configuration(
        name="liveness",
        says="1 proxy, Redis restarts from an old disk, state deleted once; EventuallyGranted under weak fairness",
        defines=("LIVENESS", "RESTART", "DELETES=1"),
        liveness=True,
    ),
)
"""The longest searches first, so that two at a time end together."""

MUTANTS: Final = (
    Refutation(name="no-window", says="no window", defines=("M_NO_WINDOW",)),
    Refutation(name="window-short", says="window one tick short", defines=("M_WINDOW_SHORT",)),
    Refutation(name="epoch-ge", says="epoch >= instead of >", defines=("M_EPOCH_GE", "EMPTY", "OLDER")),
    Refutation(name="key-absence", says="absence of the key as licence", defines=("M_KEY_ABSENCE",)),
    Refutation(name="no-attach", says="no ATTACH", defines=("M_NO_ATTACH",)),
    Refutation(
        name="attach-outside-held",
        says="ATTACH outside held",
        defines=("M_ATTACH_OUTSIDE_HELD", "LATE_REPLY", "REPLY_ATTACHES"),
    ),
    Refutation(name="ack-without-lease", says="ACK without lease", defines=("M_ACK_WITHOUT_LEASE", "OLDER")),
    Refutation(name="ack-without-boot", says="ACK without boot", defines=("M_ACK_WITHOUT_BOOT", "BOOTS=2", "REBOOT")),
    Refutation(name="not-all-acked", says="not all acknowledged", defines=("M_NOT_ALL_ACKED", "BOOTS=2")),
    Refutation(name="first-sight", says="D on first sight", defines=("M_FIRST_SIGHT",)),
    Refutation(name="reply-time", says="D from reply time", defines=("M_REPLY_TIME", "LATE_REPLY")),
    Refutation(name="across-incarnations", says="D across incarnations", defines=("M_ACROSS_INCARNATIONS", "FAILOVER")),
    Refutation(
        name="no-confirm", says="D without CONFIRM, deposed primary for ever", defines=("M_NO_CONFIRM", "FAILOVER")
    ),
    Refutation(name="cut-signs-again", says="a cut boot signs again", defines=("M_CUT_SIGNS_AGAIN",)),
    Refutation(
        name="expire-without-incarnation",
        says="EXPIRE without incarnation",
        defines=("M_EXPIRE_WITHOUT_INCARNATION", "FAILOVER"),
    ),
    Refutation(name="embargo-short", says="embargo one tick short", defines=("M_EMBARGO_SHORT", "RESTART", "Q=2")),
    Refutation(name="no-q-in-expire", says="no Q in EXPIRE", defines=("M_NO_Q_IN_EXPIRE",)),
    Refutation(name="no-q-in-embargo", says="no Q in the embargo", defines=("M_NO_Q_IN_EMBARGO", "RESTART", "Q=2")),
    Refutation(name="acquire-not-durable", says="ACQUIRE not durable", defines=("M_ACQUIRE_NOT_DURABLE", "RESTART")),
    Refutation(name="no-floor", says="no floor in CLEAR", defines=("M_NO_FLOOR", "EMPTY", "OLDER")),
    Refutation(
        name="no-count",
        says="records that vanished are not missed (extra)",
        defines=("M_NO_COUNT", "LOSES_RECORDS"),
    ),
    Refutation(
        name="stale-look",
        says="EXPIRE after W believes a look that was clear, instead of the server (extra)",
        defines=("M_STALE_LOOK",),
    ),
    Refutation(
        name="clear-unnamed",
        says="CLEAR does not name the absence that it ends (extra)",
        defines=("M_CLEAR_UNNAMED", "DELETES=2", "LATE_CLEAR"),
    ),
    Refutation(
        name="lease-revived",
        says="after a deletion the same ACQUIRE makes the same lease id (extra)",
        defines=("M_LEASE_REVIVED", "DELETES=1"),
    ),
    Refutation(
        name="no-observer",
        says="nobody expires (extra; EventuallyGranted must fall)",
        defines=("M_NO_OBSERVER", "LIVENESS"),
        liveness=True,
    ),
)
