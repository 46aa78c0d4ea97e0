"""What Prometheus sees of a serving office; no unit's name is a label, there are too many."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE

from office.errors import Refused
from office.writer import Group

__all__ = ["CONTENT_TYPE", "Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """A registry of its own: two servers in one process do not add up."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.batches = Counter(
            "sscoffice_batches",
            "Batches by what became of them",
            ["result"],
            registry=self.registry,
        )
        self.records = Counter(
            "sscoffice_records", "Records stored for the first time", registry=self.registry
        )
        self.duplicates = Counter(
            "sscoffice_duplicates", "Payments reported twice", registry=self.registry
        )
        self.refused = Counter(
            "sscoffice_refused", "Refused batches by error number", ["error"],
            registry=self.registry,
        )  # fmt: skip
        self.busy = Counter("sscoffice_busy", "Requests answered with 503", registry=self.registry)
        self.requests = Histogram(
            "sscoffice_request_seconds", "From the head of a request to its answer", ["route"],
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.commit = Histogram(
            "sscoffice_commit_seconds", "One durable transaction", buckets=_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self.group = Histogram(
            "sscoffice_group_batches", "Batches in one transaction", buckets=_SIZES,
            registry=self.registry,
        )  # fmt: skip
        self.waiting = Gauge(
            "sscoffice_waiting_batches", "Batches that wait for the store", registry=self.registry
        )
        self.connections = Gauge(
            "sscoffice_connections", "Open connections of units", registry=self.registry
        )

    def group_taken(self, group: Group) -> None:
        self.commit.observe(group.seconds)
        self.group.observe(len(group.answers))
        for answer in group.answers:
            if isinstance(answer, Refused):
                self.batches.labels("refused").inc()
                self.refused.labels(str(answer.number)).inc()
            else:
                self.batches.labels("new" if answer.is_new else "repeated").inc()
                self.records.inc(answer.records if answer.is_new else 0)
                self.duplicates.inc(len(answer.duplicates))

    def text(self) -> bytes:
        return generate_latest(self.registry)
