# /// script
# requires-python = ">=3.11"
# dependencies = ["coordination-network-toolkit==1.5.2", "pyarrow>=22"]
# ///
"""coordination-network-toolkit's similarity network of the prompts: uv run --script coordination_similarity.py WORLD.

An exchange is a message; texts alike at 0.5 within half an hour make an edge. Two processes.
"""

import csv
import sys
import tempfile
from functools import partial
from pathlib import Path

import coordination_network_toolkit.compute_networks as compute
import pyarrow.parquet as pq
from coordination_network_toolkit.preprocess import preprocess_csv_files
from coordination_network_toolkit.similarity import get_similarity_fn_from_min_size

NAMES = ["message_id", "user_id", "username", "repost_id", "reply_id", "message", "timestamp", "urls"]


def main(world: Path, work: Path) -> None:
    """Put the prompts into the tool's database and compute its network."""
    with (work / "messages.csv").open("w", newline="", encoding="utf-8", errors="replace") as file:
        writer = csv.writer(file)
        writer.writerow(NAMES)
        for path in sorted(world.glob("exchanges*.parquet")):
            columns = ["exchange_id", "account_id", "time", "prompt"]
            for batch in pq.ParquetFile(path).iter_batches(4_096, columns=columns):
                for row in batch.to_pylist():
                    if row["prompt"]:
                        account = row["account_id"]
                        when = int(row["time"].timestamp())
                        writer.writerow([row["exchange_id"], account, account, "", "", row["prompt"], when, ""])
    database = str(work / "messages.db")
    preprocess_csv_files(database, [str(work / "messages.csv")])
    partial(
        compute.compute_co_similar_tweet,
        time_window=1_800,
        similarity_threshold=0.5,
        similarity_function=get_similarity_fn_from_min_size(5),
        min_edge_weight=2,
        n_threads=2,
    )(database)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="coordination-") as folder:
        main(Path(sys.argv[1]), Path(folder))
