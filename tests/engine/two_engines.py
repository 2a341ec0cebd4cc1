"""What one query gave, in a form that can be compared with what another engine gave."""

from __future__ import annotations

import pyarrow as pa
import sqlglot


def same(found: pa.Table, expected: pa.Table, sql: str) -> bool:
    """Whether two engines gave the same rows, in the order that the query asks for; rows which that order has alike may
    stand either way."""
    ordered = [[table[name].to_pylist() for name in _ordered_by(sql, table)] for table in (found, expected)]
    named = [[name for name in table.column_names if name.isidentifier()] for table in (found, expected)]
    return named[0] == named[1] and _rows(found) == _rows(expected) and ordered[0] == ordered[1]


def _rows(table: pa.Table) -> list[tuple[object, ...]]:
    return sorted(zip(*(column.to_pylist() for column in table.columns), strict=True), key=repr)


def _ordered_by(sql: str, table: pa.Table) -> list[str]:
    """Columns of a result by which the query orders it."""
    order = sqlglot.parse_one(sql, dialect="duckdb").args.get("order")
    by = [term.this for term in order.expressions] if order else []
    names = [table.column_names[int(b.name) - 1] if b.is_int else b.name for b in by]
    return [name for name in names if name in table.column_names]


def names_of(sql: str) -> set[str]:
    """Kinds of the nodes of a query's syntax tree."""
    return {type(node).__name__ for node in sqlglot.parse_one(sql, dialect="duckdb").walk()}
