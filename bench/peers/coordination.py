# /// script
# requires-python = ">=3.11"
# dependencies = ["coordination-network-toolkit==1.5.2", "pyarrow>=22"]
# ///
"""coordination-network-toolkit 1.5.2 (Graham, QUT DMRC), as it is: uv run --script coordination.py WORLD OUT.

It looks for accounts that post the same within a time window. An exchange is a message; its networks are given what
would serve them best. An account's score is the greatest weight of an edge that it has, so that a threshold on scores
is one on weights (`min_edge_weight`); the other setting sums them.
"""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import coordination_network_toolkit.compute_networks as compute
import pyarrow.parquet as pq
from coordination_network_toolkit.preprocess import preprocess_csv_files
from coordination_network_toolkit.similarity import get_similarity_fn_from_min_size

THREADS = os.cpu_count() or 1
HOUR, DAY = 3_600, 86_400
# The tool's own default, below which an edge may be a coincidence.
LEAST_WEIGHT = 2
# Of Jaccard thresholds 0.8 (the tool's own), 0.5 and 0.2 the best by far on a tuning world: average precision 0.17,
# 0.29 and 0.60. Templates are short and payloads long, so whole prompts are never much alike.
SIMILAR = 0.2
Row = dict[str, object]


def message_rows(rows: Iterable[Row], text: str) -> Iterator[list[object]]:
    """Rows of the tool's CSV: a text as the message, the address as a link."""
    for row in rows:
        when = int(row["time"].timestamp())  # type: ignore[attr-defined]
        link = f"http://{row['ip']}/" if row["ip"] else ""
        yield [row["exchange_id"], row["account_id"], row["account_id"], "", "", row[text] or "", when, link]


def database(folder: Path, rows: list[Row], text: str) -> str:
    """The tool's database of all exchanges that have the text."""
    names = ["message_id", "user_id", "username", "repost_id", "reply_id", "message", "timestamp", "urls"]
    path = folder / f"{text}.csv"
    with path.open("w", newline="", encoding="utf-8", errors="replace") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(r for r in message_rows(rows, text) if r[5])
    preprocess_csv_files(str(folder / f"{text}.db"), [str(path)])
    return str(folder / f"{text}.db")


def edges(path: str, network: str) -> tuple[dict[str, float], dict[str, float]]:
    """The greatest and the summed weight of every account's edges to others."""
    greatest: dict[str, float] = defaultdict(float)
    summed: dict[str, float] = defaultdict(float)
    with sqlite3.connect(path) as connection:
        for a, b, weight in connection.execute(f"SELECT user_1, user_2, weight FROM {network}_network"):
            if a != b:
                greatest[a] = max(greatest[a], weight)
                summed[a] += weight
    return dict(greatest), dict(summed)


def networks() -> Iterator[tuple[str, str, str, Callable[[str], object]]]:
    """Name, text, network, and what computes it in a database. The quick ones come first: the process may be stopped.

    Left out after measuring on a tuning world: co_retweet of system prompts, whose figures were those of co_tweet.
    """
    more = {"min_edge_weight": LEAST_WEIGHT, "n_threads": THREADS}
    for within, seconds in (("an hour", HOUR), ("a week", 7 * DAY)):
        tweets = partial(compute.compute_co_tweet_network, time_window=seconds, **more)
        yield f"co_tweet of system prompts within {within}", "system_prompt", "co_tweet", tweets
        yield f"co_tweet of prompts within {within}", "prompt", "co_tweet", tweets
        links = partial(compute.compute_co_link_network, time_window=seconds, **more)
        yield f"co_link of addresses within {within}", "prompt", "co_link", links
    yield (
        "co_post within ten seconds",
        "prompt",
        "co_post",
        partial(compute.compute_co_post_network, time_window=10, **more),
    )
    similar = partial(
        compute.compute_co_similar_tweet,
        time_window=HOUR // 2,
        similarity_threshold=SIMILAR,
        similarity_function=get_similarity_fn_from_min_size(5),
        **more,
    )
    yield f"co_similar_tweet of prompts at {SIMILAR} within half an hour", "prompt", "co_similar_tweet", similar


def main() -> None:
    world, out = Path(sys.argv[1]), Path(sys.argv[2])
    columns = ["exchange_id", "account_id", "time", "ip", "system_prompt", "prompt"]
    rows = pq.read_table(world / "exchanges.parquet", columns=columns).to_pylist()
    settings: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as work:
        databases: dict[str, str] = {}
        for name, text, network, run in networks():
            if text not in databases:
                databases[text] = database(Path(work), rows, text)
            run(databases[text])
            greatest, summed = edges(databases[text], network)
            settings |= {f"{name}, greatest weight": greatest, f"{name}, summed weight": summed}
            unfinished = out.with_suffix(".unfinished")
            unfinished.write_text(json.dumps({"settings": settings, "windows": {}}), "utf-8")
            unfinished.replace(out)


if __name__ == "__main__":
    main()
