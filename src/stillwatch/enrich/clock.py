"""Calendar columns as integers, so that no SQL touches a timestamp: microseconds, day, ten-minute bin, hour of week."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

MICROSECONDS_A_DAY = 86_400_000_000
MICROSECONDS_A_BIN = 600_000_000
MICROSECONDS_AN_HOUR = 3_600_000_000
# 1970-01-01 was a Thursday: day 3 of a week that begins on Monday.
WEEKDAY_OF_EPOCH = 3


def clock(time: pa.Array) -> dict[str, pa.Array]:
    """Columns made from `time` (timestamp[us, UTC], no nulls): time_us, day, bin and hour_of_week, all int64.

    day and bin count from 1970-01-01 UTC; hour_of_week runs from 0 (Monday, 00 to 01 UTC) to 167.
    """
    us = np.asarray(time.cast(pa.int64()))
    day = us // MICROSECONDS_A_DAY
    hour = us // MICROSECONDS_AN_HOUR - day * 24
    return {
        "time_us": pa.array(us),
        "day": pa.array(day),
        "bin": pa.array(us // MICROSECONDS_A_BIN),
        "hour_of_week": pa.array((day + WEEKDAY_OF_EPOCH) % 7 * 24 + hour),
    }
