"""How the distributed stages of a scan on Spark grow with workers: `python -m bench.spark WORLD`.

A standalone cluster on loopback, of workers of one core each: a master, its workers, and the driver in this process.
What is timed is what Spark's tasks do: reading and enriching the traffic, then the rollups of the store. Starting Spark
is not, nor is what the driver does with tables as large as the accounts. One worker and two run by turns, so that other
programs disturb both alike; beside the elapsed time stands the processor time of the busiest worker, which they hardly
change.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.spark_cluster import cluster
from stillwatch import sources, store
from stillwatch.distributed import Files, Reading
from stillwatch.engine.spark import Spark, session
from stillwatch.enrich import Gear
from stillwatch.sources import Chosen, Rejects

# What the project asks of itself: the time with two workers as a share of the time with one.
MOST = 0.65
CONF = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.executor.memory": "2g",
    "spark.sql.shuffle.partitions": "8",
}


@dataclass(frozen=True, slots=True)
class Run:
    """elapsed: seconds of each distributed stage. processor: seconds that each worker's processes used meanwhile."""

    elapsed: dict[str, float]
    processor: list[float]


def stages(world: Path, workers: int) -> Run:
    """The distributed stages on so many workers."""
    with (
        tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as folder,
        cluster(Path(folder), workers, memory="3g") as running,
        session(running.url, CONF) as within,
        Spark(within, Path(folder)) as engine,
    ):
        traffic = Files.of(
            sources.discover([str(world)], rejects=Rejects(None)), Reading(Chosen(), Gear.from_key(), 16_384)
        )
        # The first tasks start Python on each worker and load the kernels there.
        traffic.texts(engine, [piece.first_no for piece in traffic.pieces[:workers]])
        before, started = running.processor(), time.monotonic()
        found = traffic.read(engine, Rejects(None))
        read = time.monotonic()
        ids = engine.scalar("SELECT count(DISTINCT exchange_id) FROM enriched")
        store.build(engine, has_duplicates=ids < found.rows)
        elapsed = {"enrich": read - started, "store": time.monotonic() - read}
        return Run(elapsed, [b - a for a, b in zip(before, running.processor(), strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("world", type=Path, help="a folder of traffic, as `stillwatch simulate` writes it")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    took: dict[int, list[Run]] = {1: [], 2: []}
    for _ in range(arguments.runs):
        for workers, runs in took.items():
            run = stages(arguments.world, workers)
            runs.append(run)
            each = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in run.elapsed.items())
            used = " and ".join(f"{seconds:.1f}" for seconds in run.processor)
            print(f"{workers} worker(s): {each}; processor {used} s; load {os.getloadavg()[0]:.1f}", flush=True)
    whole = {workers: statistics.median(sum(run.elapsed.values()) for run in runs) for workers, runs in took.items()}
    # What the elapsed time would be with a core for each worker and nobody else on them.
    busiest = {workers: statistics.median(max(run.processor) for run in runs) for workers, runs in took.items()}
    print(f"elapsed: one worker {whole[1]:.1f} s, two {whole[2]:.1f} s: {whole[2] / whole[1]:.2f} (at most {MOST})")
    print(f"processor of the busiest worker: {busiest[1]:.1f} s, {busiest[2]:.1f} s: {busiest[2] / busiest[1]:.2f}")


if __name__ == "__main__":
    main()
