"""Spark's tasks read what one machine reads, under numbers in the same order, however the work is split."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch import sources
from stillwatch.distributed import Files, Paths, Reading, files, remote_inputs
from stillwatch.engine.spark import Spark
from stillwatch.enrich import Gear, enrich
from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.sources import Chosen, Inputs, Rejects

# Few rows a batch, so that pieces, files and batches end at different rows.
READING = Reading(Chosen(), Gear.from_key(), 7)


def record(number: int, **columns: object) -> dict[str, object]:
    return {
        "exchange_id": f"x{number}",
        "time": f"2026-02-03T04:{number % 60:02}:00Z",
        "account_id": f"käufer-{number % 5}",
        "prompt": f"Bitte übersetze Nr. {number}: 日本語 😀 "
        + "the same long instruction, word for word, " * (number % 3),
        "history_hashes": ["a", "b", "c"][: number % 4] or None,
        **columns,
    }


@pytest.fixture(scope="module")
def logs(tmp_path_factory) -> Path:
    """Files of several kinds, some of their records and one of the files past use."""
    folder = tmp_path_factory.mktemp("logs") / "with a space and é"
    folder.mkdir()
    rows = [record(n) for n in range(50)]
    for n in (3, 17, 18, 40):
        rows[n]["account_id"] = None
    rows[20]["time"] = None
    times = [None if row.pop("time") is None else 1_770_000_000_000_000 + n for n, row in enumerate(rows)]
    table = pa.Table.from_pylist(rows).append_column("time", pa.array(times, pa.timestamp("us", tz="UTC")))
    pq.write_table(table, folder / "a.parquet", row_group_size=16)
    (folder / "model=large").mkdir()
    pq.write_table(
        pa.table(
            {
                "exchange_id": [f"y{n}" for n in range(20)],
                "time": pa.array(range(1_770_000_000_000_000, 1_770_000_000_000_020), pa.timestamp("us", tz="UTC")),
                "account_id": ["z"] * 20,
                "temperature": [0.1 * n for n in range(20)],
                "time_zone": ["unknown"] * 20,
            }
        ),
        folder / "model=large" / "b.parquet",
    )
    lines = [json.dumps(record(n, exchange_id=f"z{n}", max_tokens="many" if n == 4 else n)) for n in range(30)]
    lines[5] = lines[5][:40]
    (folder / "c.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    (folder / "d.jsonl").write_text("\n".join(lines[:9]).replace('"z', '"w') + "\n")
    (folder / "e.jsonl").write_bytes(gzip.compress("\n".join(lines).encode() * 200)[:-40])
    (folder / "f.jsonl").write_text("neither this nor that\n")
    (folder / "truth_accounts.parquet").write_bytes(b"never read")
    return folder


def rows_of(table: pa.Table) -> list[dict[str, object]]:
    """The exchanges in the order of their numbers."""
    rows = sorted(table.to_pylist(), key=lambda row: row["exchange_no"])
    assert len({row.pop("exchange_no") for row in rows}) == len(rows)
    return rows


@pytest.fixture(scope="module")
def expected(logs, tmp_path_factory) -> tuple[list[dict[str, object]], Rejects, str]:
    """What one machine reads, what it sets aside, and the file that says so."""
    path = tmp_path_factory.mktemp("expected") / "rejected.jsonl"
    with Rejects(path) as rejects:
        inputs = sources.discover([str(logs)], rejects=rejects)
        made = [enrich(batch, 0, READING.gear) for batch in sources.read(inputs, rejects=rejects, batch_rows=7)]
    table = pa.Table.from_batches(made)
    numbered = table.set_column(0, "exchange_no", pa.array(range(table.num_rows), pa.int64()))
    return rows_of(numbered), rejects, path.read_text()


def told(rejects: Rejects) -> tuple[int, int, dict[str, int], list[str]]:
    return rejects.count, rejects.files, rejects.by_reason, [unquote(line) for line in rejects.warnings]


@pytest.fixture
def engine(spark_session, tmp_path):
    with Spark(spark_session, tmp_path) as engine:
        yield engine


def read_by_pieces(engine: Spark, logs: Path, path: Path) -> tuple[Files, Rejects]:
    with Rejects(path) as rejects:
        traffic = Files.of(sources.discover([str(logs)], rejects=rejects), READING)
        traffic.read(engine, rejects)
    return traffic, rejects


@pytest.fixture(params=[1, 1 << 30], ids=["a task a row group", "one task for all"])
def split(request, monkeypatch):
    monkeypatch.setattr(files, "TASK_BYTES", request.param)


@pytest.mark.usefixtures("split")
def test_pieces_of_files(engine, logs, expected, tmp_path):
    _, rejects = read_by_pieces(engine, logs, tmp_path / "rejected.jsonl")
    rows, said, lines = expected
    assert rows_of(engine.query("SELECT * FROM enriched")) == rows
    assert told(rejects) == told(said)
    assert (tmp_path / "rejected.jsonl").read_text() == lines


def test_a_task_that_fails_halfway_is_done_again(engine, logs, expected, tmp_path, monkeypatch):
    enriched = files._enriched

    def failing(piece, reading):
        from pyspark import TaskContext

        batches = enriched(piece, reading)
        yield next(batches)
        if piece.first_no == 0 and TaskContext.get().attemptNumber() == 0:
            raise RuntimeError("lost")
        yield from batches

    monkeypatch.setattr(files, "TASK_BYTES", 1)
    monkeypatch.setattr(files, "_enriched", failing)
    _, rejects = read_by_pieces(engine, logs, tmp_path / "rejected.jsonl")
    assert rows_of(engine.query("SELECT * FROM enriched")) == expected[0]
    assert told(rejects) == told(expected[1])


def test_paths_that_only_spark_reads(engine, spark_session, logs, expected, tmp_path):
    rejects = Rejects(None)
    inputs, found = remote_inputs(
        spark_session, [f"file://{logs}"], accounts=None, models=None, rejects=rejects, to=tmp_path / "beside"
    )
    assert inputs.accounts is None
    Paths(found, READING).read(engine, rejects)
    rows, said, _ = expected
    assert rows_of(engine.query("SELECT * FROM enriched")) == rows
    assert rejects.by_reason == said.by_reason


def test_texts_come_by_their_numbers(engine, spark_session, logs, tmp_path):
    traffic, rejects = read_by_pieces(engine, logs, tmp_path / "rejected.jsonl")
    ids = engine.query("SELECT exchange_no, exchange_id FROM enriched WHERE exchange_id IN ('x0', 'x41', 'z29', 'w8')")
    texts = traffic.texts(engine, ids["exchange_no"].to_numpy())
    name = dict(zip(ids["exchange_no"].to_pylist(), ids["exchange_id"].to_pylist(), strict=True))
    assert texts["exchange_no"].to_pylist() == sorted(name)
    prompts = {name[r["exchange_no"]]: r["prompt"] for r in texts.to_pylist()}
    assert prompts == {i: record(int(i[1:]))["prompt"] for i in ("x0", "x41", "z29", "w8")}
    _, found = remote_inputs(
        spark_session, [f"file://{logs}"], accounts=None, models=None, rejects=rejects, to=tmp_path / "beside"
    )
    remote = Paths(found, READING)
    remote.read(engine, rejects)
    ids = engine.query("SELECT exchange_no, exchange_id FROM enriched WHERE exchange_id IN ('x0', 'x41', 'z29', 'w8')")
    assert remote.texts(engine, ids["exchange_no"].to_numpy())["prompt"].to_pylist() == texts["prompt"].to_pylist()


def test_nothing_usable_is_said_as_on_one_machine(engine, tmp_path):
    (tmp_path / "log.jsonl").write_text('{"exchange_id": "x", "time": null, "account_id": "a"}\n')
    inputs = Inputs(sources.discover([str(tmp_path / "log.jsonl")], rejects=Rejects(None)).traffic)
    with pytest.raises(InputError) as alone:
        list(sources.read(inputs, rejects=Rejects(None)))
    with pytest.raises(InputError) as spread:
        Files.of(inputs, READING).read(engine, Rejects(None))
    assert str(spread.value) == str(alone.value)


def test_what_beside_the_traffic_lies_in_a_remote_folder_is_brought_here(spark_session, tmp_path):
    for name in ("accounts.parquet", "models.parquet", "x.parquet"):
        pq.write_table(pa.table({"exchange_id": ["x"], "account_id": ["a"], "model": ["m"]}), tmp_path / name)
    inputs, found = remote_inputs(
        spark_session, [f"file://{tmp_path}"], accounts=None, models=None, rejects=Rejects(None), to=tmp_path / "here"
    )
    assert [Path(f).name for f in found] == ["x.parquet"]
    assert inputs.accounts == tmp_path / "here" / "accounts.parquet"
    assert pq.read_table(inputs.models)["model"].to_pylist() == ["m"]
    with pytest.raises(InputError, match="no such file or folder"):
        remote_inputs(
            spark_session, ["file:///nowhere/at/all"], accounts=None, models=None, rejects=Rejects(None), to=tmp_path
        )


def test_a_failure_of_spark_is_told_in_a_line(engine, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(EnvironmentFailure) as failure:
        engine.register_parquet("nothing", tmp_path / "empty")
    assert "\n" not in str(failure.value)
