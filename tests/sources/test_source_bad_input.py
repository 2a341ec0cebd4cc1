"""What is met by one clear line: files and records that cannot be used, and those that only look so."""

from __future__ import annotations

import gzip
import json
import os
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from source_examples import CANONICAL, EXAMPLES, LITELLM, SECRET

from stillwatch.errors import EnvironmentFailure
from stillwatch.sources import Rejects, lines
from stillwatch.sources.canonical import DAMAGED

BARE = {"exchange_id": ["e1", "e2"], "time": ["2026-02-02T02:40:00Z"] * 2, "account_id": ["a", "b"]}


def many(count):
    # Text that does not compress, so that half of a packed file holds about half of the records
    draw = random.Random(7)
    return [{**CANONICAL, "exchange_id": f"e{i}", "response": draw.randbytes(400).hex()} for i in range(count)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"\n\n", "neither Parquet nor JSON lines"),
        (os.urandom(500).replace(b"\n", b"") + b"\0\n", "a binary file, neither Parquet nor JSON lines"),
        (b"hello\nworld\n", "neither Parquet nor JSON lines"),
        (b"account_id,kind\na,b\n", "neither Parquet nor JSON lines"),
        (
            b'{"a": 1}\n{"b": 2}\n',
            "JSON lines of no known format; name the columns as in the reference, or give --format",
        ),
        (b"[{}, {}]\n", "a JSON array; write one record a line (jq -c '.[]')"),
        (b'{\n"a": 1\n}\n', "JSON over several lines; write one record a line (jq -c .)"),
        ("hello".encode("utf-16"), "UTF-16 text; convert it to UTF-8"),
        (b"PAR1 and then nothing", DAMAGED),
        (gzip.compress(b"PAR1xxxx"), "a Parquet file inside a compressed one; unpack it"),
        (b"\x1f\x8bnot gzip at all", "damaged gzip file"),
        (gzip.compress(b"")[:5], "truncated gzip file"),
        (b"\x28\xb5\x2f\xfd" + b"\xff" * 40, "damaged Zstandard file"),
        (b"\x28\xb5\x2f\xfd", "truncated Zstandard file"),
    ],
)
def test_unusable_files(scan, write, tmp_path, content, reason):
    bad = tmp_path / "in" / "bad"
    bad.parent.mkdir()
    bad.write_bytes(content)
    alone = scan(bad)
    assert alone.rows == []
    assert alone.error == f"{bad}: no usable traffic: {reason}"
    write("good.jsonl", [CANONICAL])
    among = scan(bad.parent)
    assert among.error is None
    assert len(among.rows) == 1
    assert among.rejected == [{"place": str(bad), "reason": reason, "file": True}]


def test_nothing_there(scan, tmp_path):
    assert scan(tmp_path / "gone").error == f"{tmp_path / 'gone'}: no usable traffic: no such file or folder"
    (tmp_path / "empty").mkdir()
    assert "no traffic found" in scan(tmp_path / "empty").error
    assert "no such file or folder" in scan(str(tmp_path / "*.jsonl")).error


@pytest.mark.parametrize("name", ["t.jsonl.gz", "t.jsonl.zst"])
def test_records_before_a_truncation_stand(scan, write, name):
    path = write(name, many(2_000))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    result = scan(path)
    assert 600 < len(result.rows) < 1_400
    assert [r["exchange_id"] for r in result.rows] == [f"e{i}" for i in range(len(result.rows))]
    assert list(result.reasons) == [f"truncated {'gzip' if name.endswith('gz') else 'Zstandard'} file"]


def test_a_truncated_plain_file_loses_its_last_line_only(scan, write):
    path = write("t.jsonl", many(10))
    path.write_bytes(path.read_bytes()[:-50])
    result = scan(path)
    assert len(result.rows) == 9
    assert result.reasons == {"not JSON": 1}
    assert result.rejected[0]["place"] == f"{path}:10"


def test_a_truncated_parquet_file(scan, table):
    path = table("t.parquet", BARE)
    path.write_bytes(path.read_bytes()[:-20])
    assert scan(path).error == f"{path}: no usable traffic: {DAMAGED}"


def test_a_parquet_file_broken_in_the_middle_keeps_what_came_before(scan, table):
    count = 2_000
    columns = {
        "exchange_id": [f"e{i}" for i in range(count)],
        "time": [1_770_000_000] * count,
        "account_id": ["a"] * count,
    }
    path = table("t.parquet", columns, row_group_size=1_000, compression="gzip")
    start = pq.read_metadata(path).row_group(1).column(0).dictionary_page_offset
    content = bytearray(path.read_bytes())
    content[start : start + 200] = b"\xff" * 200
    path.write_bytes(content)
    result = scan(path, batch_rows=500)
    assert len(result.rows) == 1_000
    assert result.reasons == {DAMAGED: 1}


def test_a_missing_required_column_is_named(scan, table):
    path = table("t.parquet", {k: v for k, v in BARE.items() if k == "exchange_id"})
    assert scan(path).error == f"{path}: no usable traffic: required column missing: time, account_id"


def test_missing_required_values_are_rejected_by_line(scan, write):
    records = [{k: v for k, v in CANONICAL.items() if k != name} for name in ("time", "account_id")]
    result = scan(write("t.jsonl", [CANONICAL, *records]))
    assert result.reasons == {"no time": 1, "no account_id": 1}
    assert [(Path(r["place"]).name, r["field"]) for r in result.rejected] == [
        ("t.jsonl:2", "time"),
        ("t.jsonl:3", "account_id"),
    ]


def test_lines_that_are_no_records(scan, write):
    result = scan(write("t.jsonl", [CANONICAL, b"{oops", b'"text"', b"[]", b"null", CANONICAL]))
    assert len(result.rows) == 2
    assert result.reasons == {"not JSON": 1, "JSON, but not an object": 3}


@pytest.mark.parametrize(
    "prompt",
    [b'"a \\ud83d b"', b'"a \xff\xfe b"', b'"a \xed\xa0\xbd b"', b'"a \\udc00\\ud800 b"'],
    ids=["lone surrogate", "invalid bytes", "encoded surrogate", "surrogates in wrong order"],
)
@pytest.mark.parametrize("format", ["canonical", "litellm"])
def test_broken_unicode_in_prompts_is_repaired(scan, write, prompt, format):
    marked = {
        "canonical": {**CANONICAL, "prompt": "MARK"},
        "litellm": {**LITELLM, "messages": [{"role": "user", "content": "MARK"}]},
    }
    line = json.dumps(marked[format]).encode().replace(b'"MARK"', prompt)
    result = scan(write("t.jsonl", [line, EXAMPLES[format][1]]))
    assert len(result.rows) == 2
    assert result.rows[0]["prompt"].strip("ab ").strip("\ufffd") == ""
    assert not result.rejected
    assert result.warnings == [f"{lines.REPAIRED}: 1 time, first at {Path(result.warnings[0].split('first at ')[1])}"]


def test_text_in_parquet_that_is_not_utf_8_is_repaired(scan, table):
    prompts = pa.array([b"a \xff b", b"good"], pa.binary())
    for array in (prompts, prompts.view(pa.string())):
        result = scan(table("t.parquet", {**BARE, "prompt": array}))
        assert [r["prompt"] for r in result.rows] == ["a \ufffd b", "good"]


def test_nesting_without_end(scan, write):
    deep = (
        b'{"exchange_id": "x", "time": 1770000000, "account_id": "a", "prompt": '
        + b"[" * 100_000
        + b"]" * 100_000
        + b"}"
    )
    result = scan(write("t.jsonl", [CANONICAL, deep]))
    assert result.reasons == {"not JSON": 1}
    nested: object = "text"
    for _ in range(400):
        nested = [{"type": "text", "content": nested}]
    for format, records in EXAMPLES.items():
        if format == "litellm":
            row = scan(write("u.jsonl", [{**records[0], "messages": [{"role": "user", "content": nested}]}])).row
            assert row["prompt"] is None


@pytest.mark.parametrize("prompt", ["x" * 50_000_000, "\u4e00" * 17_000_000], ids=["one byte repeated", "Chinese"])
def test_a_prompt_of_50_megabytes(scan, write, prompt):
    result = scan(write("t.jsonl", [{**CANONICAL, "prompt": prompt}, {**CANONICAL, "exchange_id": "e2"}]))
    assert [len(r["prompt"]) for r in result.rows] == [len(prompt), len(CANONICAL["prompt"])]


def test_a_line_without_end_is_a_rejected_record(scan, write, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST_LINE", 3 << 20)
    result = scan(
        write("t.jsonl.zst", [CANONICAL, b"x" * (10 << 20), {**CANONICAL, "exchange_id": "e2"}, b"x" * (4 << 20)])
    )
    assert [r["exchange_id"] for r in result.rows] == ["e1", "e2"]
    assert result.reasons == {"record longer than 3 MB": 2}
    assert [Path(r["place"]).name for r in result.rejected] == ["t.jsonl.zst:2", "t.jsonl.zst:4"]


def test_a_bomb_is_unpacked_a_piece_at_a_time(tmp_path):
    path = tmp_path / "bomb.zst"
    path.write_bytes(zstandard.compress(b"\0" * (300 << 20), 3))
    largest = max(len(chunk) for chunk in lines.chunks(path))
    assert largest <= 160 << 20  # 4 KiB of input stands for 128 MiB at most, and one block more


def test_repeated_ids_are_left_to_the_store(scan, write):
    result = scan(write("t.jsonl", [CANONICAL] * 3))
    assert len(result.rows) == 3
    assert not result.rejected


def test_a_million_models_would_be_just_text(scan, write):
    result = scan(write("t.jsonl", [{**CANONICAL, "exchange_id": str(i), "model": f"m{i}"} for i in range(3_000)]))
    assert len({r["model"] for r in result.rows}) == 3_000


def test_no_text_in_what_is_set_aside(scan, write):
    records = [{**r, "time": SECRET, "account_id": SECRET} for r in EXAMPLES["canonical"]]
    result = scan(write("t.jsonl", [CANONICAL, *records, b'{"prompt": "' + SECRET.encode()]))
    assert len(result.rejected) == 3
    assert SECRET not in json.dumps(result.rejected) + " ".join(result.warnings)


def test_rejects_that_cannot_be_written_are_a_failure_of_the_machine(tmp_path):
    rejects = Rejects(tmp_path / "no such folder" / "rejected.jsonl")
    with pytest.raises(EnvironmentFailure, match="cannot note rejected records: No such file or directory"):
        rejects.add("x:1", "not JSON")
    full = Path("/dev/full")
    if full.exists():
        rejects = Rejects(full)
        rejects.add("x:1", "not JSON")
        with pytest.raises(EnvironmentFailure, match="No space left on device"):
            rejects.close()


def test_without_rejects_no_file_is_made(tmp_path):
    with Rejects(tmp_path / "rejected.jsonl") as rejects:
        rejects.remark("something", "x:1")
    assert not (tmp_path / "rejected.jsonl").exists()
    assert rejects.warnings == ["something: 1 time, first at x:1"]


def test_no_permission(scan, write, monkeypatch):
    good, bad = write("good.jsonl", [CANONICAL]), write("bad.jsonl", [CANONICAL])
    allowed = Path.open

    def forbidden(path, *args, **options):
        # as root, who runs many a CI, may read everything
        if path == bad:
            raise PermissionError(13, "Permission denied")
        return allowed(path, *args, **options)

    monkeypatch.setattr(Path, "open", forbidden)
    assert scan(bad).error == f"{bad}: no usable traffic: no permission to read it"
    assert len(scan(good.parent).rows) == 1
