"""A Kafka topic, followed by a consumer group: offsets are committed once what they stand for is durable.

What was read and not committed, before a crash or when partitions move, is read again and counts once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.serve.ingest.sink import Sink
from stillwatch.serve.ingest.told import Told
from stillwatch.serve.logs import say
from stillwatch.sources import FORMATS, lines
from stillwatch.sources.lines import Record

SCHEME = "kafka://"
# Messages at a time, and how long to wait for as many: one sync to disk and one commit serve them all.
MESSAGES = 1_000
WAIT = 1.0


@dataclass(frozen=True, slots=True)
class Address:
    """kafka://HOST:PORT[,HOST:PORT…]/TOPIC[?group=GROUP]"""

    brokers: str
    topic: str
    group: str

    @staticmethod
    def parse(url: str) -> Address:
        """Raises InputError where the URL is none such."""
        takes = "takes kafka://HOST:PORT/TOPIC?group=GROUP; all else stands in --kafka-config"
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise InputError(f"{url!r}: {takes}") from error
        topic = parts.path.strip("/")
        asked = parse_qs(parts.query)
        if not parts.netloc or not topic or "/" in topic or asked.keys() - {"group"}:
            raise InputError(f"{url!r}: {takes}")
        return Address(parts.netloc, topic, asked.get("group", ["stillwatch"])[0])


def properties(path: Path | None) -> dict[str, str]:
    """A client's configuration, `name=value` a line, as Kafka's own tools take it; raises InputError."""
    if path is None:
        return {}
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as --kafka-config") from error
    pairs = [line.split("=", 1) for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if any(len(pair) != 2 for pair in pairs):
        raise InputError(f"{path}: --kafka-config takes a name=value on each line")
    return {name.strip(): value.strip() for name, value in pairs}


class Topic:
    """Follows one topic."""

    def __init__(self, address: Address, sink: Sink, format: str = "auto", config: Path | None = None) -> None:
        try:
            from confluent_kafka import Consumer, KafkaException, TopicPartition
        except ImportError as error:
            raise InputError("kafka:// needs the extra: pip install 'stillwatch[kafka]'") from error
        given = {"auto.offset.reset": "earliest", **properties(config)}
        # What makes the promise of durability is not for a file to undo.
        fixed = {
            "bootstrap.servers": address.brokers,
            "group.id": address.group,
            "enable.auto.commit": False,
        }
        try:
            self._consumer = Consumer({**given, **fixed}, logger=logging.getLogger("librdkafka"))
            self._consumer.subscribe([address.topic])
        except (KafkaException, ValueError, TypeError) as error:
            raise InputError(f"{config or address.brokers}: Kafka's client does not take it: {_said(error)}") from error
        self._partition = TopicPartition
        self._sink = sink
        self._format = format
        self._address = address
        self._kept: list[Any] = []
        self._paused = False
        # Up to where each partition is durable, and not committed yet.
        self._durable: dict[tuple[str, int], int] = {}
        sink.meanwhile.append(self._stay)

    def poll(self) -> int:
        """Take what has come, commit it; how many messages."""
        self._resume()
        messages: list[Any] = self._kept or self._consumer.consume(MESSAGES, WAIT)
        self._kept = []
        values: list[tuple[str, bytes]] = []
        read: dict[tuple[str, int], int] = {}
        for message in messages:
            if (error := message.error()) is not None:
                self._failed(error)
                continue
            place = message.topic(), message.partition()
            read[place] = max(read.get(place, 0), message.offset() + 1)
            if (value := message.value()) is not None:
                values.append((f"{place[0]} {place[1]}:{message.offset()}", value))
        for name, found, told in self._by_format(values):
            self._sink.take(name, found, told)
        self._durable |= read
        self._commit()
        return len(values)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _commit(self) -> None:
        """Of the partitions that are still ours, again at the next poll where it could not be done. What another was
        given meanwhile it reads again, and it counts once."""
        ours = {(p.topic, p.partition) for p in self._consumer.assignment()}
        self._durable = {place: offset for place, offset in self._durable.items() if place in ours}
        done = [self._partition(*place, offset) for place, offset in self._durable.items()]
        if done and self._tried(lambda: self._consumer.commit(offsets=done, asynchronous=False)):
            self._durable = {}

    def _stay(self) -> None:
        """Remain in the group while there is no room: a member that does not ask for five minutes is put out of it."""
        self._tried(lambda: self._consumer.pause(self._consumer.assignment()))
        self._paused = True
        if (message := self._consumer.poll(0)) is not None:
            self._kept.append(message)

    def _resume(self) -> None:
        if self._paused:
            self._tried(lambda: self._consumer.resume(self._consumer.assignment()))
            self._paused = False

    def _tried(self, call: Callable[[], Any]) -> bool:
        from confluent_kafka import KafkaException

        try:
            call()
        except KafkaException as error:
            self._failed(error.args[0])
            return False
        return True

    def _failed(self, error: Any) -> None:
        if error.fatal():
            raise EnvironmentFailure(f"{self._address.brokers}: Kafka: {error.str()}")
        say("Kafka refused something; it is tried again", logging.WARNING, error=error.name())

    def _by_format(self, values: list[tuple[str, bytes]]) -> Iterator[tuple[str, list[Record], Told]]:
        """Records of the same format together; a message is one record, or several lines of them."""
        told = Told()
        by_format: dict[str, list[Record]] = {}
        for place, value in values:
            for record in _records(place, value, told):
                name = self._format
                if name == "auto":
                    name = next((f for f, m in FORMATS.items() if m.recognises(record.value)), "")
                if name:
                    by_format.setdefault(name, []).append(record)
                else:
                    told.add(record.place, "of no known format")
        if told.count:
            by_format.setdefault("canonical", [])
        for number, (name, found) in enumerate(sorted(by_format.items())):
            yield name, found, told if number == 0 else Told()


def _records(place: str, value: bytes, told: Told) -> Iterator[Record]:
    try:
        parsed = [lines.parse(value)[0]]
    except ValueError:
        parsed = []
        for line in value.split(b"\n"):
            if line and not line.isspace():
                try:
                    parsed.append(lines.parse(line)[0])
                except ValueError:
                    told.add(place, "not JSON")
    for one in parsed:
        if isinstance(one, dict):
            yield Record(place, one)
        else:
            told.add(place, "JSON, but not an object")


def _said(error: Exception) -> str:
    first = error.args[0] if error.args else error
    return str(first.str() if hasattr(first, "str") else first)
