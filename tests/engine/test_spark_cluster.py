"""A standalone cluster of a master and two workers, as processes of their own, finds what one machine finds; also where
one of its executors is killed in the middle of a task."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pyspark
import pytest
from scan_alike import assert_alike

from bench.spark_cluster import Cluster, cluster
from stillwatch.scan import Request, scan
from stillwatch.settings import Settings
from stillwatch.simulate import simulate

# Enough for campaigns to be found, and as many row groups as give both workers several.
EXCHANGES, A_GROUP = 4_000, 500
# Some two minutes of processor time, most of it JVMs and Python workers that start: four minutes where 27 programs
# wanted the same two cores.
PATIENCE = 1_500

# Given to spark-submit. In the second scan the first attempt at the first task kills the executor that runs it, once it
# has given the rows of a piece: functions of a driver's own file go to the workers as they are.
DRIVER = """
import os, signal, sys
from pathlib import Path

import psutil
from pyspark import TaskContext

from stillwatch.distributed import files
from stillwatch.engine.spark import session
from stillwatch.scan import Request, scan
from stillwatch.settings import Settings

world, out = sys.argv[1], Path(sys.argv[2])
whole = files._enriched


def dying(piece, reading):
    yield from whole(piece, reading)
    if piece.first_no == 0 and TaskContext.get().attemptNumber() == 0:
        executor = psutil.Process().parent().parent()
        (out / "killed").write_text(str(executor.pid))
        executor.send_signal(signal.SIGKILL)
        signal.pause()


with session():
    scan(Request((world,), out / "calm", engine="spark"), Settings())
    files._enriched = dying
    scan(Request((world,), out / "disturbed", engine="spark"), Settings())
"""


@dataclass(frozen=True)
class Scanned:
    """Where the results are, of one machine and of the cluster, and what the executors wrote into their logs."""

    out: Path
    logs: dict[Path, str]
    running: Cluster


@pytest.fixture(scope="module")
def small_world(tmp_path_factory) -> Path:
    made, folder = (tmp_path_factory.mktemp("cluster-world") / name for name in ("made", "world"))
    simulate(made, world="february-2026", exchanges=EXCHANGES, seed=3)
    folder.mkdir()
    for path in made.glob("*.parquet"):
        pq.write_table(pq.read_table(path), folder / path.name, row_group_size=A_GROUP)
    return folder


@pytest.fixture(scope="module")
def scanned(java, small_world, tmp_path_factory) -> Scanned:
    """The world, scanned on one machine, and twice on a cluster by one application that spark-submit gives it."""
    out, logs = tmp_path_factory.mktemp("scanned"), tmp_path_factory.mktemp("cluster")
    scan(Request((str(small_world),), out / "embedded"), Settings(threads=2))
    (out / "driver.py").write_text(DRIVER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        # More than tables of accounts take, and less than exchanges do: so tables have homes on both sides.
        patch.setenv("STILLWATCH_SPARK_COLLECT", "100KB")
        with cluster(logs) as running:
            conf = {
                "spark.sql.shuffle.partitions": "2",
                "spark.network.timeout": "600s",  # an executor that waits for a core is not lost
                "spark.ui.enabled": "false",
                "spark.log.level": "ERROR",
            }
            done = subprocess.run(
                [
                    *(str(Path(pyspark.__file__).parent / "bin" / "spark-submit"), "--master", running.url),
                    *("--executor-memory", "700m"),
                    *(word for name, value in conf.items() for word in ("--conf", f"{name}={value}")),
                    *(str(out / "driver.py"), str(small_world), str(out)),
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=PATIENCE,
                check=False,
            )
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-4000:]
    said = {path: path.read_text(errors="replace") for path in sorted(logs.glob("work-*/*/*/stderr"))}
    return Scanned(out, said, running)


def test_a_cluster_finds_what_one_machine_finds(scanned: Scanned):
    assert pq.read_table(scanned.out / "embedded" / "campaigns.parquet").num_rows
    assert_alike(scanned.out / "calm", scanned.out / "embedded")


def test_both_workers_take_part(scanned: Scanned):
    ran = {path.parents[2] for path, log in scanned.logs.items() if "Finished task" in log}
    assert len(ran) == 2


def test_an_executor_killed_in_the_middle_of_a_task_changes_nothing(scanned: Scanned):
    # The number of the attempt stands behind the task's: the task was done again, by another executor.
    assert any(re.search(r"Running task \d+\.1 in stage", log) for log in scanned.logs.values())
    assert_alike(scanned.out / "disturbed", scanned.out / "embedded")


def test_the_cluster_is_gone_afterwards(scanned: Scanned):
    assert all(worker.poll() is not None for worker in scanned.running.workers)
    port = scanned.running.url.rpartition(":")[2]
    left = [p.pid for p in psutil.process_iter(["cmdline"]) if f":{port}" in " ".join(p.info["cmdline"] or [])]
    assert left == []
    assert not Path(f"/proc/{(scanned.out / 'killed').read_text()}").exists()
