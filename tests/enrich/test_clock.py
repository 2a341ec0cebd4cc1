"""Calendar columns, checked by hand."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from stillwatch.enrich.clock import clock


@pytest.mark.parametrize(
    ("time", "day", "hour_of_week"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0, 3 * 24),  # a Thursday
        (datetime(2026, 2, 23, 0, 0, tzinfo=UTC), 20507, 0),  # a Monday
        (datetime(2026, 3, 1, 23, 59, 59, 999999, tzinfo=UTC), 20513, 167),  # the Sunday after it
        (datetime(2024, 2, 29, 13, 30, tzinfo=UTC), 19782, 3 * 24 + 13),  # a Thursday, a leap day
        (datetime(1969, 12, 31, 23, 0, tzinfo=UTC), -1, 2 * 24 + 23),  # before the epoch: a Wednesday
    ],
)
def test_by_hand(time, day, hour_of_week):
    made = clock(pa.array([time], pa.timestamp("us", "UTC")))
    assert made["day"].to_pylist() == [day]
    assert made["hour_of_week"].to_pylist() == [hour_of_week]
    assert made["bin"].to_pylist() == [int(time.timestamp() // 600)]
    assert made["time_us"].to_pylist() == [round(time.timestamp() * 1_000_000)]
    assert {column.type for column in made.values()} == {pa.int64()}
