"""Points in time, however a source writes them, as microseconds since 1970 in UTC."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

SECOND = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

NOT_UNDERSTOOD = "time not understood"
NO_ZONE = "time without a zone was taken as UTC"

_NUMBER = re.compile(r"\s*[+-]?\d+(\.\d+)?([eE][+-]?\d+)?\s*", re.ASCII)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime, exactly."""
    return (moment - EPOCH) // _MICROSECOND


class Span(NamedTuple):
    """The times a column may hold: from `first` up to `end`, microseconds, and what is said of others."""

    first: int
    end: int
    outside: str


# No hosted language-model API existed before 2020 (the first, OpenAI's, opened in June of that year), so an earlier
# time is a unit mistaken or a field never set; one after 2100 likewise. In every one of the four units (s, ms, us, ns)
# the numbers of this span are disjoint from those of the others, which is what lets numbers be told apart.
TRAFFIC = Span(
    micros(datetime(2020, 1, 1, tzinfo=UTC)),
    micros(datetime(2100, 1, 1, tzinfo=UTC)),
    "time before 2020 or after 2100: no hosted model API existed before 2020",
)
# Accounts may be older than the API: cloud accounts were opened before it. The units are still disjoint.
ACCOUNT = Span(
    micros(datetime(2000, 1, 1, tzinfo=UTC)),
    micros(datetime(2100, 1, 1, tzinfo=UTC)),
    "time before 2000 or after 2100",
)

# What one microsecond is divided by (negative: multiplied with) in each unit that numbers come in.
UNITS = (SECOND, 1_000, 1, -1_000)


class Unreadable(ValueError):
    """The value is no point in time, or one outside the span; the message is a fixed sentence."""


def from_number(number: float, span: Span) -> int:
    """Epoch seconds, milliseconds, microseconds or nanoseconds, told apart by magnitude."""
    if math.isnan(number):
        raise Unreadable(NOT_UNDERSTOOD)
    if math.isinf(number):
        raise Unreadable(span.outside)
    for unit in UNITS:
        value = number * unit if unit > 0 else number // -unit
        if span.first <= value < span.end:
            return round(value)
    raise Unreadable(span.outside)


def from_text(text: str, span: Span) -> tuple[int, bool]:
    """RFC 3339 or ISO 8601 text, or a number as text; and whether a zone was given (numbers need none)."""
    if _NUMBER.fullmatch(text):
        number = text.strip()
        return from_number(int(number) if number.isdigit() and len(number) < 40 else float(number), span), True
    try:
        # RFC 3339 allows t and z; some loggers write the zone as " UTC".
        moment = datetime.fromisoformat(text.strip().upper().replace(" UTC", "Z"))
    except ValueError as failure:
        raise Unreadable(NOT_UNDERSTOOD) from failure
    return from_moment(moment, span)


def from_moment(moment: date, span: Span) -> tuple[int, bool]:
    """A datetime or date; without a zone it is taken as UTC and the second value is False."""
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    zoned = moment.tzinfo is not None
    try:
        value = micros(moment if zoned else moment.replace(tzinfo=UTC))
    except OverflowError as failure:
        raise Unreadable(span.outside) from failure
    if not span.first <= value < span.end:
        raise Unreadable(span.outside)
    return value, zoned


def from_any(value: object, span: Span) -> tuple[int, bool]:
    """Any of these; raises Unreadable."""
    if isinstance(value, str):
        return from_text(value, span)
    if isinstance(value, bool):
        raise Unreadable(NOT_UNDERSTOOD)
    if isinstance(value, int | float):
        return from_number(value, span), True
    if isinstance(value, date):
        return from_moment(value, span)
    raise Unreadable(NOT_UNDERSTOOD)
