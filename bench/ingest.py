"""How fast traffic is taken in, durably, on one core, and whether memory stays flat: `python -m bench.ingest`.

The service runs as it is shipped (granian, one worker, the ingest part alone) on core 0, and the client on the others.
Batches of 500 exchanges as JSON lines of our own columns are answered once they are on disk, synced. Every exchange has
an id of its own. Draining is left to `--drain`, so that one thing is measured at a time: without it sealed segments are
removed unread once they hold a gigabyte.

`--kills N` instead kills the service and the draining process, each at random moments, N times in all, with SIGKILL,
and compares what was acknowledged with what is in the store in the end; Ctrl-C ends it sooner.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path

import orjson
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.respond.decision import Decision
from stillwatch.serve.access.keys import KeyFile, new
from stillwatch.serve.access.limits import ASGIApp
from stillwatch.serve.access.roles import Role
from stillwatch.serve.app import create_app
from stillwatch.serve.cycle import Cycle, Plan
from stillwatch.serve.ingest.part import ingest
from stillwatch.serve.running import server_for
from stillwatch.serve.settings import ServeSettings
from stillwatch.serve.spool import sealed
from stillwatch.settings import Settings
from stillwatch.simulate import simulate
from stillwatch.store.states import newest

BATCH = 500
# What the project asks of itself: exchanges a second on one core.
LEAST = 20_000
# Batches that are made beforehand; each is sent many times, under new ids.
TEMPLATES = 40
MARK = "@@@@@@@@@@"
CLIENTS = 4
KEPT = 1 << 30
SEED = 3


class NothingDecided:
    """A state in which nothing stands: this process decides nothing."""

    def version(self) -> int:
        return 1

    def standing(self, at: datetime) -> tuple[int, list[Decision]]:  # noqa: ARG002
        return 1, []


def settings(folder: Path, port: int) -> ServeSettings:
    return ServeSettings(folder=folder, port=port, parts=("ingest",), rate=10_000_000, log_level="warning")


def application(of: ServeSettings) -> ASGIApp:
    return create_app(of, NothingDecided(), ingest)


def serve(folder: Path, port: int) -> None:
    """The service, as its parent process starts it."""
    of = settings(folder, port)
    server_for(of).serve(target_loader=partial(application, of), wrap_loader=False)


def drain(folder: Path) -> None:
    """The cycle without judging, until killed."""
    plan = plan_of(folder)
    one = Cycle(plan, Settings(threads=1, memory_limit="1GB"), lambda _: None)
    while True:
        if not one.drain():
            time.sleep(0.1)


def plan_of(folder: Path) -> Plan:
    return Plan(spool=folder / "spool", store=folder / "store", findings=folder / "findings")


def templates(work: Path) -> list[bytes]:
    """Batches of the world february-2026, ids marked for replacement."""
    simulate(work / "world", exchanges=TEMPLATES * BATCH, seed=SEED)
    rows = pq.read_table(work / "world" / "exchanges.parquet").to_pylist()
    made = []
    for start in range(0, len(rows), BATCH):
        lines = []
        for number, row in enumerate(rows[start : start + BATCH]):
            named = {k: v for k, v in row.items() if v is not None}
            lines.append(orjson.dumps(named | {"exchange_id": f"{MARK}-{number:03}"}))
        made.append(b"\n".join(lines))
    return made


@dataclass(frozen=True, slots=True)
class Sender:
    """What clients send, and with which key."""

    token: str
    bodies: list[bytes]


class Client:
    """Sends batches until told to stop; `taken`: the marks of those that were acknowledged."""

    def __init__(self, port: int, sender: Sender, numbers: count[int]) -> None:
        self.taken: list[int] = []
        self.seconds: list[float] = []
        self.refused: Counter[str] = Counter()
        self._port = port
        self._headers = {"authorization": f"Bearer {sender.token}", "content-type": "application/x-ndjson"}
        self._bodies = sender.bodies
        self._numbers = numbers
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        connection: http.client.HTTPConnection | None = None
        mine: int | None = None
        while not self._stop.is_set() or mine is not None:
            mine = next(self._numbers) if mine is None else mine
            body = self._bodies[mine % len(self._bodies)].replace(MARK.encode(), f"{mine:010}".encode())
            began = time.perf_counter()
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
                connection.request("POST", "/v1/exchanges", body, self._headers)
                answer = connection.getresponse()
                said = answer.read()
            except (OSError, http.client.HTTPException):
                connection = None
                self.refused["connection"] += 1
                time.sleep(0.05)
                continue  # the same batch again, as a sender does that was not answered
            if answer.status == 200 and orjson.loads(said)["taken"] == BATCH:
                self.seconds.append(time.perf_counter() - began)
                self.taken.append(mine)
                mine = None
            else:
                self.refused[str(answer.status)] += 1
                time.sleep(float(answer.headers.get("retry-after", 1)) / 10)


def started(command: str, folder: Path, *more: str, core: int | None = None) -> subprocess.Popen[bytes]:
    """One of this module's processes, in a group of its own."""
    pinned = ["taskset", "-c", str(core)] if core is not None else []
    return subprocess.Popen(
        [*pinned, sys.executable, "-m", "bench.ingest", command, str(folder), *more], start_new_session=True
    )


def kill(process: subprocess.Popen[bytes]) -> None:
    """The whole group at once, as power would."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def answers(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the service answers."""
    until = time.monotonic() + 300  # on a machine that does much else
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            return
        time.sleep(0.05)
    raise SystemExit("the service does not answer")


def memory(group: int) -> int:
    """Bytes that the processes of a group hold in memory."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            fields = stat.read_text().rsplit(")", 1)[1].split()
            if int(fields[2]) == group:
                total += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return total


def cpu_seconds(group: int) -> float:
    """Processor time that the processes of a group have used."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            fields = stat.read_text().rsplit(")", 1)[1].split()
            if int(fields[2]) == group:
                total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def speed(folder: Path, exchanges: int, port: int, draining: bool) -> bool:
    """Take so many exchanges in; tell how fast, and how much memory as they come."""
    token, kept = new("bench", frozenset({Role.INGEST}))
    KeyFile(settings(folder, port).keys_file).add(kept)
    bodies = templates(folder)
    print(
        f"{sum(map(len, bodies)) / len(bodies) / BATCH:,.0f} bytes of JSON an exchange, batches of {BATCH}", flush=True
    )
    service = started("serve", folder, str(port), core=0)
    drainer = started("drain", folder, core=1) if draining else None
    try:
        answers(port, service)
        numbers = count()
        clients = [Client(port, Sender(token, bodies), numbers) for _ in range(CLIENTS)]
        began, spent = time.monotonic(), cpu_seconds(service.pid)
        told = held = 0
        tenth = exchanges / 10
        first: int | None = None
        while (done := BATCH * sum(len(c.taken) for c in clients)) < exchanges:
            if drainer is None:
                segments = sealed(folder / "spool")
                for segment in segments if sum(s.size for s in segments) > KEPT else ():
                    segment.path.unlink()
            held = memory(service.pid)
            if done >= told * tenth + tenth:
                told = int(done // tenth)
                first = first or held
                rate = done / (time.monotonic() - began)
                print(f"{done:>12,} taken, {rate:>9,.0f}/s, {held / 2**20:,.0f} MiB", flush=True)
            time.sleep(0.1)
        seconds = time.monotonic() - began
        used = cpu_seconds(service.pid) - spent
        for client in clients:
            client.stop()
        taken = BATCH * sum(len(c.taken) for c in clients)
        waits = sorted(s for c in clients for s in c.seconds)
        refused = sum((c.refused for c in clients), Counter())
        print(f"{taken:,} exchanges in {seconds:,.1f} s: {taken / seconds:,.0f} a second (at least {LEAST:,})")
        print(f"processor time of the service: {used:,.1f} s, so {taken / used:,.0f} for each of its seconds")
        print(f"memory after a tenth and at the end: {(first or held) / 2**20:,.0f} and {held / 2**20:,.0f} MiB")
        print(f"seconds to an answer: median {statistics.median(waits):.3f}, 99% {waits[int(len(waits) * 0.99)]:.3f}")
        print(f"told to wait or not answered: {dict(refused)}")
        return taken / seconds >= LEAST
    finally:
        kill(service)
        if drainer is not None:
            kill(drainer)


def killed(folder: Path, kills: int, port: int, seed: int) -> bool:
    """Kill both processes again and again while traffic comes; whether all that was acknowledged is there, once."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(seed)
    token, kept = new("bench", frozenset({Role.INGEST}))
    KeyFile(settings(folder, port).keys_file).add(kept)
    bodies = templates(folder)[:4]
    acknowledged, refused = _harassed(folder, kills, port, draw, Sender(token, bodies))
    one = Cycle(plan_of(folder), Settings(threads=1, memory_limit="1GB"), lambda _: None)
    one.drain()
    return compare(folder, acknowledged, refused)


def _harassed(
    folder: Path, kills: int, port: int, draw: random.Random, sender: Sender
) -> tuple[set[int], Counter[str]]:
    """The marks of the batches that were acknowledged, and how often one was not answered."""
    running = {"serve": started("serve", folder, str(port)), "drain": started("drain", folder)}
    clients: list[Client] = []
    try:
        answers(port, running["serve"])
        numbers = count()
        clients = [Client(port, sender, numbers) for _ in range(2)]
        done = 0
        try:
            for done in range(1, kills + 1):  # noqa: B007
                time.sleep(draw.uniform(0.0, 2.0))
                for name in draw.choice((("serve",), ("drain",), ("serve", "drain"))):
                    kill(running[name])
                    running[name] = started(name, folder, *([str(port)] if name == "serve" else []))
                answers(port, running["serve"])
        except KeyboardInterrupt:
            answers(port, running["serve"])
        print(f"killed {done} times", flush=True)
        for client in clients:
            client.stop()
    finally:
        for process in running.values():
            kill(process)
    return {mark for c in clients for mark in c.taken}, sum((c.refused for c in clients), Counter())


def compare(folder: Path, acknowledged: set[int], refused: Counter[str]) -> bool:
    """What is in the store against what was acknowledged."""
    manifest = newest(folder / "store")
    assert manifest is not None
    rows: Counter[str] = Counter()
    for part in manifest.tables["exchanges"]:
        ids = pq.read_table(folder / "store" / part.name, columns=["exchange_id"])["exchange_id"]
        counted = pc.value_counts(ids)
        rows.update(dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)))
    wanted = {f"{mark:010}-{n:03}" for mark in acknowledged for n in range(BATCH)}
    lost = wanted - rows.keys()
    # A batch that was sent again since its answer never came may lie there twice under one id, and counts once.
    repeated = {int(name.split("-")[0]) for name, times in rows.items() if times > 1}
    waiting = sealed(folder / "spool")
    print(f"{len(wanted):,} acknowledged, {len(rows):,} distinct in the store, {len(lost):,} lost")
    print(f"batches stored again since their sender was not answered: {len(repeated):,} of {sum(refused.values()):,}")
    print(f"segments left in the spool: {len(waiting)}")
    return not lost and len(repeated) <= sum(refused.values()) and not waiting


def main() -> int:
    if len(sys.argv) > 2 and sys.argv[1] == "serve":
        serve(Path(sys.argv[2]), int(sys.argv[3]))
        return 0
    if len(sys.argv) > 2 and sys.argv[1] == "drain":
        drain(Path(sys.argv[2]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--exchanges", type=int, default=2_000_000, help="how many to take in")
    parser.add_argument("--drain", action="store_true", help="drain into a store meanwhile, on core 1")
    parser.add_argument("--kills", type=int, default=0, help="kill so many times instead, and compare")
    parser.add_argument("--port", type=int, default=8_499)
    parser.add_argument("--folder", type=Path, default=None, help="where; by default a temporary folder")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="stillwatch-bench-", dir=given.folder))
    try:
        if given.kills:
            return 0 if killed(folder, given.kills, given.port, given.seed) else 1
        return 0 if speed(folder, given.exchanges, given.port, given.drain) else 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
