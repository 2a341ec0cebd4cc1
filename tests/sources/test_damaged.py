"""Damaged records, whatever their damage: never an exception, never a wrong schema, never a prompt in the rejects."""

from __future__ import annotations

import copy
import json
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_examples import EXAMPLES, SECRET
from source_reading import Outcome, outcome

from stillwatch.tables import EXCHANGES

# Each example runs a whole read, which makes files; a few hundred of them fit into the time that tests may take.
SOME = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["", "12", "1e400", "nan", "2026-02-30", "2200-01-01T00:00:00Z", SECRET, "\u2028", "[", "{}", "[1]"]
    )
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["text", "content", "role", "type", "parts", "name", "0"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    out = [path] if path else []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        out += places(inner, (*path, key))
    return out


def damage(record: dict[str, Any], wounds: list[tuple[int, Any]]) -> dict[str, Any]:
    """The record with some of its places replaced."""
    record = copy.deepcopy(record)
    for number, value in wounds:
        spots = places(record)
        if not spots:
            break
        *way, last = spots[number % len(spots)]
        target: Any = record
        for key in way:
            target = target[key]
        target[last] = value
    return record


def check(name: str, content: bytes, format: str) -> Outcome:
    """What is read of a file; no prompt is ever in what is told of the rest."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        result = outcome(path, folder=Path(folder), format=format, batch_rows=3)
    assert SECRET not in json.dumps(result.rejected)
    assert not any(SECRET in line for line in result.warnings)
    assert SECRET not in (result.error or "")
    return result


@cache
def whole(format: str) -> Outcome:
    """What is read of the examples of a format as they are."""
    return check("traffic.jsonl", b"\n".join(json.dumps(r).encode() for r in EXAMPLES[format]), format)


def ids(result: Outcome) -> Counter[str]:
    return Counter(row["exchange_id"] for row in result.rows)


@SOME
@given(
    st.sampled_from(sorted(EXAMPLES)),
    st.lists(st.lists(st.tuples(st.integers(0, 10_000), values), max_size=4), min_size=1, max_size=4),
    st.booleans(),
)
def test_records_with_wrong_values(format: str, wounded: list[list[tuple[int, Any]]], told: bool) -> None:
    examples = EXAMPLES[format]
    records = [damage(examples[i % len(examples)], wounds) for i, wounds in enumerate(wounded)]
    content = b"\n".join(json.dumps(r).encode() for r in [*examples, *records])
    result = check("traffic.jsonl", content, format if told else "auto")
    assert result.error is None
    if format == "otel":  # whose parts are joined by id: a damaged double speaks of the same span
        assert result.rows or result.rejected
    else:
        assert ids(whole(format)) <= ids(result)  # what is damaged costs nothing of what is not


@SOME
@given(
    st.sampled_from(sorted(EXAMPLES)),
    st.lists(st.tuples(st.integers(0, 100_000), st.binary(max_size=3)), max_size=6),
    st.integers(0, 100_000),
)
def test_lines_with_wrong_bytes(format: str, wounds: list[tuple[int, bytes]], cut: int) -> None:
    content = b"\n".join(json.dumps(r, ensure_ascii=False).encode() for r in EXAMPLES[format])
    for at, wound in wounds:
        at %= len(content)  # noqa: PLW2901
        content = content[:at] + wound + content[at + len(wound) :]
    content = content[: len(content) - cut % len(content)]
    result = check("traffic.jsonl", content, format)
    lines = [line for line in content.split(b"\n") if line and not line.isspace()]
    if result.error is None:
        assert result.rows or result.rejected or not lines  # nothing is lost without a word


@settings(SOME, max_examples=80)
@given(
    st.lists(st.tuples(st.integers(0, 1_000_000), st.binary(min_size=1, max_size=4)), max_size=4), st.integers(0, 500)
)
def test_parquet_with_wrong_bytes(wounds: list[tuple[int, bytes]], cut: int) -> None:
    rows = EXAMPLES["canonical"]
    columns = {k: [r.get(k) for r in rows] for k in rows[0]}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, row_group_size=1)
    content = sink.getvalue().to_pybytes()
    for at, wound in wounds:
        at %= len(content)  # noqa: PLW2901
        content = content[:at] + wound + content[at + len(wound) :]
    result = check("traffic.parquet", content[: len(content) - cut % len(content)], "auto")
    # A page may be lost, and what is lost is told: the file by its name, or each of its rows.
    assert len(result.rows) + len(result.rejected) >= len(rows) or result.error or result.rejected


columns_of_any_type = st.sampled_from(
    [
        pa.int8(), pa.uint64(), pa.int64(), pa.float16(), pa.float32(), pa.bool_(), pa.string(), pa.large_string(),
        pa.binary(), pa.date32(), pa.date64(), pa.timestamp("s"), pa.timestamp("ns"), pa.timestamp("ms", "Asia/Tokyo"),
        pa.decimal128(12, 2), pa.time64("us"), pa.duration("s"), pa.list_(pa.int64()), pa.list_(pa.string()),
        pa.struct([("a", pa.int64())]), pa.null(), pa.dictionary(pa.int32(), pa.string()), pa.string_view(),
    ]
)  # fmt: skip


@settings(SOME, max_examples=250)
@given(
    st.sampled_from(EXCHANGES.names),
    columns_of_any_type,
    st.lists(st.integers(0, 255), min_size=1, max_size=4),
    st.data(),
)
def test_parquet_with_columns_of_other_types(name: str, kind: pa.DataType, bytes_: list[int], data: Any) -> None:
    base = {"exchange_id": ["a", "b", "c"], "time": [1_770_000_000] * 3, "account_id": ["u", "v", "w"]}
    if pa.types.is_nested(kind) or pa.types.is_dictionary(kind) or pa.types.is_null(kind):
        cell: Any = {"a": 1} if pa.types.is_struct(kind) else [1] if kind == pa.list_(pa.int64()) else None
        cell = ["x"] if kind == pa.list_(pa.string()) else "x" if pa.types.is_dictionary(kind) else cell
        array = pa.array([cell, None, cell], kind)
    elif kind in (pa.string(), pa.large_string(), pa.string_view(), pa.binary()):
        raw = pa.array([bytes(bytes_), None, b"12"], pa.binary())
        array = raw if kind == pa.binary() else pa.array([None, "ok", "12"], kind)
        if kind == pa.string():
            array = raw.view(pa.string())  # not UTF-8, perhaps, which no reader looks at
    elif kind == pa.bool_():
        array = pa.array([True, None, False])
    else:
        width = kind.bit_width // 8
        size = st.binary(min_size=3 * width, max_size=3 * width)
        array = pa.Array.from_buffers(kind, 3, [None, pa.py_buffer(data.draw(size))])
        if pa.types.is_decimal(kind):
            array = pa.array([1, None, 2]).cast(pa.decimal128(21, 2))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "traffic.parquet"
        try:
            pq.write_table(pa.table({**{k: v for k, v in base.items() if k != name}, name: array}), path)
        except (pa.ArrowException, ValueError, OverflowError):
            return  # no such file can exist
        result = outcome(path, folder=Path(folder))
    assert len(result.rows) + len(result.rejected) == 3 or result.error or result.rejected
