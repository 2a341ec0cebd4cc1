"""One process's way from bodies of requests into the spool: parsed off the event loop, bounded, and counted."""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from stillwatch.serve.ingest.told import Told
from stillwatch.serve.spool import Payload, Spool, SpoolBusy

# Bodies are parsed two at a time: Arrow's parser leaves Python's lock to others, and a third would only hold memory.
PARSERS = 2
# What a body takes while it is parsed, as a multiple of its size: itself, rows, columns and frame.
GROWTH = 6
# Bytes that a value of JSON takes as an object of Python's: `[{},{},…]` becomes some twenty times its size.
VALUE = 80
# What a body of protobuf becomes at most, as a multiple: a message of two bytes is an object and a dict.
PROTOBUF_GROWTH = 24

Parse = Callable[[bytes, Told], Payload]


class TooLarge(ValueError):
    """A body that becomes larger than is allowed when it is decompressed, or parsed."""


class Unreadable(ValueError):
    """A body that is not compressed as it says; the message is a fixed sentence."""


class Intake:
    """Takes bodies in. `counts`: exchanges and records about them taken, records set aside, by format."""

    def __init__(self, spool: Spool, *, joining: bool, max_inflated: int, memory: int) -> None:
        """joining: whether records may wait for what other logs tell of them. memory: bytes that bodies under way may
        take in all; one that alone needs more is taken when nothing else is under way."""
        self.spool = spool
        self.joining = joining
        self.counts: Counter[tuple[str, str]] = Counter()
        self._max_inflated = max_inflated
        self._memory = memory
        self._under_way = 0
        self._pool = ThreadPoolExecutor(PARSERS, thread_name_prefix="ingest")

    def close(self) -> None:
        """Finish what is under way; then the spool's."""
        self._pool.shutdown()
        self.spool.close()

    async def take(self, body: bytes, encoding: str, parse: Parse, protobuf: bool = False) -> tuple[int, Told]:
        """How many rows of a body are on disk now, and what was set aside.

        Raises SpoolBusy where there is no room: then nothing of it was taken; TooLarge, Unreadable, or what `parse`
        raises.
        """
        cost = GROWTH * len(body) * (4 if encoding else 1)  # text is compressed to about a quarter
        if self._under_way and self._under_way + cost > self._memory:
            raise SpoolBusy("more is coming than can be parsed", 1)
        self._under_way += cost
        try:
            loop = asyncio.get_running_loop()
            told, payload, frame = await loop.run_in_executor(self._pool, self._parsed, body, encoding, parse, protobuf)
            if frame is not None:
                await asyncio.wrap_future(self.spool.append(frame))
        finally:
            self._under_way -= cost
        self.counts["taken", payload.format] += payload.rows.num_rows
        self.counts["set_aside", payload.format] += told.count
        return payload.rows.num_rows, told

    def _parsed(self, body: bytes, encoding: str, parse: Parse, protobuf: bool) -> tuple[Told, Payload, bytes | None]:
        told = Told()
        whole = inflated(body, self._max_inflated) if encoding else body
        if weight(whole, protobuf) > self._memory:
            raise TooLarge("the body holds more than ingest_memory has room for: send smaller batches")
        payload = parse(whole, told)
        worth = payload.rows.num_rows or payload.rejected
        return told, payload, payload.encoded() if worth else None


def weight(body: bytes, protobuf: bool) -> int:
    """About the bytes that a body takes when it is parsed, at most."""
    if protobuf:
        return PROTOBUF_GROWTH * len(body)
    return 2 * len(body) + VALUE * (body.count(b",") + body.count(b"{") + body.count(b"["))


def inflated(body: bytes, most: int) -> bytes:
    """A gzip body, of one member or several, as it was; raises TooLarge before it has taken more than `most` bytes."""
    parts: list[bytes] = []
    left = most
    rest = body
    while rest:
        member = zlib.decompressobj(wbits=31)
        try:
            part = member.decompress(rest, left + 1)
        except zlib.error as error:
            raise Unreadable("the body is not gzip, as its Content-Encoding says") from error
        left -= len(part)
        if left < 0:
            raise TooLarge("the body is longer than max_inflated allows")
        if not member.eof:
            raise Unreadable("the gzip body breaks off")
        parts.append(part)
        rest = member.unused_data
    return b"".join(parts)
