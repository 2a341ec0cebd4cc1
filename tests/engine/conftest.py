"""One session of Spark for all tests, which takes a quarter of a minute to start; one world, and what a scan finds."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from stillwatch.scan import Request, scan
from stillwatch.settings import Settings
from stillwatch.simulate import simulate

# Workers are started with the Python that runs the tests, which has everything installed.
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)


# What a JVM that lives for a minute compiles thoroughly it hardly gets to use: with these, half of the processor time.
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@pytest.fixture(scope="session")
def java():
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("no Java here, which Spark runs on")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", SHORT_LIVED)
        yield


@pytest.fixture(scope="session")
def spark_session(java):
    """Spark in this process, with two cores; a task may fail three times."""
    from stillwatch.engine.spark import session

    with session("local[2,4]", {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "4"}) as own:
        yield own


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Path:
    """Ten thousand exchanges, campaigns among them."""
    folder = tmp_path_factory.mktemp("spark") / "world"
    simulate(folder, world="february-2026", exchanges=10_000, seed=3)
    return folder


@pytest.fixture(scope="session")
def embedded(world, tmp_path_factory):
    """What a scan with the embedded engine finds: its folder, and the queries that it asked."""
    from asked import Recording

    Recording.asked = {}
    out = tmp_path_factory.mktemp("embedded") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stillwatch.scan.stages.DuckDB", Recording)
        scan(Request((str(world),), out), Settings(threads=2))
    return out, list(Recording.asked.values())
