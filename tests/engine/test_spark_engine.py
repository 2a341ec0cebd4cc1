"""The distributed engine keeps its tables where they belong, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.engine.dialect import spark_sql, tables
from stillwatch.engine.spark import Spark, _reason


@pytest.fixture
def engine(spark_session, tmp_path):
    with Spark(spark_session, tmp_path, collect=0) as engine:
        yield engine


def parts(folder: Path, rows: int) -> Path:
    (folder / "parts").mkdir()
    for n in range(2):
        pq.write_table(pa.table({"x": range(n, rows, 2)}), folder / "parts" / f"{n}.parquet")
    return folder / "parts"


def kept(folder: Path) -> list[str]:
    return sorted(path.name.rsplit("-", 1)[0] for path in folder.glob("stillwatch-*/*"))


def test_tables_in_and_out(engine, tmp_path):
    engine.register_parquet("parts", parts(tmp_path, 10))
    engine.register("more", pa.table({"x": [7], "y": pa.array([None], pa.string())}))
    engine.create("all_x", "SELECT x FROM parts UNION ALL SELECT x FROM more")
    assert kept(tmp_path) == ["all_x"]
    engine.view("twice", "SELECT x, 2 * x AS y FROM all_x")
    assert engine.scalar("SELECT CAST(sum(y) AS BIGINT) FROM twice") == 2 * (45 + 7)
    assert engine.scalar("SELECT max(x) FROM all_x WHERE x > 100") == 0
    engine.create("all_x", "SELECT x FROM parts")
    assert engine.query("SELECT count(*) AS n FROM all_x").to_pylist() == [{"n": 10}]
    assert kept(tmp_path) == ["all_x"]
    engine.drop("all_x")
    engine.drop("all_x")
    assert kept(tmp_path) == []
    assert engine.query("SELECT x FROM more").to_pylist() == [{"x": 7}]
    engine.close()
    assert [path.name for path in tmp_path.iterdir()] == ["parts"]


def test_what_is_small_is_worked_on_by_the_driver(spark_session, tmp_path):
    """Nothing is asked of Spark any more, once a table has come to the driver."""
    with Spark(spark_session, tmp_path, collect=1_000_000) as engine:
        engine.register_parquet("parts", parts(tmp_path, 1000))
        engine.create("small", "SELECT x % 7 AS y, count(*) AS n FROM parts GROUP BY y")
        engine.session.catalog.dropTempView("small")
        assert engine.query("SELECT y, n FROM small ORDER BY y").num_rows == 7
        engine.create("smaller", "SELECT y FROM small WHERE n > 142")
        assert engine.scalar("SELECT count(*) FROM smaller") == 6
        # Where a table of the driver meets one of Spark's, it is given to Spark.
        engine.register("wanted", pa.table({"x": [3, 4, 5000]}))
        assert engine.scalar("SELECT count(*) FROM parts AS p JOIN wanted AS w ON w.x = p.x") == 2
        engine.register("wanted", pa.table({"x": [3]}))
        assert engine.scalar("SELECT count(*) FROM parts AS p JOIN wanted AS w ON w.x = p.x") == 1


def test_numbers_of_rows_are_as_wide_as_on_one_machine(engine):
    engine.register("t", pa.table({"a": [1, 2]}))
    engine.store("u", engine.session.createDataFrame(pa.table({"a": [1, 2]})))
    for name in ("t", "u"):
        found = engine.query(f"SELECT a, row_number() OVER (ORDER BY a) AS n, 1 AS one FROM {name} ORDER BY a")
        assert found["n"].to_pylist() == [1, 2]
    assert set(found.schema.types) == {pa.int64()}


def test_the_tables_that_a_query_reads():
    sql = "WITH a AS (SELECT x FROM b) SELECT x FROM a JOIN (SELECT x FROM c) AS d ON TRUE WHERE x IN (SELECT y FROM e)"
    assert tables(sql) == {"b", "c", "e"}


def test_what_the_dialects_say_apart():
    assert "NULLS LAST" in spark_sql("SELECT a FROM t ORDER BY a")
    assert "DIV" in spark_sql("SELECT a // 2 AS b FROM t")
    assert "EXCEPT (b)" in spark_sql("SELECT * EXCLUDE (b) FROM t")


def test_of_a_long_failure_the_cause_is_told():
    said = "An error occurred\n\tat a\nCaused by: org.A: lost\n\tat b\nCaused by: java.io.IOException: disk is full\n"
    assert _reason(RuntimeError(said)) == "java.io.IOException: disk is full"
    assert _reason(RuntimeError("[TABLE] not found\nmore")) == "[TABLE] not found"
