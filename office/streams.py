"""The streams of the NATS link as the office provides them, on a hub and on its leaf nodes.

    hub    SSC_BATCHES    ssc.batch.*, and what each leaf's SSC_BATCHES holds
           SSC_RECEIPTS   ssc.receipt.*.* ssc.refusal.*.*
           SSC_DOWN       ssc.down.* ssc.file.*.*
    leaf   SSC_BATCHES    ssc.batch.*
           SSC_RECEIPTS, SSC_DOWN   mirrors of the hub's

A unit at a leaf publishes and reads there alone: while the line to the hub is cut, its batches wait
on the leaf's disk.  The leaf must not export ssc.batch.* (docs/links.md), or each batch would come
to the hub twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    ExternalStream,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    StreamSource,
)
from nats.js.errors import NotFoundError

from firmware.uplink import subjects

CONSUMER = "office"
DAY_S = 86_400
BATCHES_AGE_S = 7 * DAY_S  # a unit sends again what has no receipt
RECEIPTS_AGE_S = 30 * DAY_S
DUPLICATES_S = 600
MAX_BATCH = (4 << 20) + (64 << 10)
ACK_WAIT_S = 60
MAX_UNACKED = 1024


async def provide(stream: JetStreamContext, leaves: Sequence[str] = ()) -> None:
    """Make or change the hub's streams and the office's consumer.

    leaves: JetStream domains; those of an earlier call stay.
    """
    await _put(stream, _batches(await _sources(stream, leaves)))
    await _put(stream, _receipts(["ssc.receipt.*.*", "ssc.refusal.*.*"]))
    await _put(stream, _down(["ssc.down.*", "ssc.file.*.*"]))
    await stream.add_consumer(
        subjects.BATCHES,
        ConsumerConfig(
            durable_name=CONSUMER,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_S,
            max_ack_pending=MAX_UNACKED,
        ),
    )


async def provide_leaf(stream: JetStreamContext, hub: str) -> None:
    """stream: of the leaf's domain.  hub: the hub's domain."""
    await _put(stream, _batches([]))
    for config in (_receipts(None), _down(None)):
        config.mirror = StreamSource(name=str(config.name), external=_external(hub))
        config.mirror_direct = True
        await _put(stream, config)


async def _sources(stream: JetStreamContext, leaves: Sequence[str]) -> list[StreamSource]:
    try:
        held = (await stream.stream_info(subjects.BATCHES)).config.sources or []
    except NotFoundError:
        held = []
    known = {each.external.api for each in held if each.external is not None}
    new = [_external(leaf) for leaf in leaves]
    return held + [
        StreamSource(name=subjects.BATCHES, external=each) for each in new if each.api not in known
    ]


def _external(domain: str) -> ExternalStream:
    return ExternalStream(api=f"$JS.{domain}.API")


def _batches(sources: list[StreamSource]) -> StreamConfig:
    """Full: what comes is refused, never what is there dropped."""
    return StreamConfig(
        name=subjects.BATCHES,
        subjects=["ssc.batch.*"],
        sources=sources or None,
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_age=BATCHES_AGE_S,
        max_msg_size=MAX_BATCH + 1024,
        duplicate_window=DUPLICATES_S,
    )


def _receipts(names: list[str] | None) -> StreamConfig:
    return StreamConfig(
        name=subjects.RECEIPTS,
        subjects=names,
        storage=StorageType.FILE,
        max_msgs_per_subject=1,
        max_age=RECEIPTS_AGE_S,
        allow_direct=True,
    )


def _down(names: list[str] | None) -> StreamConfig:
    return StreamConfig(
        name=subjects.DOWN,
        subjects=names,
        storage=StorageType.FILE,
        max_msgs_per_subject=1,
        allow_direct=True,
    )


async def _put(stream: JetStreamContext, config: StreamConfig) -> None:
    """Change the stream to this, or make it."""
    try:
        await stream.update_stream(config)
    except NotFoundError:
        await stream.add_stream(config)
