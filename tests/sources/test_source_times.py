"""Points in time, however written."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_examples import CANONICAL

from stillwatch.sources import times

WHOLE = dt.datetime(2026, 2, 2, 2, 40, tzinfo=dt.UTC)
SECONDS = int(WHOLE.timestamp())
BARE = {"exchange_id": ["e1", "e2"], "account_id": ["a", "b"]}


@pytest.mark.parametrize(
    "value",
    [
        "2026-02-02T02:40:00Z", "2026-02-02t02:40:00z", "2026-02-02 02:40:00+00:00", "2026-02-02T03:40:00+01:00",
        "2026-02-02T02:40:00.000000000Z", "2026-02-02 02:40:00 UTC", SECONDS, float(SECONDS), str(SECONDS),
        SECONDS * 10**3, SECONDS * 10**6, SECONDS * 10**9, str(SECONDS * 10**9), f"{SECONDS}.0",
    ],
)  # fmt: skip
def test_one_moment_in_many_forms(scan, write, value):
    result = scan(write("t.jsonl", [{**CANONICAL, "time": value}]))
    assert result.row["time"] == WHOLE
    assert not result.warnings


@pytest.mark.parametrize("value", ["2026-02-02T02:40:00", "2026-02-02 02:40", "2026-02-02T02:40:00.000"])
def test_without_a_zone_it_is_utc_with_one_warning(scan, write, value):
    result = scan(write("t.jsonl", [{**CANONICAL, "exchange_id": f"e{i}", "time": value} for i in range(5)]))
    assert {r["time"] for r in result.rows} == {WHOLE}
    assert len(result.warnings) == 1
    assert result.warnings[0].startswith("time without a zone was taken as UTC: 5 times, first at ")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("1970-01-01T00:00:00Z", times.TRAFFIC.outside), (0, times.TRAFFIC.outside), ("0", times.TRAFFIC.outside),
        ("2019-12-31T23:59:59.999999Z", times.TRAFFIC.outside), ("2200-01-01T00:00:00Z", times.TRAFFIC.outside),
        (4_102_444_800, times.TRAFFIC.outside), ("0001-01-01T00:00:00+14:00", times.TRAFFIC.outside),
        (-5, times.TRAFFIC.outside), (1e300, times.TRAFFIC.outside), ("9" * 400, times.TRAFFIC.outside),
        ("yesterday", f"time: {times.NOT_UNDERSTOOD}"), ("2026-02-30T00:00:00Z", f"time: {times.NOT_UNDERSTOOD}"),
        (True, f"time: {times.NOT_UNDERSTOOD}"), ({"at": 1}, f"time: {times.NOT_UNDERSTOOD}"),
        ("", "no time"), (None, "no time"),
    ],
)  # fmt: skip
def test_unusable_times_are_rejected_with_the_reason(scan, write, value, reason):
    good = {**CANONICAL, "exchange_id": "good"}
    result = scan(write("t.jsonl", [{**CANONICAL, "time": value}, good]))
    assert [r["exchange_id"] for r in result.rows] == ["good"]
    assert [r["field"] for r in result.rejected] == ["time"]
    assert list(result.reasons) == [reason.removeprefix("time: ") if "understood" in reason else reason]


@pytest.mark.parametrize(
    ("array", "warned"),
    [
        (pa.array([SECONDS] * 2).cast(pa.timestamp("s", "UTC")), False),
        (pa.array([SECONDS * 1000] * 2).cast(pa.timestamp("ms", "Asia/Tokyo")), False),
        (pa.array([SECONDS * 10**6] * 2).cast(pa.timestamp("us")), True),
        (pa.array([SECONDS * 10**9 + 999] * 2).cast(pa.timestamp("ns", "UTC")), False),
        (pa.array([SECONDS * 10**3] * 2), False),
        (pa.array([float(SECONDS)] * 2), False),
        (pa.array(["2026-02-02T02:40:00Z"] * 2), False),
        (pa.array(["2026-02-02T02:40:00Z", "2026-02-02T02:40:00"]), True),
        (pa.array(["2026-02-02T02:40:00"] * 2), True),
        (pa.array(["2026-02-02T03:40:00+01:00"] * 2), False),
        (pa.array([str(SECONDS)] * 2), False),
        (pa.array([SECONDS] * 2, pa.uint64()), False),
        (pa.array([SECONDS] * 2).cast(pa.decimal128(20, 0)), False),
        (pa.array(["2026-02-02T02:40:00.000000001Z"] * 2).dictionary_encode(), False),
    ],
    ids=str,
)
def test_arrow_times_of_any_unit(scan, table, array, warned):
    result = scan(table("t.parquet", {**BARE, "time": array}))
    assert [r["time"] for r in result.rows] == [WHOLE] * 2
    assert bool(result.warnings) == warned


def test_days_are_midnights(scan, table):
    midnight = dt.datetime(2026, 2, 2, tzinfo=dt.UTC)
    for kind in (pa.date32(), pa.date64()):
        result = scan(table("t.parquet", {**BARE, "time": pa.array([midnight.date()] * 2, kind)}))
        assert [r["time"] for r in result.rows] == [midnight] * 2


def test_bad_rows_of_parquet_are_rejected_by_row(scan, table):
    array = pa.array([2**62, SECONDS * 1000], pa.int64()).cast(pa.timestamp("ms", "UTC"))
    result = scan(table("t.parquet", {**BARE, "time": array}))
    assert [r["exchange_id"] for r in result.rows] == ["e2"]
    assert result.rejected[0]["place"].endswith("t.parquet row 1")


@given(st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2099, 12, 31), timezones=st.just(dt.UTC)))
def test_each_unit_gives_the_same_moment(moment):
    micros = times.micros(moment)
    assert times.from_number(micros, times.TRAFFIC) == micros
    assert times.from_number(micros * 1000, times.TRAFFIC) == micros
    assert times.from_text(moment.isoformat(), times.TRAFFIC) == (micros, True)
    assert abs(times.from_number(micros / 1e6, times.TRAFFIC) - micros) <= 1
