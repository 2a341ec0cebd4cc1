"""Every query that a scan asks its engine, with the tables that it was asked of."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from stillwatch.engine import DuckDB
from stillwatch.engine.dialect import tables

# What a table's rows are told apart by, or an ordering ends in: it must stay unique.
KEYS = {"exchange_no", "account_no", "account_id", "passage", "exchange_id"}
STRINGS = ["", "é", "e\u0301", "日本", "😀", "a'\\n", "Z", "z", "ß"]


@dataclass(frozen=True)
class Asked:
    """One query and what it was asked of."""

    sql: str
    tables: dict[str, pa.Table]


class Recording(DuckDB):
    """The embedded engine, which notes the first of all queries that are alike but for their numbers."""

    asked: dict[str, Asked]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seen: dict[str, pa.Table] = {}

    def query(self, sql: str) -> pa.Table:
        self._note(sql)
        return super().query(sql)

    def create(self, name: str, sql: str) -> None:
        self._note(sql)
        super().create(name, sql)
        self._seen.pop(name, None)

    def register(self, name: str, table: pa.Table) -> None:
        super().register(name, table)
        self._seen.pop(name, None)

    def _note(self, sql: str) -> None:
        shape = re.sub(r"\b\d+\b", "0", sql)
        if shape not in self.asked:
            for name in tables(sql) - self._seen.keys():
                self._seen[name] = super().query(f"SELECT * FROM {name}")
            self.asked[shape] = Asked(sql, {name: self._seen[name] for name in tables(sql)})


def made_odd(table: pa.Table, seed: int) -> pa.Table:
    """The table with NULLs, ties, negative numbers and letters of many scripts strewn over it."""
    draw = random.Random(seed)
    columns = {}
    for field in table.schema:
        values = table[field.name].to_pylist()
        if field.name not in KEYS:
            values = [_odd(value, draw) for value in values]
        columns[field.name] = pa.array(values, field.type)
    return pa.table(columns)


def _odd(value: object, draw: random.Random) -> object:
    at = draw.random()
    if at < 0.1:
        return None
    if isinstance(value, str) and at < 0.3:
        return draw.choice(STRINGS)
    if isinstance(value, int) and not isinstance(value, bool) and at < 0.3:
        return draw.choice((-value, 0, -1, 1))
    return value
