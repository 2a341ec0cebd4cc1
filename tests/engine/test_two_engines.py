"""Every construct that the project's SQL may use means the same on both engines."""

from __future__ import annotations

import pyarrow as pa
import pytest
from allowed import ALLOWED, TABLES
from asked import made_odd
from test_sql import faults
from two_engines import names_of, same

from stillwatch.engine import DuckDB
from stillwatch.engine.dialect import spark_sql

QUERIES = list(dict.fromkeys(sql for several in ALLOWED.values() for sql in several))


@pytest.mark.parametrize("name", ALLOWED)
def test_each_construct_stands_in_a_query_of_its_own(name):
    assert any(name in names_of(sql) for sql in ALLOWED[name])


@pytest.fixture(scope="module")
def duckdb(tmp_path_factory):
    with DuckDB(tmp_path_factory.mktemp("allowed"), threads=2) as engine:
        for name, table in TABLES.items():
            engine.register(name, table)
        yield engine


@pytest.fixture(scope="module")
def spark(spark_session):
    for name, table in TABLES.items():
        spark_session.createDataFrame(table).createOrReplaceTempView(name)
    return spark_session


@pytest.mark.parametrize("sql", QUERIES)
def test_both_engines_give_the_same_rows(sql, duckdb, spark):
    expected, found = duckdb.query(sql), spark.sql(spark_sql(sql)).toArrow()
    assert same(found, expected, sql), f"{found.to_pylist()} is not {expected.to_pylist()}"


def test_a_scan_asks_nothing_else(embedded):
    _, asked = embedded
    assert {sql: found for sql in (a.sql for a in asked) if (found := faults(sql))} == {}


def test_both_engines_answer_all_that_a_scan_asks(embedded, duckdb, spark_session):
    """Each query over the tables of a scan, made odd: rows that no sound log has are told alike as well."""
    _, asked = embedded
    spark = spark_session.newSession()
    # Compiling a hundred queries would take longer than answering them; those that a scan on Spark asks are compiled.
    spark.conf.set("spark.sql.codegen.wholeStage", "false")
    spark.conf.set("spark.sql.adaptive.enabled", "false")
    spark.conf.set("spark.sql.shuffle.partitions", "2")
    assert len(asked) > 60
    given: dict[str, pa.Table] = {}
    differ = []
    for seed, one in enumerate(asked):
        for name, table in one.tables.items():
            if given.get(name) is not table:
                given[name] = table
                odd = made_odd(table, seed)
                duckdb.register(name, odd)
                spark.createDataFrame(odd).createOrReplaceTempView(name)
        if not same(spark.sql(spark_sql(one.sql)).toArrow(), duckdb.query(one.sql), one.sql):
            differ.append(one.sql)
    assert differ == []
