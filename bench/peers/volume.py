"""Volume alone: python -m bench.peers.volume WORLD OUT."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from bench.peers.told import Told

MEASURES = {
    "exchanges": "count(*)",
    "exchanges a day active": "count(*) / count(DISTINCT time::DATE)",
    "output tokens": "sum(output_tokens)",
    "input tokens": "sum(input_tokens)",
}


def main() -> None:
    world, out = Path(sys.argv[1]), Path(sys.argv[2])
    told = Told()
    for name, measure in MEASURES.items():
        rows = duckdb.sql(f"SELECT account_id, {measure} FROM '{world / 'exchanges.parquet'}' GROUP BY account_id")
        told.settings[name] = {account: float(value or 0) for account, value in rows.fetchall()}
    told.write(out)


if __name__ == "__main__":
    main()
