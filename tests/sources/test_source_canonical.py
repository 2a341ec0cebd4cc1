"""Our own columns, as Parquet and JSON lines."""

from __future__ import annotations

import datetime as dt
import json

import pyarrow as pa
import pytest
from source_examples import CANONICAL

from stillwatch.sources import MAPPINGS, Rejects, canonical, discover, read
from stillwatch.tables import EXCHANGES

EXPECTED_TIME = dt.datetime(2026, 2, 2, 2, 40, 0, 123456, dt.UTC)
BARE = {"exchange_id": ["e1", "e2"], "time": ["2026-02-02T02:40:00Z"] * 2, "account_id": ["a", "b"]}


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz", "t.jsonl.zst", "t", "t.parquet.txt"])
def test_json_lines_packed_in_any_way_under_any_name(scan, write, name):
    row = scan(write(name, [CANONICAL])).row
    assert row == {**dict.fromkeys(EXCHANGES.names), **CANONICAL, "time": EXPECTED_TIME}


def test_several_frames_and_members_are_one_file(scan, write, tmp_path):
    from source_reading import pack

    for ending in (".gz", ".zst"):
        parts = [json.dumps({**CANONICAL, "exchange_id": f"e{i}"}).encode() + b"\n" for i in range(3)]
        path = tmp_path / f"t.jsonl{ending}"
        path.write_bytes(b"".join(pack(p, ending) for p in parts))
        assert [r["exchange_id"] for r in scan(path).rows] == ["e0", "e1", "e2"]


def test_parquet_is_the_same_as_json_lines(scan, write, table):
    columns = {k: [v] for k, v in CANONICAL.items()}
    assert scan(table("t.parquet", columns)).row == scan(write("t.jsonl", [CANONICAL])).row


def test_lines_end_at_line_feeds_only(scan, write):
    prompt = "one\u2028two\u0085three\x0bfour\rfive"
    record = json.dumps({**CANONICAL, "prompt": prompt}, ensure_ascii=False).encode()
    result = scan(write("t.jsonl", [b"\xef\xbb\xbf" + record + b"\r", b"", b"  "]))
    assert result.row["prompt"] == prompt
    assert not result.rejected


@pytest.mark.parametrize(
    "array",
    [
        pa.array(["x", None]),
        pa.array(["x", None], pa.large_string()),
        pa.array(["x", None], pa.string_view()),
        pa.array(["x", None]).dictionary_encode(),
        pa.array(["x", None], pa.large_string()).dictionary_encode(),
        pa.array([b"x", None], pa.binary()),
    ],
    ids=str,
)
def test_text_of_any_arrow_type(scan, table, array):
    for name in ("prompt", "key_id", "status"):
        rows = scan(table("t.parquet", {**BARE, name: array})).rows
        assert [r[name] for r in rows] == (["error", None] if name == "status" else ["x", None])


@pytest.mark.parametrize(
    "array",
    [
        pa.array([["x", "y"], None], pa.list_(pa.string())),
        pa.array([["x", "y"], None], pa.large_list(pa.large_string())),
        pa.array([["x", "y"], None], pa.list_(pa.dictionary(pa.int32(), pa.string()))),
        pa.array([["x", "y"], None], pa.list_(pa.binary())),
    ],
    ids=str,
)
def test_lists_of_any_arrow_type(scan, table, array):
    rows = scan(table("t.parquet", {**BARE, "tools": array})).rows
    assert [r["tools"] for r in rows] == [["x", "y"], None]


def test_slices_of_batches_keep_their_rows(scan, table):
    count = 1_000
    columns = {
        "exchange_id": [f"e{i}" for i in range(count)],
        "time": pa.array([1_770_000_000_000 + i for i in range(count)]),
        "account_id": ["a"] * count,
        "prompt": [f"p{i}" if i % 3 else None for i in range(count)],
    }
    rows = scan(table("t.parquet", columns, row_group_size=300), batch_rows=7).rows
    assert [(r["exchange_id"], r["prompt"]) for r in rows] == list(
        zip(columns["exchange_id"], columns["prompt"], strict=True)
    )


def test_values_are_converted_where_nothing_is_lost(scan, write):
    given = {"messages": "2", "max_tokens": 512.0, "temperature": "0.5", "stream": "true", "n": "3.0", "key_id": 12}
    row = scan(write("t.jsonl", [{**CANONICAL, **given}])).row
    assert {k: row[k] for k in given} == {
        "messages": 2, "max_tokens": 512, "temperature": 0.5, "stream": True, "n": 3, "key_id": "12",
    }  # fmt: skip


def test_optional_values_that_would_be_damaged_are_left_empty_with_one_remark_each(scan, write, table):
    given = {"messages": 2.5, "max_tokens": 2**40, "temperature": "warm", "stream": "maybe", "n": -1, "tools": "search"}
    result = scan(write("t.jsonl", [{**CANONICAL, **given, "exchange_id": f"e{i}"} for i in range(3)]))
    assert len(result.rows) == 3
    assert all(r[k] is None for r in result.rows for k in given)
    assert len(result.warnings) == len(given)
    assert any(w.startswith("temperature left empty (wrong type): 3 times, first at ") for w in result.warnings)
    columns = {
        **BARE,
        "messages": [2.5, 2.0],
        "n": [-1, 1],
        "temperature": [float("nan"), 1.0],
        "max_tokens": [2**40, 5],
    }
    columns["input_tokens"] = pa.array([1, 2]).cast(pa.decimal128(20, 0))
    rows = scan(table("t.parquet", columns)).rows
    assert [r["input_tokens"] for r in rows] == [1, 2]
    assert [(r["messages"], r["n"], r["temperature"], r["max_tokens"]) for r in rows] == [(None,) * 4, (2, 1, 1.0, 5)]


def test_empty_identifiers_are_missing_and_empty_prompts_are_prompts(scan, write, table):
    empty = {"key_id": "", "ip": "", "prompt": "", "response": ""}
    for path in (
        write("t.jsonl", [{**CANONICAL, **empty}]),
        table("t.parquet", {k: [v] for k, v in {**CANONICAL, **empty}.items()}),
    ):
        row = scan(path).row
        assert (row["key_id"], row["ip"], row["prompt"], row["response"]) == (None, None, "", "")
    assert scan(write("t.jsonl", [{**CANONICAL, "account_id": ""}])).reasons == {"no account_id": 1}


def test_an_identifier_with_a_nul_is_none(scan, write, table):
    odd = {"key_id": "k\0", "user_agent": "\0", "prompt": "a\0b"}
    for path in (
        write("t.jsonl", [{**CANONICAL, **odd}]),
        table("t.parquet", {k: [v] for k, v in {**CANONICAL, **odd}.items()}),
    ):
        result = scan(path)
        assert (result.row["key_id"], result.row["user_agent"], result.row["prompt"]) == (None, None, "a\0b")
        assert any(w.startswith("key_id left empty (NUL in it)") for w in result.warnings)
    assert scan(write("t.jsonl", [{**CANONICAL, "account_id": "a\0"}])).reasons == {"account_id: NUL in it": 1}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("ok", "ok"), ("OK", "ok"), ("success", "ok"), ("refusal", "refused"), ("Rate-Limited", "rate_limited"),
        ("throttled", "rate_limited"), ("content_filter", "blocked"), ("failure", "error"), ("weird", "error"),
    ],
)  # fmt: skip
def test_statuses(scan, write, said, meant):
    result = scan(write("t.jsonl", [{**CANONICAL, "status": said}]))
    assert result.row["status"] == meant
    assert bool(result.warnings) == (said == "weird")


def test_folders_supply_columns(scan, table):
    for account in ("u%2F1", "u2"):
        columns = {k: v for k, v in BARE.items() if k != "account_id"}
        table(f"day=2026-02-02/account_id={account}/part.parquet", columns)
    path = table("day=2026-02-02/model=atlas/part.parquet", {**BARE, "model": ["own", None]})
    result = scan(path.parents[2])
    assert [(r["account_id"], r["model"]) for r in result.rows] == [
        ("u/1", None), ("u/1", None), ("u2", None), ("u2", None), ("a", "own"), ("b", "atlas"),
    ]  # fmt: skip


def test_extra_columns_are_ignored(scan, write, table):
    assert scan(write("t.jsonl", [{**CANONICAL, "extra": {"deep": [1]}}])).row["exchange_id"] == "e1"
    assert len(scan(table("t.parquet", {**BARE, "extra": [{"x": 1}, None]})).rows) == 2


def test_batches_are_bounded_by_text_too(table, tmp_path):
    # 40 prompts of 4 MiB, told apart so that a dictionary does not hide their size
    prompts = [f"{i:04d}" + "x" * (4 << 20) for i in range(40)]
    columns = {"exchange_id": [str(i) for i in range(40)], "time": [1_770_000_000] * 40, "account_id": ["a"] * 40}
    path = table("t.parquet", {**columns, "prompt": prompts})
    rejects = Rejects(None)
    sizes = [b.nbytes for b in read(discover([str(path)], rejects=rejects), rejects=rejects)]
    assert len(sizes) >= 3
    assert max(sizes) < 1.2 * canonical.BATCH_BYTES


def test_one_long_prompt_many_times_does_not_swell(table):
    # 3,000 copies of one prompt of 100 KB are 100 KB in the file and 300 MB unpacked
    count = 3_000
    columns = {
        "exchange_id": [str(i) for i in range(count)],
        "time": [1_770_000_000] * count,
        "account_id": ["a"] * count,
    }
    path = table("t.parquet", {**columns, "prompt": pa.array(["x" * 100_000] * count, pa.large_string())})
    assert path.stat().st_size < 1_000_000
    before = pa.total_allocated_bytes()
    rejects = Rejects(None)
    rows = peak = 0
    for batch in read(discover([str(path)], rejects=rejects), rejects=rejects):
        rows += batch.num_rows
        peak = max(peak, pa.total_allocated_bytes() - before)
    assert rows == count
    assert peak < 4 * canonical.BATCH_BYTES


def test_every_column_is_mapped():
    assert [column for column, _, _ in MAPPINGS["canonical"]] == EXCHANGES.names
