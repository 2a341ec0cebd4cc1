"""Whatever a source holds, made into the columns of a table: exactly its types, without its unusable records.

Values are converted where nothing is lost by it ("12" is 12, 3.0 is 3). Where something would be, an optional column
is left empty with a remark, and a record without a required column is rejected.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.sources import times
from stillwatch.sources.lines import REPAIRED, repaired_text
from stillwatch.sources.rejects import Rejects
from stillwatch.tables import ACCOUNT_STATUSES, ACCOUNTS, EXCHANGES, STATUSES, TIMESTAMP, Column, Table

# An empty prompt is a prompt; an empty identifier, address or agent is none.
FREE_TEXT = frozenset({"system_prompt", "prompt", "response", "value", "declared_use"})

# What other systems call the five statuses; anything else is an error, with a remark.
STATUS_SYNONYMS: Final = {
    **{status: status for status in STATUSES},
    **dict.fromkeys(("success", "succeeded", "successful", "completed", "complete", "200", "unset"), "ok"),
    **dict.fromkeys(("refusal",), "refused"),
    **dict.fromkeys(
        ("ratelimited", "rate_limit", "rate_limit_exceeded", "throttled", "throttling", "too_many_requests", "429"),
        "rate_limited",
    ),
    **dict.fromkeys(("content_filter", "content_filtered", "filtered", "guardrail_intervened"), "blocked"),
    **dict.fromkeys(("failure", "failed", "fail"), "error"),
}

_INTEGER = re.compile(r"\s*[+-]?\d{1,18}(\.0+)?\s*", re.ASCII)
_TRUE = frozenset({"true", "1", "yes", "t"})
_FALSE = frozenset({"false", "0", "no", "f"})
_LARGEST_INT32 = 2**31 - 1
_LISTS: Final = pa.list_(pa.string())


class Unfit(ValueError):
    """The value cannot be had in the column's type without loss."""


@dataclass
class Faults:
    """What was wrong in one batch: remarks for optional columns, reasons for rejection for required ones."""

    rejects: Rejects
    place: Callable[[int], str]
    reasons: dict[tuple[str, int], str] = field(default_factory=dict)

    def unfit(self, column: Column, index: int, reason: str) -> None:
        """Note that the value at `index` could not be used."""
        if column.required:
            self.reasons[column.name, index] = reason
        else:
            self.rejects.remark(f"{column.name} left empty ({reason})", self.place(index))

    def remark(self, what: str, index: int, times: int = 1) -> None:
        """Note a repair."""
        self.rejects.remark(what, self.place(index), times)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit("wrong type")
    return str(value)


def _int32(value: Any) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value.split(".")[0])
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit("wrong type")
    if not 0 <= value <= _LARGEST_INT32:  # all of them are counts or limits
        raise Unfit("number out of range")
    return int(value)


def _float64(value: Any) -> float:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise Unfit("wrong type") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unfit("wrong type")
    try:
        number = float(value)
    except OverflowError:
        raise Unfit("number out of range") from None
    if not math.isfinite(number):
        raise Unfit("number out of range")
    return number


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return value == 1
    if isinstance(value, str) and value.strip().lower() in _TRUE | _FALSE:
        return value.strip().lower() in _TRUE
    raise Unfit("wrong type")


def _list(value: Any) -> list[str]:
    if not isinstance(value, list | tuple):
        raise Unfit("wrong type")
    return [repaired_text(_text(v)) for v in value]


_ONE: Final[dict[pa.DataType, Callable[[Any], Any]]] = {
    pa.int32(): _int32,
    pa.float64(): _float64,
    pa.bool_(): _bool,
    _LISTS: _list,
}
# The Python types that pyarrow takes for each column as they are.
_AS_IS: Final[dict[pa.DataType, frozenset[type]]] = {
    pa.string(): frozenset({str, type(None)}),
    pa.int32(): frozenset({int, type(None)}),
    pa.float64(): frozenset({float, int, type(None)}),
    pa.bool_(): frozenset({bool, type(None)}),
}


def from_values(values: Sequence[Any], column: Column, span: times.Span, faults: Faults) -> pa.Array:
    """One column from Python values of any kind: typed, with nulls where a value was missing or unfit."""
    if column.type == TIMESTAMP:
        return _times_from_values(values, column, span, faults)
    array = _lists_as_is(values) if column.type == _LISTS else None
    if set(map(type, values)) <= _AS_IS.get(column.type, frozenset()):
        try:
            array = pa.array(values, column.type)
        except (pa.ArrowException, UnicodeError, OverflowError):
            array = None
    if array is None:
        array = pa.array(_each(values, column, faults), column.type)
    return _tidy(array, column, faults)


def _lists_as_is(values: Sequence[Any]) -> pa.Array | None:
    """Lists of nothing but text, all at once; None where one of them needs a closer look."""
    if not all(v is None or (type(v) is list and all(type(t) is str for t in v)) for v in values):
        return None
    try:
        return pa.array(values, _LISTS)
    except (pa.ArrowException, UnicodeError):
        return None


def _each(values: Sequence[Any], column: Column, faults: Faults) -> Iterator[Any]:
    one: Callable[[Any], Any] = _ONE.get(column.type, _text)
    for index, value in enumerate(values):
        try:
            fit = None if value is None else one(value)
        except Unfit as unfit:
            faults.unfit(column, index, str(unfit))
            fit = None
        if isinstance(fit, str):
            clean = repaired_text(fit)
            if clean != fit:
                faults.remark(REPAIRED, index)
            fit = clean
        yield fit


def _times_from_values(values: Sequence[Any], column: Column, span: times.Span, faults: Faults) -> pa.Array:
    if all(type(v) is str for v in values):
        bulk = _times_from_text(_as_strings(values), span)
        if bulk is not None:
            return bulk
    out: list[int | None] = []
    for index, value in enumerate(values):
        moment = None
        if value is not None and value != "":
            try:
                moment, zoned = times.from_any(value, span)
                if not zoned:
                    faults.remark(times.NO_ZONE, index)
            except times.Unreadable as reason:
                faults.unfit(column, index, str(reason))
        out.append(moment)
    return pa.array(out, pa.int64()).cast(TIMESTAMP)


def _as_strings(values: Sequence[str]) -> pa.Array:
    """Text as an array; what is no valid Unicode is no time either, and is left to a closer look."""
    try:
        return pa.array(values, pa.string())
    except UnicodeError:
        return pa.array([""] * len(values), pa.string())


def from_arrow(array: pa.Array, column: Column, span: times.Span, faults: Faults) -> pa.Array:
    """One column from an Arrow array of any type, without touching single values where the types allow it."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), column.type)
    if pa.types.is_decimal(array.type):  # as warehouses export whole numbers
        array = _from_decimal(array)
    if column.type == TIMESTAMP:
        return _times_from_arrow(array, column, span, faults)
    fast = None
    if _castable(array.type, column.type):
        try:
            fast = array.cast(column.type)
            fast.validate(full=True)  # readers do not look whether text is UTF-8
        except pa.ArrowException:
            fast = None
    if fast is None:
        return from_values(_python_values(array), column, span, faults)
    return _tidy(fast, column, faults)


def _from_decimal(array: pa.Array) -> pa.Array:
    try:
        return array.cast(pa.int64())
    except pa.ArrowException:
        return array.cast(pa.float64())


def _castable(source: pa.DataType, target: pa.DataType) -> bool:
    """Whether Arrow's own checked cast says the same as the rules above."""
    kinds = pa.types
    if target == pa.string():
        return _textual(source) or bool(kinds.is_binary(source) or kinds.is_integer(source))
    if target in (pa.int32(), pa.float64()):
        return bool(kinds.is_integer(source) or kinds.is_floating(source))
    if target == pa.bool_():
        return bool(kinds.is_boolean(source))
    return bool(kinds.is_list(source) or kinds.is_large_list(source)) and _textual(source.value_type)


def _textual(source: pa.DataType) -> bool:
    kinds = pa.types
    return bool(kinds.is_string(source) or kinds.is_large_string(source) or kinds.is_string_view(source))


def _python_values(array: pa.Array) -> list[Any]:
    """As Python values; text as bytes, since what brings us here may be that it is not UTF-8."""
    if pa.types.is_string(array.type) or pa.types.is_string_view(array.type):
        array = array.cast(pa.string()).view(pa.binary())
    elif pa.types.is_large_string(array.type):
        array = array.view(pa.large_binary())
    try:
        return list(array.to_pylist())
    except (UnicodeError, ValueError, OverflowError):
        return [_python_value(scalar) for scalar in array]


def _python_value(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except (UnicodeError, ValueError, OverflowError):
        return object()  # of no type that any column takes


def _times_from_arrow(array: pa.Array, column: Column, span: times.Span, faults: Faults) -> pa.Array:
    kinds = pa.types
    if kinds.is_date(array.type):
        array = array.cast(pa.timestamp("ms" if kinds.is_date64(array.type) else "s"))
    if kinds.is_timestamp(array.type):
        # An instant is stored in UTC whatever its zone; without one it is taken as UTC.
        if array.type.tz is None and len(array) > array.null_count:
            faults.remark(times.NO_ZONE, 0, len(array) - array.null_count)
        units = {"s": times.SECOND, "ms": 1_000, "us": 1, "ns": -1_000}
        return _scaled(array.cast(pa.int64()), (units[array.type.unit],), column, span, faults)
    if kinds.is_integer(array.type) and array.type != pa.uint64():
        return _scaled(array.cast(pa.int64()), times.UNITS, column, span, faults)
    if _textual(array.type):
        bulk = _times_from_text(array, span)
        if bulk is not None:
            return bulk
    return _times_from_values([_as_text(v) for v in _python_values(array)], column, span, faults)


def _as_text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _times_from_text(array: pa.Array, span: times.Span) -> pa.Array | None:
    """All of an array of RFC 3339 texts at once, or None where one of them needs a closer look."""
    try:
        moments = array.cast(TIMESTAMP)
    except pa.ArrowException:
        return None
    low, high = pc.min_max(moments.cast(pa.int64())).as_py().values()
    return moments if low is None or (span.first <= low and high < span.end) else None


def _scaled(numbers: pa.Array, units: Sequence[int], column: Column, span: times.Span, faults: Faults) -> pa.Array:
    """Epoch numbers in the first of `units` that puts each within the span."""
    present = np.asarray(numbers.is_valid())
    raw = numbers.fill_null(0).to_numpy(zero_copy_only=False)
    out = np.zeros(len(raw), dtype=np.int64)
    found = np.zeros(len(raw), dtype=bool)
    for unit in units:
        # The bounds are brought to the unit, not the numbers to microseconds: those may overflow.
        first, end = (b // unit if unit > 0 else b * -unit for b in (span.first, span.end))
        here = (raw >= first) & (raw < end) & present & ~found
        out[here] = raw[here] * unit if unit > 0 else raw[here] // -unit
        found |= here
    for index in np.flatnonzero(present & ~found).tolist():
        faults.unfit(column, index, span.outside)
    return pa.array(out, pa.int64(), mask=~found).cast(TIMESTAMP)


def _tidy(array: pa.Array, column: Column, faults: Faults) -> pa.Array:
    """Rules beyond the type: no empty identifiers nor NUL in one, no negative counts, no NaN, known statuses only."""
    if column.type == pa.string():
        if column.name == "status":
            return _statuses(array, column, faults)
        if column.name not in FREE_TEXT:
            empty = pc.equal(array, "")
            if pc.any(empty).as_py():
                array = pc.if_else(empty, pa.scalar(None, pa.string()), array)
            # No id, and the state could not keep it: PostgreSQL takes no NUL in text.
            array = _without(array, pc.match_substring(array, "\0"), column, faults, "NUL in it")
    elif column.type == pa.int32():
        array = _without(array, pc.less(array, 0), column, faults, "number out of range")
    elif column.type == pa.float64():
        array = _without(array, pc.invert(pc.is_finite(array)), column, faults, "number out of range")
    return array


def _without(array: pa.Array, unfit: pa.Array, column: Column, faults: Faults, reason: str) -> pa.Array:
    if not pc.any(unfit).as_py():
        return array
    for index in np.flatnonzero(np.asarray(unfit.fill_null(False))).tolist():
        faults.unfit(column, index, reason)
    return pc.if_else(unfit, pa.scalar(None, array.type), array)


def _statuses(array: pa.Array, column: Column, faults: Faults) -> pa.Array:
    """Status words as the five of exchanges; account statuses are only lower-cased."""
    known = ACCOUNT_STATUSES if column in ACCOUNTS.columns else STATUSES
    if pc.all(pc.or_(pc.is_in(array, pa.array(known)), pc.is_null(array))).as_py():
        return array
    out: list[str | None] = []
    for index, word in enumerate(array.to_pylist()):
        plain = word.strip().lower().replace(" ", "_").replace("-", "_") if word else None
        if known is STATUSES and plain is not None:
            if plain not in STATUS_SYNONYMS:
                faults.remark("unknown status was taken as error", index)
            plain = STATUS_SYNONYMS.get(plain, "error")
        out.append(plain)
    return pa.array(out, pa.string())


def settle(columns: dict[str, pa.Array], table: Table, size: int, faults: Faults) -> pa.RecordBatch:
    """A batch of the table's exact schema; records without a required value are rejected, each with one reason."""
    keep = np.ones(size, dtype=bool)
    for column in table.columns:
        if not column.required:
            continue
        array = columns.get(column.name)
        missing = np.ones(size, dtype=bool) if array is None else np.asarray(array.is_null())
        for index in np.flatnonzero(missing & keep).tolist():
            reason = faults.reasons.get((column.name, index))
            said = f"no {column.name}" if reason is None else reason if column.name in reason else _said(column, reason)
            faults.rejects.add(faults.place(index), said, column.name)
        keep &= ~missing
    mask = None if keep.all() else pa.array(keep)
    out = []
    for column in table.columns:
        array = columns.get(column.name)
        if array is None:
            array = pa.nulls(int(keep.sum()), column.type)
        elif mask is not None:
            array = array.filter(mask)
        out.append(array)
    return pa.RecordBatch.from_arrays(out, schema=table.schema)


def _said(column: Column, reason: str) -> str:
    return f"{column.name}: {reason}"


def from_rows(rows: Sequence[dict[str, Any]], table: Table, span: times.Span, faults: Faults) -> dict[str, pa.Array]:
    """Columns from rows of any values; a column that no row names is left out."""
    named: set[str] = set().union(*rows) if rows else set()
    return {
        column.name: from_values([row.get(column.name) for row in rows], column, span, faults)
        for column in table.columns
        if column.name in named
    }


EXCHANGE_COLUMNS: Final = {column.name: column for column in EXCHANGES.columns}
