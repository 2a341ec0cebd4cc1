"""The project's SQL, which is DuckDB's, as Spark's: what sqlglot makes of it, and what it leaves unsaid.

What may stand in a query is held by the allow-list of tests/engine/test_two_engines.py, each entry with a fixture that
both engines must answer alike.
"""

from __future__ import annotations

from functools import lru_cache

import sqlglot
from sqlglot import exp

# DuckDB numbers rows and ranks with BIGINT, Spark with INT, which would make other arithmetic of them.
_RANKS = (exp.RowNumber, exp.Rank, exp.DenseRank)


@lru_cache(maxsize=1024)
def tables(sql: str) -> frozenset[str]:
    """Names of the tables that a query reads, those of its own WITH left out."""
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    return frozenset(table.name for table in tree.find_all(exp.Table)) - own


@lru_cache(maxsize=1024)
def spark_sql(sql: str) -> str:
    """The query as Spark takes it."""
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    return tree.transform(_ranked).sql(dialect="spark", comments=False)


def _ranked(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.Window) and isinstance(node.this, _RANKS):
        return exp.cast(node, exp.DataType.Type.BIGINT)
    return node
