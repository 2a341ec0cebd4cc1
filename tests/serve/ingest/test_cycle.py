"""The cycle: what waits is drained once, judged, handed on, and gone from the spool."""

import multiprocessing
import sys
import threading
import time
from pathlib import Path

import pytest
from intake_service import client, cycle, ids, judge_all, ndjson, record, stored
from intake_service import settings as service_settings

from stillwatch.errors import InputError
from stillwatch.findings import Findings
from stillwatch.respond.found import read_found
from stillwatch.serve.beside import Beside
from stillwatch.serve.cycle import Cycle
from stillwatch.serve.spool import Key, Payload, Spool, sealed, used
from stillwatch.store.states import newest

sys.path.append(str(Path(__file__).parents[2] / "scan"))
from scan_worlds import HAND, accounts, rows, write


def send(folder: Path, *numbers: int) -> None:
    with client(folder) as http:
        assert http.post("/v1/exchanges", content=ndjson(*(record(n) for n in numbers))).json()["taken"] == len(numbers)


def test_a_campaign_in_live_traffic_is_found_and_handed_on_and_no_prompt_stays(tmp_path):
    found = rows()
    for row in found:
        row["time"] = row["time"].isoformat()
    with client(tmp_path) as http:
        for start in range(0, len(found), 500):
            assert http.post("/v1/exchanges", content=ndjson(*found[start : start + 500])).status_code == 200
    handed = []

    def hand_on(judged):
        there = tmp_path / "findings"
        handed.append((judged, judged.folder, read_found(judged.folder), there.exists()))

    known = write(tmp_path / "known", [], accounts(), 0) / "accounts.parquet"
    one = cycle(tmp_path, hand_on=hand_on, accounts=known)
    judged = one.once()
    [(early, beside, found_by_then, published)] = handed
    assert early.findings == judged.findings
    assert len(found_by_then.suspects) == len(HAND)
    assert not published  # decisions are made before the rest is written
    assert not beside.exists()
    assert [c.accounts for c in judged.findings.campaigns] == [len(HAND)]
    assert (judged.folder / "findings.json").exists()
    shown = [p.text for c in judged.findings.campaigns for w in c.workloads for p in w.passages]
    assert any("step by step" in text for text in shown)  # read from the spool before it went
    assert used(tmp_path / "spool") == 0
    assert one.once() is None
    one.judge_anyway()
    assert [c.id for c in one.once().findings.campaigns] == [c.id for c in judged.findings.campaigns]


def test_what_stands_beside_the_traffic_is_read_anew_each_cycle(tmp_path):
    send(tmp_path, 1, 2)
    events = tmp_path / "events.jsonl"
    events.write_text('{"account_id": "a1", "time": "2026-02-01T00:00:00Z", "field": "status", "value": "banned"}\n')
    one = cycle(tmp_path, account_events=events)
    assert one.once().findings.traffic.exchanges == 2
    send(tmp_path, 3)
    whole = events.read_text()
    events.write_text('{"account_id": "a1"}\n')
    with pytest.raises(InputError, match=r"events\.jsonl"):
        one.once()
    one.drain()  # as after every failure
    events.write_text(whole)
    assert one.once().findings.traffic.exchanges == 3  # though nothing came since


def never_again(monkeypatch) -> None:
    """All is judged again in years, however much comes."""
    monkeypatch.setattr("stillwatch.serve.cycle.WHOLE_SHARE", 1e-9)
    monkeypatch.setattr("stillwatch.serve.cycle.WHOLE_GROWTH", 1e9)


def test_between_judgements_of_all_those_that_came_last_are_judged(tmp_path, monkeypatch):
    handed = []
    one = cycle(tmp_path, newest=4, hand_on=handed.append)

    def told():
        """Exchanges judged, whether all were, where it was published, and how many accounts there are."""
        judged = one.once()
        if judged is None:
            return None
        assert handed[-1].of_accounts == judged.of_accounts
        whole = judged.folder.name == "findings"
        assert whole == (judged.of_accounts is None)
        return judged.findings.traffic.exchanges, whole, judged.of_accounts

    never_again(monkeypatch)
    send(tmp_path, 1, 2, 3)
    assert told() == (3, True, None)
    send(tmp_path, 4, 5, 6)
    assert told() == (6, True, None)  # when it began there were no more than the newest
    send(tmp_path, 7, 8)
    assert told() == (4, False, 6)
    assert told() is None
    one.judge_anyway()
    assert told() == (4, False, 6)
    one.judge_anyway(of_all=True)  # another policy, for one
    assert told() == (8, True, None)
    send(tmp_path, 9)
    assert told() == (4, False, 7)
    monkeypatch.setattr("stillwatch.serve.cycle.WHOLE_SHARE", 1e9)
    assert told() == (9, True, None)  # nothing came, but it had not seen what came last
    assert told() is None


@pytest.fixture(autouse=True)
def nobody_left():
    """A test that fails leaves no process behind that waits for it: Python would wait for that one in its turn."""
    yield
    for child in multiprocessing.active_children():
        child.kill()


def published(folder: Path) -> int:
    """How many exchanges the findings of all are about."""
    found = Findings.model_validate_json((folder / "findings" / "findings.json").read_bytes())
    return found.traffic.exchanges


def over(started: list[Beside]) -> None:
    until = time.monotonic() + 120
    while started[-1].running and time.monotonic() < until:
        time.sleep(0.05)
    assert not started[-1].running


def judged_beside(folder: Path, ended: str) -> tuple[Cycle, list[Beside]]:
    """A cycle over six exchanges that were all judged, of which four are the newest, and what it starts beside it."""
    started = []

    def start(segments):
        started.append(Beside(judge_all, folder, 4, ended, segments))
        return started[-1]

    one = cycle(folder, newest=4, beside=start)
    send(folder, *range(1, 7))
    assert one.once().folder.name == "findings"  # there were no more than the newest when it began
    return one, started


def test_what_comes_is_judged_while_all_is_judged_beside(tmp_path, monkeypatch):
    one, started = judged_beside(tmp_path, "well")
    monkeypatch.setattr("stillwatch.serve.cycle.WHOLE_SHARE", 1e9)  # due at once
    send(tmp_path, 7)
    assert one.once().folder.name == "findings-newest"
    assert len(started) == 1
    assert len(sealed(tmp_path / "spool")) == 1  # for the text that the other may ask for
    send(tmp_path, 8)
    assert one.once().folder.name == "findings-newest"
    assert len(started) == 1  # one at a time
    assert published(tmp_path) == 6
    (tmp_path / "go").touch()
    over(started)
    assert published(tmp_path) in (7, 8)  # what the store held when it began, which may have been later than it started
    send(tmp_path, 9)
    assert one.once().of_accounts == 7
    assert len(sealed(tmp_path / "spool")) == 1
    assert len(started) == 2  # what came since was not judged with all
    over(started)
    assert published(tmp_path) == 9
    never_again(monkeypatch)
    assert one.once() is None
    assert sealed(tmp_path / "spool") == []
    assert len(started) == 2
    assert ids(tmp_path) == [f"x{n}" for n in range(1, 10)]


@pytest.mark.parametrize("ended", ["badly", "killed"])
def test_a_judgement_beside_that_fails_is_made_again_and_not_at_once(tmp_path, monkeypatch, ended):
    (tmp_path / "go").touch()
    one, started = judged_beside(tmp_path, ended)
    monkeypatch.setattr("stillwatch.serve.cycle.WHOLE_SHARE", 1e9)
    send(tmp_path, 7)
    one.once()
    over(started)
    assert one.once() is None
    assert len(started) == 1  # not before as long has passed as it took
    assert sealed(tmp_path / "spool") == []
    until = time.monotonic() + 120
    while len(started) < 2 and time.monotonic() < until:
        assert one.once() is None
        time.sleep(0.05)
    assert len(started) == 2
    over(started)


def test_another_policy_breaks_off_what_is_judged_beside_and_has_all_judged_first(tmp_path, monkeypatch):
    one, started = judged_beside(tmp_path, "well")
    monkeypatch.setattr("stillwatch.serve.cycle.WHOLE_SHARE", 1e9)
    send(tmp_path, 7)
    one.once()
    assert started[0].running
    one.judge_anyway(of_all=True)
    judged = one.once()
    assert judged.folder.name == "findings"
    assert judged.findings.traffic.exchanges == 7
    assert not started[0].running


def test_a_new_process_has_all_judged_beside_where_that_was_done_before(tmp_path, monkeypatch):
    never_again(monkeypatch)
    (tmp_path / "go").touch()
    one, _ = judged_beside(tmp_path, "well")
    send(tmp_path, 7)
    one.drain()
    started = []

    def start(segments):
        started.append(Beside(judge_all, tmp_path, 4, "well", segments))
        return started[-1]

    again = cycle(tmp_path, newest=4, beside=start)
    assert again.once() is None
    over(started)
    assert published(tmp_path) == 7
    assert again.once() is None
    assert len(started) == 1


def test_all_is_judged_again_once_the_store_has_grown_by_a_tenth(tmp_path, monkeypatch):
    monkeypatch.setattr("stillwatch.serve.cycle.WHOLE_SHARE", 1e-9)
    send(tmp_path, *range(20))
    one = cycle(tmp_path, newest=20)
    one.once()
    whole = []
    for number in range(20, 26):
        send(tmp_path, number)
        whole.append(one.once().of_accounts is None)
    # Asked before what came is taken in. All 21 are judged, since there were no more than 20; again with 24 there.
    assert whole == [True, False, False, False, True, False]


def test_what_was_judged_of_all_and_not_handed_on_is_judged_of_all_again(tmp_path, monkeypatch):
    never_again(monkeypatch)
    send(tmp_path, 1, 2, 3)
    cycle(tmp_path).drain()
    faults = [RuntimeError("out of reach")]
    one = cycle(tmp_path, newest=2, hand_on=lambda _: faults and (_ for _ in ()).throw(faults.pop()))
    with pytest.raises(RuntimeError):
        one.once()
    assert one.once().of_accounts is None
    assert one.once() is None


def test_a_new_process_judges_what_the_store_holds_once(tmp_path):
    send(tmp_path, 1, 2)
    cycle(tmp_path).drain()
    again = cycle(tmp_path)
    assert again.once().findings.traffic.exchanges == 2
    assert again.once() is None


@pytest.mark.parametrize("judging", [True, False])
def test_a_crash_before_the_spool_is_cleared_counts_nothing_twice(tmp_path, monkeypatch, judging):
    send(tmp_path, 1, 2, 3)

    def killed(self, drain, taken):
        if taken:
            raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(Cycle, "_drop", killed)
        with pytest.raises(KeyboardInterrupt):
            cycle(tmp_path).once() if judging else cycle(tmp_path).drain()
    assert len(sealed(tmp_path / "spool")) == 1
    assert newest(tmp_path / "store").rows == 3
    cycle(tmp_path).drain()
    assert newest(tmp_path / "store").rows == 3
    assert sealed(tmp_path / "spool") == []


def test_a_judgement_that_fails_leaves_the_traffic_in_the_store_and_is_tried_again(tmp_path, capsys):
    send(tmp_path, 1, 2)
    accounts = tmp_path / "accounts.parquet"
    accounts.write_bytes(b"PAR1 no more than that")
    one = cycle(tmp_path, accounts=accounts)
    stop = threading.Event()
    running = threading.Thread(target=one.run, args=(stop,))
    running.start()
    until = time.monotonic() + 60
    while (one.faults < 2 or used(tmp_path / "spool")) and time.monotonic() < until:
        time.sleep(0.02)
    assert ids(tmp_path) == ["x1", "x2"]
    accounts.write_text('{"account_id": "a1"}\n')
    while one.last is None and time.monotonic() < until:
        time.sleep(0.02)
    stop.set()
    running.join(30)
    assert not running.is_alive()
    assert one.last.findings.traffic.exchanges == 2


def test_what_could_not_be_handed_on_is_handed_on_by_the_next_cycle(tmp_path):
    send(tmp_path, 1)
    given = []

    def hand_on(judged):
        given.append(judged)
        if len(given) == 1:
            raise RuntimeError

    one = cycle(tmp_path, hand_on=hand_on)
    with pytest.raises(RuntimeError):
        one.once()
    assert (tmp_path / "findings" / "report.html").exists()
    assert used(tmp_path / "spool") == 0
    one.once()
    assert len(given) == 2


def test_a_stop_breaks_a_judgement_off_and_keeps_what_was_drained(tmp_path, monkeypatch):
    send(tmp_path, 1, 2)
    one = cycle(tmp_path)
    stop = threading.Event()
    progress = one._progress

    def stopping(stage: str, done: int, total: int | None) -> None:
        if stage == "store":
            stop.set()
        progress(stage, done, total)

    monkeypatch.setattr(one, "_progress", stopping)
    one.run(stop)
    assert one.last is None
    assert not list(tmp_path.glob("findings*"))
    assert ids(tmp_path) == ["x1", "x2"]
    assert used(tmp_path / "spool") == 0


def test_a_store_that_takes_traffic_all_the_time_stays_small(tmp_path, monkeypatch):
    from stillwatch.serve import cycle as cycles

    monkeypatch.setattr(cycles, "UPKEEP_AT", 4)
    one = cycle(tmp_path)
    for number in range(13):
        send(tmp_path, number, 0)
        one.drain()
    manifest = newest(tmp_path / "store")
    assert len(manifest.sources) <= 4
    assert len(manifest.tables["exchanges"]) <= 4
    assert manifest.rows == 26
    assert len({source.number for source in manifest.sources}) == len(manifest.sources)
    assert ids(tmp_path) == sorted({f"x{n}" for n in range(13)})


def test_many_quiet_days_are_no_reason_to_write_the_store_anew_each_time(tmp_path, monkeypatch):
    from stillwatch.serve import cycle as cycles

    monkeypatch.setattr(cycles, "UPKEEP_AT", 4)
    one = cycle(tmp_path)
    with client(tmp_path) as http:
        days = (record(n, time=f"2026-02-{n + 1:02}T02:40:00Z") for n in range(9))
        assert http.post("/v1/exchanges", content=ndjson(*days)).status_code == 200
    one.drain()
    before = {part.name for part in newest(tmp_path / "store").tables["exchanges"]}
    send(tmp_path, 100)
    one.drain()
    assert before < {part.name for part in newest(tmp_path / "store").tables["exchanges"]}


def test_damage_in_the_spool_is_told_and_the_rest_is_judged(tmp_path):
    for numbers in ((1,), (2,), (3,)):
        send(tmp_path, *numbers)
    path = sealed(tmp_path / "spool")[1].path
    held = bytearray(path.read_bytes())
    held[100] ^= 1
    path.write_bytes(held)
    judged = cycle(tmp_path).once()
    assert judged.findings.traffic.rejected == 1
    assert ids(tmp_path) == ["x1", "x3"]


def test_a_spool_of_another_key_is_refused(tmp_path):
    send(tmp_path, 1)
    (tmp_path / "spool" / "spool.key").write_bytes(b"z" * 32)
    with pytest.raises(InputError, match="another key of the spool"):
        cycle(tmp_path).drain()


def test_what_waited_too_long_is_drained_and_expires_only_where_that_cannot_be(tmp_path, caplog):
    send(tmp_path, 1)
    time.sleep(0.05)
    one = cycle(tmp_path, expire_seconds=0.01)
    assert one.drain() == 1
    assert caplog.messages == []
    assert ids(tmp_path) == ["x1"]
    send(tmp_path, 2)
    (tmp_path / "spool" / "spool.key").write_bytes(b"z" * 32)
    time.sleep(0.05)
    with pytest.raises(InputError):
        cycle(tmp_path, expire_seconds=0.01).drain()
    assert used(tmp_path / "spool") == 0
    assert caplog.messages == ["traffic was never drained and has expired"]


class Joining:
    """A service whose exchanges wait for what access logs tell, and its cycle at chosen times."""

    def __init__(self, folder: Path, monkeypatch):
        from stillwatch.serve.spool import waiting

        self.folder = folder
        self.later = 0.0
        real = time.time
        monkeypatch.setattr(waiting.time, "time", lambda: real() + self.later)
        self.one = cycle(folder, join_seconds=60.0)

    def send(self, path: str, *records: dict) -> dict:
        with client(self.folder, join_seconds=60.0) as http:
            answer = http.post(path, content=ndjson(*records))
            assert answer.status_code == 200, answer.text
            return answer.json()

    def drained(self) -> list[tuple]:
        self.one.drain()
        return [(row["exchange_id"], row["account_id"], row["ip"]) for row in stored(self.folder)]


@pytest.fixture
def joining(tmp_path, monkeypatch):
    return Joining(tmp_path, monkeypatch)


def test_an_exchange_waits_for_its_address_and_goes_on_with_it(joining):
    joining.send("/v1/exchanges", record(1, ip=None))
    assert joining.drained() == []
    joining.send("/v1/access", {"request_id": "x1", "ip": "198.51.100.9", "account_id": "other"})
    assert joining.drained() == [("x1", "a1", "198.51.100.9")]


def test_what_an_access_log_tells_first_waits_for_the_exchange(joining):
    joining.send("/v1/access", {"request_id": "x1", "ip": "198.51.100.9"}, {"request_id": "x2", "ip": "198.51.100.8"})
    assert joining.drained() == []
    joining.later = 50
    joining.send("/v1/exchanges", record(1, ip=None, account_id=None))
    joining.send("/v1/access", {"request_id": "x1", "account_id": "told"})
    assert joining.drained() == [("x1", "told", "198.51.100.9")]
    joining.later = 50 + 121
    joining.one.drain()
    assert used(joining.folder / "spool") == 0


def test_when_the_window_is_over_an_exchange_goes_on_without(joining):
    joining.send("/v1/exchanges", record(1, ip=None), record(2, account_id=None))
    joining.later = 59
    assert joining.drained() == []
    joining.later = 61
    assert joining.drained() == [("x1", "a1", None)]
    assert used(joining.folder / "spool") == 0
    assert newest(joining.folder / "store").sources[0].rejected == {"no account_id": 1}


def test_a_complete_exchange_waits_for_nobody(joining):
    joining.send("/v1/exchanges", record(1))
    assert joining.drained() == [("x1", "a1", "192.0.2.7")]


def test_a_span_and_the_log_of_another_service_meet_on_the_trace(joining):
    import json

    sys.path.append(str(Path(__file__).parents[2] / "sources"))
    from source_examples import log, logs, span, spans

    one = span(5, gen_ai__operation__name="chat", gen_ai__system="openai", gen_ai__response__id="resp-5", user__id="u1")
    two = logs(log("gen_ai.user.message", {"content": "and why?"}, 5))
    with client(joining.folder, join_seconds=60.0) as http:
        for path, body in (("/v1/traces", spans(one)), ("/v1/logs", two)):
            answer = http.post(path, content=json.dumps(body), headers={"content-type": "application/json"})
            assert (answer.status_code, answer.json()) == (200, {})
    joining.send("/v1/access", {"id": f"{5:032x}:{5:016x}", "ip": "198.51.100.9", "user_agent": "curl"})
    assert joining.drained() == [("resp-5", "u1", "198.51.100.9")]
    row = stored(joining.folder)[0]
    assert (row["prompt_bytes"], row["user_agent"]) == (8, "curl")


def test_a_litellm_request_is_met_by_either_of_its_ids(joining):
    import json

    sys.path.append(str(Path(__file__).parents[2] / "sources"))
    from source_examples import LITELLM

    metadata = {"user_api_key_user_id": "u1"}
    plain = {**LITELLM, "metadata": metadata, "requester_ip_address": None}
    sent = [{**plain, "id": "c1", "trace_id": "t1"}, {**plain, "id": "c2", "trace_id": "t2"}]
    with client(joining.folder, join_seconds=60.0) as http:
        assert http.post("/v1/litellm", content=json.dumps(sent)).json()["taken"] == 2
    joining.send("/v1/access", {"request_id": "t1", "ip": "198.51.100.1"}, {"request_id": "c2", "ip": "198.51.100.2"})
    assert joining.drained() == [("c1/t1", "u1", "198.51.100.1"), ("c2/t2", "u1", "198.51.100.2")]


def test_access_logs_are_refused_where_nothing_waits_for_them(tmp_path):
    with client(tmp_path) as http:
        answer = http.post("/v1/access", content=ndjson({"request_id": "x1", "ip": "198.51.100.9"}))
        assert (answer.status_code, "join_seconds" in answer.text) == (409, True)


def test_lists_and_every_other_column_are_joined(tmp_path):
    from stillwatch.serve.ingest import records
    from stillwatch.serve.ingest.told import Told
    from stillwatch.serve.spool.waiting import look
    from stillwatch.sources.lines import Record
    from stillwatch.sources.mapping import Chosen

    key = Key.of_spool(tmp_path, None)
    into = Spool(tmp_path, key)
    told = {"request_id": "x1", "tools": ["a", "b"], "temperature": 0.5, "stream": True, "messages": 3, "prompt": "p",
            "time": "2026-02-02T00:00:00Z", "account_id": "a"}  # fmt: skip
    about = records.about(ndjson({"request_id": "x1"}, {"request_id": "y"}, told), Told())
    bare = records.taken("canonical", [Record("1", {"exchange_id": "x1"})], Chosen(), Told(), True)
    for payload in (about, bare):
        into.append(payload.encoded()).result(10)
    into.close()
    found = look(sealed(tmp_path), key, 60.0)
    filled = found.about.fill(Payload.decoded(bare.encoded()).spooled()).to_pylist()[0]
    assert {n: v for n, v in filled.items() if v is not None and n not in ("request_ids", "exchange_id", "time")} == {
        n: v for n, v in told.items() if n not in ("request_id", "time")
    }
    assert filled["time"].isoformat() == "2026-02-02T00:00:00+00:00"
    assert service_settings(tmp_path / "s").join_seconds == 0
