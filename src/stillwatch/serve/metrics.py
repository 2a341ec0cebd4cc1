"""What the service tells Prometheus about itself: counts and times, never whom they are about."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from stillwatch.respond.decision import Measure
from stillwatch.serve.pulse import Pulse

# A look-up is meant to take under 5 ms and a batch of traffic under a few seconds: fine where the promise is.
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)


class Metrics:
    """The service's own series, in a registry of its own, so that two services in a process keep apart."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "stillwatch_requests", "Requests answered, by route, method and status", ("route", "method", "status"),
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "stillwatch_request_seconds", "Seconds from a request to its answer, by route", ("route",),
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.answers = Counter(
            "stillwatch_look_ups", "Decisions looked up, by gateway and measure", ("gateway", "measure"),
            registry=self.registry,
        )  # fmt: skip
        self.refused = Counter(
            "stillwatch_refused", "Requests refused before they were looked at, by reason", ("reason",),
            registry=self.registry,
        )  # fmt: skip
        self.throttled = Counter(
            "stillwatch_throttled", "Customers' requests over the limit of a throttle, by gateway", ("gateway",),
            registry=self.registry,
        )  # fmt: skip
        self.standing = Gauge(
            "stillwatch_standing_decisions", "Decisions that stand, by measure", ("measure",), registry=self.registry
        )
        self.snapshot_age = Gauge(
            "stillwatch_snapshot_age_seconds", "Seconds since the state was last heard of", registry=self.registry
        )
        self.judged_age = Gauge(
            "stillwatch_judged_age_seconds",
            "Seconds since a judgement was acted on, of what came last or of all; NaN where none was",
            ("of",),
            registry=self.registry,
        )
        self.cycle_age = Gauge(
            "stillwatch_cycle_age_seconds",
            "Seconds since the cycle was last alive; NaN where there is none",
            registry=self.registry,
        )
        self.cycle_failures = Gauge("stillwatch_cycle_failures", "Cycles that failed, in a row", registry=self.registry)
        self.version = Gauge("stillwatch_state_version", "Version of the state that is served", registry=self.registry)
        self._answered = {
            (gateway, measure): self.answers.labels(gateway, measure.text)
            for gateway in ("native", "litellm", "forward_auth", "envoy_grpc", "crowdsec")
            for measure in Measure
        }

    def answered(self, gateway: str, measure: Measure, count: int = 1) -> None:
        """Count what was looked up."""
        self._answered[gateway, measure].inc(count)

    def cycle(self, pulse: Pulse | None) -> None:
        """What the cycle says of itself."""
        now, none = time.time(), float("nan")
        since = (pulse.at, pulse.judged, pulse.judged_all) if pulse else (None, None, None)
        at, judged, judged_all = (now - t if t is not None else none for t in since)
        self.cycle_age.set(at)
        self.judged_age.labels("newest").set(judged)
        self.judged_age.labels("all").set(judged_all)
        self.cycle_failures.set(pulse.failures if pulse else 0)

    def page(self) -> bytes:
        """All series in Prometheus's text format."""
        return generate_latest(self.registry)
