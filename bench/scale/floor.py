"""The floor: DuckDB reads the files and hashes every prompt once, on two cores: python -m bench.scale.floor FILES"""

from __future__ import annotations

import sys

import duckdb

if __name__ == "__main__":
    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    print(connection.execute("SELECT count(*), bit_xor(hash(prompt)) FROM read_parquet(?)", [sys.argv[1:]]).fetchall())
