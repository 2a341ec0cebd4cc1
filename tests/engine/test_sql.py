"""Every query keeps to the SQL that means the same on both engines: sums and counts of integers, strings, equalities.

The syntax tree of each .sql file, of each kind of evidence and of each query that a scan asks is walked against the
allow-list of allowed.py: what is not named there has not been shown to mean the same on both engines, and is an error
until it has.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlglot
from allowed import ALLOWED, TYPES
from sqlglot import exp

import stillwatch
from stillwatch.evidence import kinds

FILES = sorted(Path(stillwatch.__file__).parent.rglob("*.sql"))
QUERIES = {str(p.relative_to(Path(stillwatch.__file__).parent)): p.read_text("utf-8") for p in FILES} | {
    f"evidence {kind.name}": kind.sql for kind in kinds()
}

# Where a sum may be as wide as an engine likes: it is compared or ordered by, and never given.
COMPARED = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Ordered)
# What ends an ordering: no two rows of what is ordered have it alike.
UNIQUE = {"exchange_no", "account_no", "account_id", "passage", "exchange_id", "event_no"}


# What stands in for the names that are filled into queries; a place for a number holds one.
NAMES = {"cells": "cells", "column": "prompt_hash"}


def tree(sql: str) -> exp.Expression:
    """The syntax tree."""
    ones = type("Ones", (dict,), {"__missing__": lambda self, key: "1"})
    filled = sql.format_map(ones(NAMES)) if "{" in sql else sql
    return sqlglot.parse_one(filled, dialect="duckdb")


def faults(sql: str) -> list[str]:
    """What in a query the allow-list does not have."""
    found = []
    for node in tree(sql).walk():
        name = type(node).__name__
        if isinstance(node, exp.Anonymous):
            found.append(f"function {node.name}")
        elif name not in ALLOWED:
            found.append(name)
        if isinstance(node, exp.DataType) and node.this.name not in TYPES:
            found.append(f"type {node.this.name}")
        if isinstance(node, exp.Literal) and not node.is_string and not node.is_int:
            found.append(f"number {node.this}")
        if isinstance(node, exp.Sum) and not isinstance(_outside(node), (exp.Cast, *COMPARED)):
            found.append("sum that is not cast to BIGINT")
        if isinstance(node, exp.Window) and node.args.get("order") and not isinstance(node.this, exp.DenseRank):
            last = node.args["order"].expressions[-1].this
            if not (isinstance(last, exp.Column) and last.name in UNIQUE):
                found.append(f"ordering that ends in {last.sql()}")
    return found


def _outside(node: exp.Expression) -> exp.Expression | None:
    """What stands around a node, FILTER, OVER and COALESCE not counted."""
    above = node.parent
    while isinstance(above, (exp.Filter, exp.Window, exp.Coalesce, exp.Paren)):
        above = above.parent
    return above


@pytest.mark.parametrize("name", QUERIES)
def test_queries_keep_to_the_allow_list(name):
    assert faults(QUERIES[name]) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT list(a) FROM t",
        "SELECT any_value(a) FROM t",
        "SELECT arg_max(a, b) FROM t",
        "SELECT avg(a) FROM t",
        "SELECT a / 2 FROM t",
        "SELECT 0.5 * a FROM t",
        "SELECT quantile_cont(a, 1) FROM t",
        "SELECT median(a) FROM t",
        "SELECT lower(a) FROM t",
        "SELECT hash(a) FROM t",
        "SELECT CAST(a AS DOUBLE) FROM t",
        "SELECT CAST(a AS HUGEINT) FROM t",
        "SELECT sum(a) FROM t",
        "SELECT row_number() OVER (ORDER BY time_us) FROM t",
        "SELECT a FROM t WHERE a LIKE 'x%'",
        "SELECT ln(a) FROM t",
        "SELECT approx_count_distinct(a) FROM t",
        "SELECT now()",
    ],
)
def test_what_differs_between_engines_is_seen(sql):
    assert faults(sql)
