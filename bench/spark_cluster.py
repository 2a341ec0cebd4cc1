"""A standalone cluster of Spark on loopback: a master and workers of one core each, as processes of their own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyspark

HOME = Path(pyspark.__file__).parent
PATIENCE = 600  # seconds: a JVM starts in two on a calm machine, and in minutes beside much other work


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass(frozen=True)
class Cluster:
    """Where the master is, and the processes of the workers."""

    url: str
    workers: tuple[subprocess.Popen[bytes], ...]

    def processor(self) -> list[float]:
        """Seconds of processor time that each worker has used, with its executors and their Python."""
        return [_used(worker.pid) for worker in self.workers]


def _used(pid: int) -> float:
    seconds = 0.0
    first = psutil.Process(pid)
    for process in (first, *first.children(recursive=True)):
        with suppress(psutil.Error):
            seconds += sum(process.cpu_times()[:4])  # user, system, and both of children that have ended
    return seconds


@contextmanager
def cluster(folder: Path, workers: int = 2, memory: str = "1g") -> Iterator[Cluster]:
    """A cluster for as long as the block runs. folder: for its logs and what the workers keep. memory: of a worker."""
    port, page = _free_port(), _free_port()
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, *arguments: str) -> subprocess.Popen[bytes]:
        environment = os.environ | {
            "SPARK_HOME": str(HOME),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_NO_DAEMONIZE": "1",
            "PYSPARK_PYTHON": sys.executable,
        }
        with (folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [str(HOME / "bin" / "spark-class"), *arguments],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        started.append(process)
        return process

    try:
        url = f"spark://127.0.0.1:{port}"
        start(
            "master",
            "org.apache.spark.deploy.master.Master",
            *("--host", "127.0.0.1", "--port", str(port), "--webui-port", str(page)),
        )
        made = tuple(
            start(
                f"worker-{n}",
                "org.apache.spark.deploy.worker.Worker",
                *("--host", "127.0.0.1", "--cores", "1", "--memory", memory, "--webui-port", str(_free_port())),
                *("--work-dir", str(folder / f"work-{n}"), url),
            )
            for n in range(workers)
        )
        _wait_for(f"http://127.0.0.1:{page}/json/", workers, folder)
        yield Cluster(url, made)
    finally:
        for process in reversed(started):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in started:
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(page: str, workers: int, folder: Path) -> None:
    """Until the master's page tells of all workers."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with suppress(OSError), urllib.request.urlopen(page, timeout=5) as answer:
            alive = re.search(rb'"aliveworkers"\s*:\s*(\d+)', answer.read())
            if alive and int(alive[1]) == workers:
                return
        time.sleep(0.2)
    logs = "\n".join(log.read_text(errors="replace")[-2000:] for log in sorted(folder.glob("*.log")))
    raise TimeoutError(f"the cluster did not come up in {PATIENCE} s:\n{logs}")
