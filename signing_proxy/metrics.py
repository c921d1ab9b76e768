"""What the proxy counts, all under ``interlock_proxy_``."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class ProxyMetrics:
    """The proxy's metrics in a registry of their own, so that several proxies fit into one test process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Counter(
            "interlock_proxy_calls",
            "Calls by outcome (answered, refused, unknown) and the reason of a refusal.",
            ["outcome", "reason"],
            registry=self.registry,
        )
        self.cuts = Counter("interlock_proxy_cuts", "Runs cut, by reason.", ["reason"], registry=self.registry)
        self.in_flight = Gauge(
            "interlock_proxy_in_flight", "Mutating calls sent whose outcome is not known.", registry=self.registry
        )
        self.open_leases = Gauge("interlock_proxy_open_leases", "Leases whose gate is open.", registry=self.registry)
        self.latches = Counter(
            "interlock_proxy_latches",
            "Runs halted by a call outside what they may do, by the service called.",
            ["service"],
            registry=self.registry,
        )
        self.latched_runs = Gauge(
            "interlock_proxy_latched_runs", "Attached runs that are halted.", registry=self.registry
        )
        self.hook_failures = Counter(
            "interlock_proxy_hook_failures", "Addon hooks that raised or hung.", ["hook"], registry=self.registry
        )
        self.severed = Counter(
            "interlock_proxy_connections_severed",
            "Connections severed for breaking a bound or crashing the core.",
            registry=self.registry,
        )
        self.kernel_gate = Gauge(
            "interlock_proxy_kernel_gate",
            "1 while the kernel withholds what a stopped proxy has left in its sockets, else 0.",
            registry=self.registry,
        )
        self.kernel_gate_withheld = Gauge(
            "interlock_proxy_kernel_gate_withheld_packets",
            "Packets that the kernel gate has withheld since the proxy started.",
            registry=self.registry,
        )
        self.kernel_gate_failures = Counter(
            "interlock_proxy_kernel_gate_failures",
            "Operations on the kernel gate that failed; where the lease was to be opened, it was cut.",
            registry=self.registry,
        )
        self.journal_dropped = Counter(
            "interlock_proxy_journal_dropped",
            "Journal records of refusals and reads that were dropped because the journal was behind.",
            registry=self.registry,
        )
