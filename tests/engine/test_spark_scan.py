"""A scan finds the same on Spark, wherever its tables lie, on a cluster, and when an executor dies on the way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pyspark
import pytest
from scan_alike import assert_alike

from bench.spark_cluster import PATIENCE, Cluster, cluster
from stillwatch.errors import CAMPAIGNS_FOUND, InputError
from stillwatch.scan import Request, scan
from stillwatch.settings import Settings

# More than any table of accounts takes, and less than exchanges and passages do: so both homes are lived in.
BETWEEN = "500KB"


def test_findings_are_the_same(spark_session, world, embedded, tmp_path):
    expected, _ = embedded
    findings = scan(Request((str(world),), tmp_path / "out", engine="spark"), Settings(threads=2))
    assert findings.campaigns
    assert_alike(tmp_path / "out", expected)


def test_the_same_days_count(spark_session, world, tmp_path):
    """With tables on either side of the border."""
    found = {}
    for engine in ("duckdb", "spark"):
        request = Request((str(world),), tmp_path / engine, engine=engine)
        found[engine] = scan(request, Settings(threads=2, keep_days=20, spark_collect=BETWEEN))
    assert found["spark"].campaigns
    assert 0 < found["spark"].traffic.exchanges < 10_000
    assert_alike(tmp_path / "spark", tmp_path / "duckdb")


def test_a_store_is_judged_the_same(spark_session, world, embedded, tmp_path):
    for engine in ("duckdb", "spark"):
        request = Request((str(world),), tmp_path / engine, store=tmp_path / f"store-{engine}", engine=engine)
        (tmp_path / f"store-{engine}").mkdir()
        key = tmp_path / "key"
        key.write_bytes(b"k" * 32)
        scan(request, Settings(threads=2, sketch_key_file=key))
    assert_alike(tmp_path / "spark", tmp_path / "duckdb")


@pytest.fixture(scope="module")
def two_workers(java, tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="module")
def in_row_groups(world, tmp_path_factory) -> Path:
    """The world with its exchanges in ten row groups, so that there is something to share out."""
    folder = tmp_path_factory.mktemp("groups") / "world"
    folder.mkdir()
    for path in world.glob("*.parquet"):
        pq.write_table(pq.read_table(path), folder / path.name, row_group_size=1_000)
    return folder


def _environment(url: str) -> dict[str, str]:
    conf = '{"spark.executor.memory": "700m", "spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1"}'
    return os.environ | {
        "STILLWATCH_SPARK_MASTER": url,
        "STILLWATCH_SPARK_CONF": conf,
        "STILLWATCH_THREADS": "2",
        "SPARK_LOCAL_IP": "127.0.0.1",
    }


def test_an_executor_that_dies_changes_nothing(two_workers: Cluster, in_row_groups, embedded, tmp_path):
    """Killed while the traffic is read, at which the work on disk is half done."""
    expected, _ = embedded
    command = [sys.executable, "-m", "stillwatch.cli", "scan", str(in_row_groups), "--engine", "spark", "--out", "out"]
    running = subprocess.Popen(command, cwd=tmp_path, env=_environment(two_workers.url), stderr=subprocess.PIPE)
    try:
        killed = _kill_one_while_it_writes(two_workers, tmp_path, running)
        _, said = running.communicate(timeout=2 * PATIENCE)
    finally:
        running.kill()
    assert running.returncode == CAMPAIGNS_FOUND, said.decode()
    assert killed not in two_workers.executors()
    assert_alike(tmp_path / "out", expected)


def _kill_one_while_it_writes(running_on: Cluster, folder: Path, scanning: subprocess.Popen[bytes]) -> int:
    """Kill an executor once a task of the first stage has begun to write; its process id."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and scanning.poll() is None:
        if any(folder.glob(".out.work.*/stillwatch-*/read_traffic-*/_temporary/**/*.parquet")):
            victim = running_on.executors()[0]
            os.kill(victim, 9)
            return victim
        time.sleep(0.02)
    raise AssertionError("no task was seen to write")


def test_spark_submit_takes_a_scan(two_workers: Cluster, in_row_groups, embedded, tmp_path):
    expected, _ = embedded
    (tmp_path / "submitted.py").write_text("from stillwatch.cli import main\n\nmain()\n")
    submit = str(Path(pyspark.__file__).parent / "bin" / "spark-submit")
    environment = _environment(two_workers.url) | {"STILLWATCH_SPARK_COLLECT": BETWEEN}
    environment.pop("STILLWATCH_SPARK_MASTER")
    done = subprocess.run(
        [
            submit,
            *("--master", two_workers.url, "--executor-memory", "700m", "--conf", "spark.log.level=ERROR"),
            *("submitted.py", "scan", str(in_row_groups), "--engine", "spark", "--out", "out"),
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert done.returncode == CAMPAIGNS_FOUND, done.stderr.decode()
    assert_alike(tmp_path / "out", expected)


@pytest.mark.parametrize(
    ("request_of", "said"),
    [
        (lambda world, out: Request((world,), out, engine="trino"), "no such engine"),
        (lambda world, out: Request((world,), out, engine="spark", join=(Path("more.csv"),)), "--join"),
    ],
)
def test_what_spark_cannot_do_is_refused_in_a_line(request_of, said, world, tmp_path):
    with pytest.raises(InputError, match=said) as refused:
        scan(request_of(str(world), tmp_path / "out"), Settings())
    assert "\n" not in str(refused.value)


def test_without_the_extra_the_refusal_says_what_to_install(world, tmp_path, monkeypatch):
    monkeypatch.setattr("stillwatch.scan.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'stillwatch\[spark\]'"):
        scan(Request((str(world),), tmp_path / "out", engine="spark"), Settings())
