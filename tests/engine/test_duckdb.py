"""The embedded engine keeps to its folder and says in one line what it lacked."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.engine import DuckDB
from stillwatch.errors import EnvironmentFailure


def test_tables_in_and_out(tmp_path):
    (tmp_path / "parts").mkdir()
    for i in range(2):
        pq.write_table(pa.table({"x": [i, None]}), tmp_path / "parts" / f"{i}.parquet")
    with DuckDB(tmp_path) as engine:
        engine.register_parquet("parts", tmp_path / "parts")
        engine.register("more", pa.table({"x": [7]}))
        engine.create("all_x", "SELECT x FROM parts UNION ALL SELECT x FROM more")
        assert engine.scalar("SELECT CAST(sum(x) AS BIGINT) FROM all_x") == 8
        assert engine.scalar("SELECT max(x) FROM all_x WHERE x > 100") == 0
        engine.drop("all_x")
        engine.drop("all_x")
        assert engine.query("SELECT x FROM more").to_pylist() == [{"x": 7}]
    assert not (tmp_path / "engine").exists()


def test_nothing_is_fetched_for_it(tmp_path):
    with DuckDB(tmp_path) as engine:
        assert engine.query("SELECT current_setting('autoinstall_known_extensions') AS x").to_pylist() == [{"x": False}]


def test_want_of_memory_is_one_line(tmp_path):
    with DuckDB(tmp_path, memory_limit="20MB", threads=1) as engine, pytest.raises(EnvironmentFailure) as failure:
        engine.query("SELECT string_agg(CAST(range AS VARCHAR), ',') AS x FROM range(30000000)")
    assert "ran out of room" in str(failure.value) and "\n" not in str(failure.value)


def test_tables_and_named_queries_are_forgotten(tmp_path):
    with DuckDB(tmp_path) as engine:
        engine.create("numbers", "SELECT 1 AS n")
        engine.view("named", "SELECT n FROM numbers")
        for name in ("named", "numbers", "never_made"):
            engine.drop(name)
        engine.create("named", "SELECT 2 AS n")
        assert engine.scalar("SELECT n FROM named") == 2
