"""A store: days read as they come give the findings of one scan over all of them."""

from __future__ import annotations

import json
import random
import shutil
import stat
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from scan_worlds import INSTRUCTION, START, accounts, rows, write

from stillwatch.errors import InputError
from stillwatch.findings import Findings
from stillwatch.scan import Progress, Request, scan, stages
from stillwatch.scan.request import silent
from stillwatch.settings import Settings
from stillwatch.store import ingest, upkeep
from stillwatch.store.kept import opened
from stillwatch.tables import EXCHANGES

# A fortnight in thirty files of some eleven hours each.
FILES = 30
HOURS = 14 * 24 / FILES
# What differs between one scan and many: names, remarks, and where the ends of a text are put, since not every exchange
# that carries it is at hand on one day (and of texts that stand in others only the longest are listed).
NAMES = {"id", "subject", "pool_id", "workload_id", "notes", "settings"}
TEXTS = {"passages", "title", "summary"}


def judged(findings: Findings, names: set[str] = NAMES | TEXTS) -> object:
    """Findings without what may differ."""
    return _without(findings.model_dump(mode="json"), names)


def _without(value, names):
    if isinstance(value, dict):
        return {k: _without(v, names) for k, v in value.items() if k not in names}
    return [_without(v, names) for v in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def days(tmp_path_factory) -> Path:
    """A fortnight's traffic in files as they come, with accounts and a key beside them."""
    folder = tmp_path_factory.mktemp("days")
    traffic = rows()
    for n in range(FILES):
        some = [row for row in traffic if int((row["time"] - START).total_seconds() / 3600 / HOURS) == n]
        pq.write_table(pa.Table.from_pylist(some, schema=EXCHANGES.schema), folder / f"days-{n:02}.parquet")
    write(folder / "beside", [], accounts(), 0)
    (folder / "beside" / "key").write_bytes(random.Random(9).randbytes(32))
    return folder


def scanned(
    days: Path,
    targets: list[Path],
    out: Path,
    store: Path | None = None,
    newest: int | None = None,
    *,
    beside: bool = False,
    progress: Progress = silent,
    **settings: object,
) -> Findings:
    known = days / "beside" / "accounts.parquet"
    request = Request(tuple(map(str, targets)), out, accounts=known, store=store, newest=newest, beside=beside)
    return scan(request, Settings(threads=2, **{"sketch_key_file": days / "beside" / "key", **settings}), progress)


@pytest.fixture(scope="module")
def once(days, tmp_path_factory) -> Findings:
    return scanned(days, sorted(days.glob("*.parquet")), tmp_path_factory.mktemp("once") / "out")


def runs(days: Path, order: str) -> list[list[Path]]:
    """What each run is given: one file after the other, or several at once from anywhere."""
    files = sorted(days.glob("*.parquet"))
    if order == "in order":
        return [[file] for file in files]
    random.Random(4).shuffle(files)
    return [files[n::7] for n in range(7)]


@pytest.fixture(scope="module", params=["in order", "shuffled"])
def daily(request, days, tmp_path_factory) -> tuple[Findings, Path]:
    """The findings after the last run, and the folder of store and results."""
    folder = tmp_path_factory.mktemp("daily")
    for files in runs(days, request.param):
        findings = scanned(days, files, folder / "out", folder / "s")
    return findings, folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_days_one_by_one_are_all_days_at_once(once, daily):
    findings, _ = daily
    assert judged(findings) == judged(once)


def test_texts_are_those_of_one_scan_but_for_their_ends(once, daily):
    findings, _ = daily
    for ours, theirs in zip(findings.campaigns, once.campaigns, strict=True):
        for our, their in zip(ours.workloads, theirs.workloads, strict=True):
            texts = [" ".join(p.text for p in w.passages) for w in (our, their)]
            middle = INSTRUCTION[len(INSTRUCTION) // 3 : -len(INSTRUCTION) // 3].lower()
            assert [middle in text for text in texts] == [True, True]


def test_a_day_that_is_known_changes_nothing(days, daily, tmp_path, monkeypatch):
    findings, folder = daily
    shutil.copytree(folder / "s", tmp_path / "s")
    before = files(tmp_path / "s")
    copied = shutil.copy(days / "days-03.parquet", tmp_path / "another-name.parquet")
    monkeypatch.setattr(ingest, "enrich", lambda *_: pytest.fail("it was read again"))
    again = scanned(days, [Path(copied)], tmp_path / "out", tmp_path / "s")
    assert again == findings
    assert files(tmp_path / "s") == before


def test_a_compacted_store_gives_the_same(days, daily, tmp_path):
    findings, folder = daily
    shutil.copytree(folder / "s", tmp_path / "s")
    upkeep.compact(tmp_path / "s", lambda *_: None)
    assert scanned(days, [days / "days-00.parquet"], tmp_path / "out", tmp_path / "s") == findings


def test_only_what_k_parties_share_is_kept_as_text(days, daily):
    _, folder = daily
    traffic = pa.concat_tables([pq.read_table(p) for p in days.glob("*.parquet")]).to_pylist()
    everything = b"".join(files(folder / "s").values())
    kept = pa.concat_tables([pq.read_table(p) for p in (folder / "s" / "passages").iterdir()]).to_pylist()
    assert kept
    for row in kept:
        carriers = {r["account_id"] for r in traffic if row["text"] in _folded(r["prompt"])}
        assert len(carriers) >= 5, row
    assert not any(_folded(r["prompt"]).encode() in everything for r in traffic)


def test_what_is_asked_for_is_kept_where_the_text_is_not(days, tmp_path):
    def asked(findings: Findings) -> set[str]:
        return {name for c in findings.campaigns for w in c.workloads for name in w.intents}

    at_once = asked(scanned(days, sorted(days.glob("*.parquet")), tmp_path / "once", k=100))
    assert {"reasoning", "grading"} <= at_once
    found = [
        scanned(days, run, tmp_path / f"o{n}", tmp_path / "s", k=100) for n, run in enumerate(runs(days, "shuffled"))
    ]
    assert asked(found[-1]) == at_once
    later = [row | {"exchange_id": f"later-{row['exchange_id']}"} for row in rows(2, hand=False)]
    write(tmp_path / "later", later, None)
    again = scanned(days, [tmp_path / "later"], tmp_path / "again", tmp_path / "s", k=100)
    assert asked(again) == at_once  # though the traffic that told it is not at hand
    assert not list((tmp_path / "s" / "passages").iterdir())


def _folded(text: str) -> str:
    """As the sketch folds the words of this world: lower case, digits as 0."""
    return "".join("0" if c.isdigit() else c for c in " ".join(text.lower().split()))


def test_the_key_is_the_stores_own_and_in_no_result(days, tmp_path):
    findings = scanned(days, [days / "days-00.parquet"], tmp_path / "out", tmp_path / "s", sketch_key_file=None)
    key = tmp_path / "s" / "sketch.key"
    assert findings.sketch_key == "secret"
    assert any("the store's own key" in note for note in findings.notes)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    for name, content in (files(tmp_path / "out") | files(tmp_path / "s")).items():
        assert name == "sketch.key" or not {key.read_bytes(), key.read_bytes().hex().encode()} & {content}
        assert name == "sketch.key" or key.read_bytes() not in content


def test_a_killed_run_keeps_its_finished_sources(days, once, tmp_path, monkeypatch):
    real, read = ingest.enrich, []

    def killed(batch, first_no, gear):
        read.append(batch.num_rows)
        if len(read) == 5:
            raise KeyboardInterrupt
        return real(batch, first_no, gear)

    monkeypatch.setattr(ingest, "PUBLISH_EVERY", 0.0)
    monkeypatch.setattr(ingest, "enrich", killed)
    targets = sorted(days.glob("*.parquet"))
    with pytest.raises(KeyboardInterrupt):
        scanned(days, targets, tmp_path / "out", tmp_path / "s")
    sources = upkeep.verify(tmp_path / "s", lambda *_: None).sources
    assert sources >= 2
    assert not (tmp_path / "out").exists()
    read.clear()
    monkeypatch.setattr(ingest, "enrich", lambda *given: read.append(given[0].num_rows) or real(*given))
    findings = scanned(days, targets, tmp_path / "out", tmp_path / "s")
    assert sum(read) == sum(pq.read_metadata(p).num_rows for p in targets[sources:])
    assert judged(findings) == judged(once)


def test_a_run_killed_after_reading_goes_on_from_there(days, once, tmp_path, monkeypatch):
    targets = sorted(days.glob("*.parquet"))
    with monkeypatch.context() as patch:
        patch.setattr(stages, "find_jobs", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            scanned(days, targets, tmp_path / "out", tmp_path / "s")
    monkeypatch.setattr(ingest, "enrich", lambda *_: pytest.fail("it was read again"))
    findings = scanned(days, targets, tmp_path / "out", tmp_path / "s")
    assert judged(findings, NAMES) == judged(once, NAMES)


def test_a_repeated_id_goes_by_its_content_in_whatever_order_files_come(tmp_path):
    early = {"exchange_id": "same", "time": START, "account_id": "b", "model": "m", "ip": "10.0.0.1"}
    for order in ("ab", "ba", "abc", "cab"):
        folder = tmp_path / order
        # c is as early as a and differs in its address alone
        made = {"a": early, "b": early | {"time": START.replace(hour=3), "account_id": "a"},
                "c": early | {"ip": "10.0.0.0"}}  # fmt: skip
        for name in order:
            table = pa.Table.from_pylist([made[name], made[name] | {"exchange_id": name}], schema=EXCHANGES.schema)
            pq.write_table(table, tmp_path / f"{order}-{name}.parquet")
            request = Request((str(tmp_path / f"{order}-{name}.parquet"),), folder / "out", store=folder / "s")
            findings = scan(request, Settings(threads=1))
        assert findings.traffic.duplicates == len(order) - 1
        assert findings.traffic.exchanges == len(order) + 1
        upkeep.export(folder / "s", folder / "days", memory_limit="1GB", threads=1, progress=lambda *_: None)
        [kept] = [r for p in (folder / "days").iterdir() for r in pq.read_table(p).to_pylist()
                  if r["exchange_id"] == "same"]  # fmt: skip
        assert (kept["account_id"], kept["ip"]) == ("b", "10.0.0.0" if "c" in order else "10.0.0.1")


def line(**values: object) -> str:
    return json.dumps({"exchange_id": "e", "time": START.isoformat(), "account_id": "a", **values}) + "\n"


def test_what_was_set_aside_is_counted_from_run_to_run(tmp_path):
    (tmp_path / "one.jsonl").write_text(line() + "oops\n")
    (tmp_path / "two.jsonl").write_text(line(exchange_id="f") + "oops\n" + line(exchange_id="g", time="never"))
    for n, name in enumerate(("one", "two", "one")):
        request = Request((str(tmp_path / f"{name}.jsonl"),), tmp_path / "out", store=tmp_path / "s")
        traffic = scan(request, Settings(threads=1)).traffic
        assert traffic.rejected == (1, 3, 3)[n]
        assert traffic.formats == {"canonical": min(n + 1, 2)}
    assert sum(traffic.rejected_by_reason.values()) == 3
    assert "prompt" in traffic.absent_columns
    assert "time" not in traffic.absent_columns


def test_a_bad_file_beside_a_known_one_is_no_failure(tmp_path):
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text(line())
    bad.write_text(line(time="never"))
    settings = Settings(threads=1)
    scan(Request((str(good),), tmp_path / "out", store=tmp_path / "s"), settings)
    both = scan(Request((str(good), str(bad)), tmp_path / "out", store=tmp_path / "s"), settings)
    assert (both.traffic.exchanges, both.traffic.rejected) == (1, 1)
    with pytest.raises(InputError, match="no usable record"):
        bad.write_text(line(time="ever"))
        scan(Request((str(bad),), tmp_path / "out", store=tmp_path / "s"), settings)


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path, monkeypatch):
    log = tmp_path / "log.jsonl"
    log.write_text(line())
    stamps = iter([(1, 1), (2, 2)])
    monkeypatch.setattr(ingest, "_stamp", lambda _: next(stamps))
    with pytest.raises(InputError, match="was written to while it was read"):
        scan(Request((str(log),), tmp_path / "out", store=tmp_path / "s"), Settings(threads=1))
    assert upkeep.verify(tmp_path / "s", lambda *_: None).exchanges == 0


def test_campaigns_keep_their_ids(days, tmp_path):
    files = sorted(days.glob("*.parquet"))
    first = scanned(days, files[:-1], tmp_path / "out", tmp_path / "s")
    assert [c.id for c in first.campaigns] == ["C-1"]
    with opened(tmp_path / "s", days / "beside" / "key") as (store, _):
        ledger = store.table("campaigns")
        column = ledger.schema.get_field_index("number")
        store.replace({"campaigns": ledger.set_column(column, "number", pa.array([7]))})
    last = scanned(days, files[-1:], tmp_path / "out", tmp_path / "s")
    assert [c.id for c in last.campaigns] == ["C-7"]
    assert all(e.subject == "C-7" for f in last.campaigns[0].factors for e in f.evidence)
    members = pq.read_table(tmp_path / "out" / "memberships.parquet")
    assert set(members["campaign_id"].to_pylist()) == {"C-7"}
    assert set(pq.read_table(tmp_path / "out" / "exchanges")["campaign_id"].to_pylist()) == {"C-7"}


def test_pools_and_workloads_keep_their_ids(days, tmp_path):
    files = sorted(days.glob("*.parquet"))
    first = scanned(days, files[:-1], tmp_path / "out", tmp_path / "s")
    with opened(tmp_path / "s", days / "beside" / "key") as (store, _):
        moved = {}
        for name in ("pools", "workloads"):
            rows = store.table(name)
            moved[name] = rows.set_column(0, "number", pc.add(rows["number"], 100))
        # A workload is known by its pool too.
        known = [[f"P-{int(k[2:]) + 100}" if k.startswith("P-") else k for k in row["known_by"]]
                 for row in moved["workloads"].to_pylist()]  # fmt: skip
        moved["workloads"] = moved["workloads"].set_column(1, "known_by", pa.array(known))
        store.replace(moved)
    last = scanned(days, files[-1:], tmp_path / "out", tmp_path / "s")

    def ids(findings):
        pools = [p.id for c in findings.campaigns for p in c.pools] + [c.pool_id for c in findings.cleared]
        return pools, [w.id for c in findings.campaigns for w in c.workloads]

    for before, after in zip(ids(first), ids(last), strict=True):
        assert before
        assert [f"{i[:2]}{int(i[2:]) + 100}" for i in before] == after
    assert set(pq.read_table(tmp_path / "out" / "pools.parquet")["pool_id"].to_pylist()) == set(ids(last)[0])


@pytest.mark.parametrize("order", ["in order", "shuffled"])
def test_what_is_too_long_ago_expires_in_a_store_as_in_a_scan(days, tmp_path, order):
    keep = 6
    files = sorted(days.glob("*.parquet"))
    once = scanned(days, files, tmp_path / "once", keep_days=keep)
    given = runs(days, order)
    for some in given if order == "shuffled" else [files[:20], files[20:28], files[28:]]:
        findings = scanned(days, some, tmp_path / "out", tmp_path / "s", keep_days=keep)
    assert judged(findings) == judged(once)
    assert len(findings.traffic.volume) == keep
    assert findings.traffic.exchanges < len(rows())
    kept = pq.read_table(tmp_path / "s" / "exchanges")["day"].to_pylist()
    assert max(kept) - min(kept) == keep - 1
    verified = upkeep.verify(tmp_path / "s", lambda *_: None)
    assert (verified.faults, verified.sources) == ([], FILES)


def test_only_what_came_last_is_judged_where_that_is_asked(days, tmp_path):
    files = sorted(days.glob("*.parquet"))
    last = files[18:]
    alone = scanned(days, last, tmp_path / "alone")
    scanned(days, files[:18], tmp_path / "out", tmp_path / "s")
    whole = scanned(days, last, tmp_path / "out", tmp_path / "s")
    with opened(tmp_path / "s", days / "beside" / "key") as (store, _):
        before = {name: store.table(name) for name in ("campaigns", "pools", "workloads")}
    newest = scanned(days, last[-1:], tmp_path / "newest", tmp_path / "s", newest=alone.traffic.exchanges)
    assert 0 < newest.traffic.exchanges < whole.traffic.exchanges
    assert judged(newest, NAMES | TEXTS | {"formats", "traffic"}) == judged(
        alone, NAMES | TEXTS | {"formats", "traffic"}
    )
    assert [c.id for c in newest.campaigns] == [c.id for c in whole.campaigns]
    assert any("that came last were judged" in note for note in newest.notes)
    sent = {
        name: Counter(pq.read_table(some)["account_id"].to_pylist()) for name, some in (("all", files), ("last", last))
    }
    in_part = [
        {"account_id": a, "judged": sent["last"][a], "exchanges": n}
        for a, n in sorted(sent["all"].items())
        if 0 < sent["last"][a] < n
    ]
    assert in_part
    assert pq.read_table(tmp_path / "newest" / "judged_in_part.parquet").to_pylist() == in_part
    assert not (tmp_path / "out" / "judged_in_part.parquet").exists()
    scanned(days, last[-1:], tmp_path / "nearly", tmp_path / "s", newest=whole.traffic.exchanges - 1)
    assert pq.read_table(tmp_path / "nearly" / "judged_in_part.parquet").num_rows == 1
    with opened(tmp_path / "s", days / "beside" / "key") as (store, _):
        for name, rows in before.items():
            assert store.table(name).slice(0, rows.num_rows).equals(rows)


def test_a_store_is_judged_as_it_was_beside_another_writer(days, tmp_path):
    files, store = sorted(days.glob("*.parquet")), tmp_path / "s"
    before = scanned(days, files[:20], tmp_path / "before", store)
    meanwhile = []

    def progress(stage, done, total):
        if stage == "workloads" and not meanwhile:
            meanwhile.append(None)
            meanwhile.append(scanned(days, files[20:], tmp_path / "meanwhile", store))

    # What is not in the store yet is for its writer to take.
    held = scanned(days, files[19:21], tmp_path / "held", store, beside=True, progress=progress)
    assert judged(held) == judged(before)
    assert before.campaigns
    assert [c.id for c in held.campaigns] == [c.id for c in before.campaigns]
    assert meanwhile[1].traffic.exchanges > held.traffic.exchanges
    again = scanned(days, files[20:], tmp_path / "again", store)
    assert judged(again, {"notes", "settings"}) == judged(meanwhile[1], {"notes", "settings"})


@pytest.mark.parametrize("given", [{}, {"engine": "spark", "store": Path("s")}])
def test_what_came_last_is_known_of_a_store_alone(days, tmp_path, given):
    with pytest.raises(InputError, match="--newest: of a store alone is known what came last"):
        scan(Request((str(days),), tmp_path / "out", newest=5, **given), Settings())


@pytest.mark.parametrize("given", ["join", "mapping"])
def test_what_decides_the_reading_and_is_missing_is_told_as_without_a_store(tmp_path, given):
    (tmp_path / "log.jsonl").write_text(line())
    gone = {"join": (tmp_path / "gone",)} if given == "join" else {"mapping": tmp_path / "gone"}
    request = Request((str(tmp_path / "log.jsonl"),), tmp_path / "out", store=tmp_path / "s", **gone)
    with pytest.raises(InputError, match="gone: "):
        scan(request, Settings(threads=1))
