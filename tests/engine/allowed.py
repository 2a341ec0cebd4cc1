"""The SQL that the project's queries may use, each construct with queries that both engines must answer alike.

The tables hold what engines differ over: NULL, ties, negative numbers, empty strings, letters of several cases and
scripts (their order is that of their bytes), characters beyond the first 65,536, escapes, lists that are NULL or empty.
"""

from __future__ import annotations

import pyarrow as pa

T = pa.table(
    {
        "k": pa.array(range(12), pa.int64()),
        "a": pa.array([3, -3, None, 0, 3, 7, None, -(2**62), 2**62, 7, -1, 0], pa.int64()),
        "b": pa.array([1, None, 1, -2, -2, 5, 5, None, 0, 9, -7, 0], pa.int64()),
        "s": pa.array(["b", "B", None, "", "日本", "é", "e\u0301", "😀", "a'\\n\n", "日本", None, "ß"], pa.string()),
        "v": pa.array([True, None, False, True, True, False, None, None, False, True, False, True], pa.bool_()),
        "p": pa.array(
            [[1, 2], None, [], [-5], [2, 2], [2**62], None, [0], [7, -7, 7], [1], [], [3]], pa.list_(pa.int64())
        ),
    }
)
U = pa.table(
    {
        "k": pa.array([0, 1, 2, 3, 20, 21], pa.int64()),
        "a": pa.array([3, None, -3, 3, 99, None], pa.int64()),
        "s": pa.array(["B", None, "日本", "", "😀", "ss"], pa.string()),
    }
)
NONE = T.slice(0, 0)
TABLES = {"t": T, "u": U, "nothing": NONE}

_SHAPE = "SELECT k, a AS x, s FROM t"
_JOINED = "SELECT t.k, u.k AS other FROM t JOIN u ON u.a = t.a AND u.s <> t.s"

# Shape, names, comparison and integer arithmetic. `/` is left out (it divides integers differently); floats, patterns,
# letter case, hashes, dates and estimates are: what they mean is the engine's own affair.
ALLOWED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("Select", "From", "Table", "Column", "Identifier", "Alias"), (_SHAPE,)),
    "Star": (
        "SELECT * FROM u",
        "SELECT * EXCLUDE (p) FROM t",
        "SELECT t.v, u.* EXCLUDE (k) FROM t JOIN u ON u.k = t.k",
    ),
    "Literal": ("SELECT k, 'it''s 日本 \\n 😀' AS x, -5 AS y, 4611686018427387904 AS z FROM t",),
    "Boolean": ("SELECT k, TRUE AS x FROM t WHERE v = FALSE",),
    "Null": ("SELECT k, NULL AS x FROM t WHERE s IS NULL",),
    **dict.fromkeys(
        ("Join", "TableAlias"),
        (
            _JOINED,
            "SELECT x.k, y.k AS other FROM t AS x JOIN t AS y ON y.s = x.s AND x.k < y.k",
            "SELECT t.k, u.k AS other FROM t LEFT JOIN u ON u.s = t.s",
            "SELECT t.k, u.k AS other FROM t LEFT JOIN u ON u.a = t.a AND t.k > 3 WHERE u.k IS NULL",
        ),
    ),
    "Where": ("SELECT k FROM t WHERE a > b",),
    "Group": (
        "SELECT s, v, count(*) AS n FROM t GROUP BY s, v",
        "SELECT a % 4 AS x, count(*) AS n FROM t WHERE a >= 0 GROUP BY x",
        "SELECT count(*) AS n, CAST(sum(a) AS BIGINT) AS x, min(s) AS y FROM nothing",
        "SELECT s, count(*) AS n FROM nothing GROUP BY s",
    ),
    "Having": (
        "SELECT s FROM t GROUP BY s HAVING count(*) > 1 OR min(a) <> max(a)",
        "SELECT v FROM t GROUP BY v HAVING sum(b) >= 0",
    ),
    "Order": (
        "SELECT s, k FROM t ORDER BY s, k",
        "SELECT s, a, k FROM t ORDER BY s DESC, a, k DESC",
        "SELECT s, k FROM t ORDER BY 1, 2",
    ),
    "Ordered": (
        "SELECT a, k FROM t ORDER BY a NULLS FIRST, k",
        "SELECT a, k FROM t ORDER BY a DESC NULLS LAST, k",
        "SELECT v, k FROM t ORDER BY v, k",
    ),
    "Limit": (
        "SELECT s, k FROM t ORDER BY s DESC, k LIMIT 4",
        "SELECT a FROM (SELECT a, k FROM t ORDER BY a, k LIMIT 5)",
    ),
    "Union": (
        "SELECT a, s FROM t UNION SELECT a, s FROM u",
        "SELECT a FROM t UNION ALL SELECT k FROM u",
        "SELECT s FROM t WHERE k > 100 UNION SELECT s FROM u",
    ),
    "Subquery": ("SELECT x.s, x.n FROM (SELECT s, count(*) AS n FROM t GROUP BY s) AS x WHERE x.n > 1",),
    **dict.fromkeys(
        ("With", "CTE"), ("WITH c AS (SELECT a FROM t), d AS (SELECT a FROM c WHERE a > 0) SELECT a FROM d",)
    ),
    "Distinct": (
        "SELECT DISTINCT s, v FROM t",
        "SELECT count(DISTINCT s) AS x, count(DISTINCT a) AS y, count(DISTINCT v) AS z FROM t",
        "SELECT v, count(DISTINCT CASE WHEN a > 0 THEN s END) AS x FROM t GROUP BY v",
    ),
    **dict.fromkeys(("Paren", "Or", "And"), ("SELECT k FROM t WHERE (a > 0 OR s = '') AND (v OR b < 0)",)),
    "Not": ("SELECT k FROM t WHERE NOT v", "SELECT k FROM t WHERE NOT (a > 0 AND v)"),
    "Is": ("SELECT k FROM t WHERE a IS NOT NULL AND s IS NULL", "SELECT k FROM t WHERE v IS NULL"),
    **{
        name: (f"SELECT k FROM t WHERE a {sign} b", f"SELECT t.k, u.k AS other FROM t JOIN u ON u.s {sign} t.s")
        for name, sign in {"EQ": "=", "NEQ": "<>", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}.items()
    },
    "NullSafeEQ": ("SELECT t.k, u.k AS other FROM t JOIN u ON u.s IS NOT DISTINCT FROM t.s",),
    "NullSafeNEQ": ("SELECT k, a IS DISTINCT FROM b AS x FROM t",),
    "Between": (
        "SELECT k FROM t WHERE a BETWEEN b AND 5",
        "SELECT k FROM t WHERE s BETWEEN 'B' AND 'é'",
        "SELECT k FROM t WHERE NOT a BETWEEN -3 AND 3",
    ),
    "In": (
        "SELECT k FROM t WHERE s IN ('日本', '', 'b')",
        "SELECT k FROM t WHERE a IN (SELECT a FROM u)",
        "SELECT k FROM t WHERE a NOT IN (SELECT a FROM u WHERE a IS NOT NULL)",
        "SELECT k FROM t WHERE a NOT IN (SELECT a FROM u)",
    ),
    "Exists": ("SELECT k FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a)",),
    "Tuple": ("SELECT k FROM t WHERE (a, s) IN (SELECT a, s FROM u)",),
    "Values": ("SELECT x.n, x.w FROM (VALUES (1, 'é'), (-2, NULL)) AS x(n, w)",),
    "Add": ("SELECT k, k + b AS x FROM t",),
    "Sub": ("SELECT k, b - k AS x, 1 - b AS y FROM t",),
    "Mul": ("SELECT k, b * b AS x, b * 3600000000 AS y FROM t",),
    "Mod": ("SELECT k, a % 24 AS x, b % 3 AS y FROM t",),
    "IntDiv": ("SELECT k, a // 86400000000 AS x, b // 2 AS y, (4 * k + 1) // 3 AS z FROM t",),
    "Neg": ("SELECT k, -b AS x FROM t",),
    "Abs": ("SELECT k, abs(b) AS x FROM t",),
    **dict.fromkeys(
        ("Case", "If"),
        (
            "SELECT k, CASE WHEN a > 0 THEN 1 ELSE 0 END AS x, CASE WHEN v THEN s END AS y FROM t",
            "SELECT CAST(sum(CASE WHEN s = '日本' THEN 1 ELSE 0 END) AS BIGINT) AS x FROM t",
        ),
    ),
    **dict.fromkeys(
        ("Cast", "DataType"),
        (
            "SELECT k, CAST(a AS VARCHAR) AS x, CAST(v AS VARCHAR) AS y FROM t",
            "SELECT k, CAST(v AS BIGINT) AS x, CAST('-12' AS BIGINT) AS y, CAST(b AS BOOLEAN) AS z FROM t",
        ),
    ),
    "Coalesce": ("SELECT k, coalesce(a, b, 0) AS x, coalesce(s, 'none') AS y FROM t",),
    "Greatest": ("SELECT k, greatest(a, b) AS x, greatest(s, 'c') AS y FROM t",),
    "Least": ("SELECT k, least(a, b, 2) AS x FROM t",),
    "DPipe": ("SELECT k, s || ' ' || coalesce(s, '') AS x, 'of ' || CAST(b AS VARCHAR) AS y FROM t",),
    "Count": ("SELECT v, count(*) AS x, count(a) AS y, count(s) AS z FROM t GROUP BY v",),
    "Sum": (
        "SELECT v, CAST(sum(b) AS BIGINT) AS x, CAST(sum(coalesce(b, 0) * b) AS BIGINT) AS y FROM t GROUP BY v",
        "SELECT s FROM t WHERE s IS NOT NULL GROUP BY s ORDER BY sum(b) DESC, s LIMIT 3",
    ),
    "Min": ("SELECT v, min(a) AS x, min(s) AS y FROM t GROUP BY v",),
    "Max": ("SELECT v, max(a) AS x, max(s) AS y FROM t GROUP BY v",),
    "Filter": ("SELECT v, count(*) FILTER (WHERE a > 0) AS x, min(s) FILTER (WHERE b < 0) AS y FROM t GROUP BY v",),
    "Window": (
        "SELECT k, count(*) OVER (PARTITION BY s) AS x, min(a) OVER (PARTITION BY v) AS y FROM t",
        "SELECT k, CAST(sum(b) OVER (PARTITION BY v ORDER BY a, k) AS BIGINT) AS x FROM t",
    ),
    "WindowSpec": (
        "SELECT k, min(b) OVER (ORDER BY k ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING) AS x FROM t",
        "SELECT k, max(s) OVER (PARTITION BY v ORDER BY a, k ROWS UNBOUNDED PRECEDING) AS x FROM t",
    ),
    "RowNumber": (
        "SELECT k, row_number() OVER (PARTITION BY v ORDER BY s, a DESC, k) - 1 AS x FROM t",
        "SELECT k, row_number() OVER (ORDER BY s NULLS FIRST, k) * 4000000000 AS x FROM t",
    ),
    "DenseRank": ("SELECT k, dense_rank() OVER (ORDER BY s) AS x, dense_rank() OVER (ORDER BY a DESC) AS y FROM t",),
    "Lag": ("SELECT k, lag(a) OVER (PARTITION BY v ORDER BY s, k) AS x FROM t",),
    "Lead": ("SELECT k, lead(s, 2) OVER (ORDER BY a, k) AS x FROM t",),
    "Explode": ("SELECT k, unnest(p) AS x FROM t", "SELECT x.y FROM (SELECT unnest(p) AS y FROM t) AS x"),
}
TYPES = {"BIGINT", "VARCHAR", "TEXT", "BOOLEAN"}
