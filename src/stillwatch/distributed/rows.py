"""What a task gives: enriched rows, and among them rows that tell what it set aside and which columns had values.

What is told goes the way of the rows, so that only what was told by the attempt which Spark commits arrives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
from pyspark.sql import DataFrame

from stillwatch.engine.spark import Spark
from stillwatch.enrich import Gear, enrich
from stillwatch.sources import Chosen, Rejects
from stillwatch.tables import ENRICHED, EXCHANGES

# Room for the rows of one file, and for 2^31 files, in 63 bits.
ROWS_A_FILE = 2**32

_SPARK_TYPES = {pa.int64(): "bigint", pa.string(): "string", pa.list_(pa.int64()): "array<bigint>"}
ROWS = ", ".join([*(f"`{field.name}` {_SPARK_TYPES[field.type]}" for field in ENRICHED.schema), "report string"])
TEXTS = "exchange_no bigint, system_prompt string, prompt string"

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Reading:
    """How traffic is read and enriched; every task has it."""

    chosen: Chosen
    gear: Gear
    batch_rows: int


@dataclass(frozen=True, slots=True)
class Found:
    """What was read: exchanges, the columns of which some had a value, and files by format."""

    rows: int
    columns: frozenset[str]
    formats: dict[str, int]


class Told(Rejects):
    """What a task sets aside and remarks, kept to be said again on the driver. `path` there is not the task's own."""

    def __init__(self, here: str = "", there: str = "") -> None:
        super().__init__(None)
        self._names = here, there
        self._added: list[tuple[str, str, str | None, bool]] = []

    def add(self, place: str, reason: str, field: str | None = None, *, file: bool = False) -> None:
        """Keep a record, or a file, that was set aside."""
        self._added.append((place.replace(*self._names), reason, field, file))

    def report(self, at: int, rows: int, columns: Iterable[str], format: str | None = None) -> pa.RecordBatch:
        """All that there is to tell of `rows` exchanges from number `at` on, as rows of `ROWS`. format: of the file,
        once a file."""
        remarks = [(what, self._first_place[what].replace(*self._names), n) for what, n in self._remarks.items()]
        whole = {"rows": rows, "columns": sorted(columns), "remarks": remarks, "format": format}
        lines = [{"at": at, "nth": -1, **whole}]
        lines += [{"at": at, "nth": nth, "added": added} for nth, added in enumerate(self._added)]
        said = pa.array([orjson.dumps(line).decode() for line in lines], pa.string())
        empty = [pa.nulls(len(lines), field.type) for field in ENRICHED.schema]
        return pa.RecordBatch.from_arrays([*empty, said], names=[*ENRICHED.names, "report"])


def enriched(batch: pa.RecordBatch, numbers: Numbers, gear: Gear) -> pa.RecordBatch:
    """Exchanges under their numbers, enriched, as rows of `ROWS`."""
    made = enrich(batch, 0, gear)
    columns = [pa.array(numbers), *made.columns[1:], pa.nulls(made.num_rows, pa.string())]
    return pa.RecordBatch.from_arrays(columns, names=[*ENRICHED.names, "report"])


def present(batch: pa.RecordBatch) -> set[str]:
    """Columns of which some exchange has a value."""
    return {name for name in EXCHANGES.names if batch.column(name).null_count < batch.num_rows}


def texts(batch: pa.RecordBatch, numbers: Numbers, wanted: Numbers) -> Iterator[pa.RecordBatch]:
    """The prompts of those exchanges that are wanted, as rows of `TEXTS`."""
    at = np.flatnonzero(np.isin(numbers, wanted))
    if len(at):
        rows = batch.select(["system_prompt", "prompt"]).take(pa.array(at))
        yield pa.RecordBatch.from_arrays(
            [pa.array(numbers[at]), *rows.columns], names=["exchange_no", "system_prompt", "prompt"]
        )


def take(spark: Spark, frame: DataFrame, rejects: Rejects) -> Found:
    """Compute a frame of `ROWS`, leave its exchanges as `enriched` in the engine, and say again what was told."""
    spark.store("read_traffic", frame)
    reports = spark.query("SELECT report FROM read_traffic WHERE report IS NOT NULL")
    lines = sorted(map(orjson.loads, reports["report"].to_pylist()), key=itemgetter("at", "nth"))
    found, left_out = _said_again(lines, rejects)
    kept = "".join(f" AND NOT exchange_no BETWEEN {first} AND {last}" for first, last in left_out)
    spark.view("enriched", f"SELECT {', '.join(ENRICHED.names)} FROM read_traffic WHERE report IS NULL{kept}")
    return found


def _said_again(lines: Iterable[dict[str, Any]], rejects: Rejects) -> tuple[Found, list[tuple[int, int]]]:
    """Put what tasks told into `rejects`, in reading order. Gives what was found, and the numbers that do not count,
    since their file broke off before them: one reader of the whole would not have come to them."""
    rows = 0
    formats: Counter[str] = Counter()
    columns: set[str] = set()
    broken: set[int] = set()
    left_out: list[tuple[int, int]] = []
    for at, (whole, *added) in ((at, list(several)) for at, several in groupby(lines, itemgetter("at"))):
        file = at // ROWS_A_FILE
        if file in broken:
            left_out.append((at, at + whole["rows"]))
            continue
        rows += whole["rows"]
        columns.update(whole["columns"])
        formats.update([whole["format"]] if whole["format"] else [])
        for what, place, times in whole["remarks"]:
            rejects.remark(what, place, times)
        for place, reason, field, of_file in (line["added"] for line in added):
            rejects.add(place, reason, field, file=of_file)
            if of_file:
                broken.add(file)
    return Found(rows, frozenset(columns), dict(formats)), left_out
