"""A Kafka topic, on the mock cluster that librdkafka brings: committed once durable, read again where it was not."""

import json
import threading
import time

import pytest
from confluent_kafka import KafkaException, Producer, TopicPartition
from intake_service import cycle, ids, record

from stillwatch.errors import InputError
from stillwatch.serve.ingest.sink import Sink
from stillwatch.serve.ingest.topic import Address, Topic, properties
from stillwatch.serve.spool import Key, Spool, SpoolBusy
from stillwatch.sources.mapping import Chosen


@pytest.fixture
def cluster():
    """A producer whose process holds the mock cluster, and the address of its brokers."""
    producer = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1})
    brokers = producer.list_topics(timeout=10).brokers.values()
    return producer, ",".join(f"{b.host}:{b.port}" for b in brokers)


def sent(producer, *values: bytes) -> None:
    for value in values:
        producer.produce("traffic", value)
    assert producer.flush(10) == 0


def followed(brokers: str, sink: Sink, folder, silent: int = 300_000) -> Topic:
    """silent: milliseconds for which a member of the group may not ask."""
    config = folder / "client.properties"
    # The mock cluster lets a group go on without a member that has left only when its session has run out.
    session = min(6000, silent)
    config.write_text(
        f"session.timeout.ms={session}\nheartbeat.interval.ms={session // 12}\nmax.poll.interval.ms={silent}\n"
    )
    return Topic(Address.parse(f"kafka://{brokers}/traffic?group=g"), sink, config=config)


def poll_until(topic: Topic, sink: Sink, taken: int) -> None:
    until = time.monotonic() + 30
    while sink.taken < taken and time.monotonic() < until:
        topic.poll()
    assert sink.taken == taken


def spooled(folder) -> tuple[Spool, Sink]:
    into = Spool(folder, Key.of_spool(folder, None))
    return into, Sink(into, joining=False, about=False, chosen=Chosen())


def test_messages_reach_the_store_and_bad_ones_are_counted(tmp_path, cluster):
    producer, brokers = cluster
    several = "\n".join(json.dumps(record(n)) for n in (2, 3)).encode()
    sent(producer, json.dumps(record(1)).encode(), several, b"\xff\x00", b"[3]", b'{"a": 1}')
    spool, sink = spooled(tmp_path / "spool")
    topic = followed(brokers, sink, tmp_path)
    poll_until(topic, sink, 3)
    topic.close()
    spool.close()
    assert dict(sink.set_aside) == {"not JSON": 1, "JSON, but not an object": 1, "of no known format": 1}
    cycle(tmp_path).drain()
    assert ids(tmp_path) == ["x1", "x2", "x3"]


def test_what_was_not_durable_is_read_again_by_the_next_consumer(tmp_path, cluster, monkeypatch):
    producer, brokers = cluster
    sent(producer, json.dumps(record(1)).encode())
    spool, sink = spooled(tmp_path / "spool")
    first = followed(brokers, sink, tmp_path)
    poll_until(first, sink, 1)
    sent(producer, json.dumps(record(2)).encode())

    class Lost(Exception):
        pass

    def busy(payload: bytes) -> None:
        raise Lost

    with monkeypatch.context() as broken:
        broken.setattr(spool, "append", busy)
        with pytest.raises(Lost):
            for _ in range(20):
                first.poll()
    committed = first._consumer.committed([TopicPartition("traffic", p) for p in range(4)], timeout=10)
    assert sum(p.offset for p in committed if p.offset > 0) == 1
    first.close()
    second = followed(brokers, sink, tmp_path)
    poll_until(second, sink, 2)
    second.close()
    spool.close()
    cycle(tmp_path).drain()
    assert ids(tmp_path) == ["x1", "x2"]


# Milliseconds for which a member may be silent: with fewer the mock cluster lets none in.
SILENT = 4000


def committed(topic: Topic) -> int:
    """How many messages are committed, as far as the brokers say."""
    try:
        found = topic._consumer.committed([TopicPartition("traffic", p) for p in range(4)], timeout=10)
    except KafkaException:
        return 0
    return sum(p.offset for p in found if p.offset > 0)


def until(true, *polled: Topic, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        for topic in polled:
            topic.poll()


def test_one_that_lost_its_partitions_to_another_goes_on_and_nothing_is_lost(tmp_path, cluster, monkeypatch, caplog):
    producer, brokers = cluster
    spool, sink = spooled(tmp_path / "spool")
    also, others = spooled(tmp_path / "spool")
    sent(producer, *(json.dumps(record(n)).encode() for n in range(20)))
    one = followed(brokers, sink, tmp_path, SILENT)
    until(lambda: committed(one) == 20, one)
    take, over = sink.take, threading.Event()

    def follow() -> None:
        other = followed(brokers, others, tmp_path)
        while not over.is_set():
            other.poll()
        other.close()

    following = threading.Thread(target=follow)

    def slow(*given) -> None:
        take(*given)
        following.start()
        time.sleep(SILENT / 1000 + 1)  # what it took is another's now

    try:
        with monkeypatch.context() as slowly:
            slowly.setattr(sink, "take", slow)
            sent(producer, *(json.dumps(record(n)).encode() for n in range(20, 30)))
            until(lambda: following.ident, one)
        lost = [line for line in caplog.messages if line.startswith("Kafka ")]
        sent(producer, *(json.dumps(record(n)).encode() for n in range(30, 50)))
        until(lambda: committed(one) == 50, one)
    finally:
        over.set()
        if following.ident:
            following.join()
    assert lost
    one.close()
    spool.close()
    also.close()
    cycle(tmp_path).drain()
    assert ids(tmp_path) == sorted(f"x{n}" for n in range(50))


def test_one_that_waits_for_room_stays_in_its_group(tmp_path, cluster, monkeypatch, caplog):
    producer, brokers = cluster
    spool, sink = spooled(tmp_path / "spool")
    sent(producer, *(json.dumps(record(n)).encode() for n in range(5)))
    topic = followed(brokers, sink, tmp_path, SILENT)
    append, asked = spool.append, []

    def full(payload: bytes):
        asked.append(time.monotonic())
        if asked[-1] < asked[0] + SILENT / 1000 + 2:
            raise SpoolBusy("the spool is full until it is drained", 1)
        return append(payload)

    monkeypatch.setattr(spool, "append", full)
    until(lambda: sink.taken == 5, topic)
    assert len(asked) > 3
    assert committed(topic) == 5
    sent(producer, *(json.dumps(record(n)).encode() for n in range(5, 9)))
    until(lambda: committed(topic) == 9, topic)
    assert sink.taken == 9
    assert not [line for line in caplog.messages if line.startswith("Kafka ")]
    topic.close()
    spool.close()


def test_an_address_that_is_none_is_refused():
    for url in ("kafka://", "kafka://host:1", "kafka://host:1/a/b", "kafka://host:1/t?color=red"):
        with pytest.raises(InputError, match="takes kafka://HOST:PORT/TOPIC"):
            Address.parse(url)
    assert Address.parse("kafka://a:1,b:2/t") == Address("a:1,b:2", "t", "stillwatch")


def test_a_configuration_is_read_as_kafkas_tools_write_it_and_faults_are_told(tmp_path, cluster):
    path = tmp_path / "client.properties"
    path.write_text("# to the brokers\nsecurity.protocol=ssl\n\nclient.id = a=b\n")
    assert properties(path) == {"security.protocol": "ssl", "client.id": "a=b"}
    path.write_text("security.protocol\n")
    with pytest.raises(InputError, match="name=value"):
        properties(path)
    path.write_text("no.such.property=1\n")
    with pytest.raises(InputError, match=r"no\.such\.property"):
        Topic(Address.parse("kafka://localhost:1/t"), None, config=path)
