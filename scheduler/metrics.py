"""What the scheduler counts.

Every process has its own registry, so that tests and two apps in one process never clash.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_PREFIX = "interlock_scheduler"


class SchedulerMetrics:
    """The scheduler's metrics; the names are a public contract, hence listed in one place."""

    def __init__(self) -> None:
        """Register everything in a fresh registry."""
        self.registry = CollectorRegistry()
        self.runs = Gauge(
            f"{_PREFIX}_runs", "Runs by status, read from the database", ["status"], registry=self.registry
        )
        self.grants = self._counter("grants", "Claims that were given a new epoch")
        self.duplicates = self._counter("duplicate_claims", "Claims of runs that were no longer pending: no-ops")
        self.refusals = self._counter("refused_claims", "Claims refused because another run has the target")
        self.expirations = self._counter("expirations", "Leases expired by this observer")
        self.clears = self._counter("clears", "Embargoes ended by this observer")
        self.fences = self._counter("fences", "Epochs taken by the scheduler itself because their holder vanished")
        self.publications = self._counter("publications", "Wake-up hints published")
        self.publication_failures = self._counter("publication_failures", "Wake-up hints that could not be published")
        self.state_refusals = self._counter("state_refusals", "State requests refused by the fence")
        self.observer_errors = self._counter("observer_errors", "Passes of the observer that failed")
        self.tick_errors = self._counter("tick_errors", "Ticks that failed")
        self.settled = Counter(
            f"{_PREFIX}_settled_runs", "Runs that became terminal, by status", ["status"], registry=self.registry
        )
        self.notifications = Gauge(
            f"{_PREFIX}_notifications",
            "Notifications on their way by state (unrouted, queued, dead), read from the database by beat",
            ["state"],
            registry=self.registry,
        )
        self.notification_attempts = Counter(
            f"{_PREFIX}_notification_attempts",
            "Attempts to deliver a notification by destination and outcome (delivered, failed, dead)",
            ["destination", "outcome"],
            registry=self.registry,
        )
        self.rollouts = self._gauge("rollouts", "Roll-outs by status, read from the database", "status")
        self.rollout_targets = self._gauge(
            "rollout_targets", "Targets of roll-outs that are not over by stage, read from the database", "stage"
        )
        self.rollout_plans_waiting = self._gauge(
            "rollout_plans_waiting", "Plans that wait for a person, read from the database"
        )
        self.rollout_age = self._gauge(
            "oldest_rollout_age_seconds", "Seconds since the oldest roll-out that is not over was started; 0: none"
        )
        self.ended_rollouts = Counter(
            f"{_PREFIX}_ended_rollouts", "Roll-outs that this process saw end, by status", ["status"],
            registry=self.registry,
        )  # fmt: skip
        self.rollout_retries = Counter(
            f"{_PREFIX}_rollout_retries",
            "Targets of roll-outs that were tried again, by cause (lost, unserved, stale)",
            ["cause"],
            registry=self.registry,
        )
        self.drift_targets = self._gauge(
            "drift_targets",
            "Targets by where they stand (in_sync, drifted, not_checked, unknown), read from the database",
            "standing",
        )
        self.drift_age = self._gauge(
            "oldest_drift_check_age_seconds",
            "Seconds since the target that waits longest for its check was due; 0: none waits",
        )
        self.drift_checks = Counter(
            f"{_PREFIX}_drift_checks",
            "Drift checks by outcome (in_sync, drifted, not_checked, lost, canceled; gave_way: was asked to stop)",
            ["outcome"],
            registry=self.registry,
        )
        self.rollbacks_begun = Counter(
            f"{_PREFIX}_rollbacks_begun", "Deployments that are to be taken back, by trigger", ["trigger"],
            registry=self.registry,
        )  # fmt: skip
        self.rollbacks = Counter(
            f"{_PREFIX}_rollbacks",
            "Rollbacks that were over, by status (ROLLED_BACK, PARTIAL, FAILED, NOT_NEEDED, SKIPPED)",
            ["status"],
            registry=self.registry,
        )
        self.rollback_start = Histogram(
            f"{_PREFIX}_rollback_start_seconds",
            "Seconds from the trigger of a rollback to its first step",
            buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
            registry=self.registry,
        )
        self.reserved_targets = self._gauge(
            "reserved_targets",
            "Targets that a rollback keeps other runs from, by its status, read from the database",
            "status",
        )
        self.tick_age = Gauge(
            f"{_PREFIX}_last_tick_age_seconds", "Seconds since beat last ticked", registry=self.registry
        )
        self.observer_age = Gauge(
            f"{_PREFIX}_last_observation_age_seconds",
            "Seconds since the observer last finished a pass",
            registry=self.registry,
        )

    def _gauge(self, name: str, documentation: str, *labels: str) -> Gauge:
        return Gauge(f"{_PREFIX}_{name}", documentation, labels, registry=self.registry)

    def _counter(self, name: str, documentation: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", documentation, registry=self.registry)
