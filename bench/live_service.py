"""The whole service as it is shipped, for benches that send it traffic: started, asked, killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pyarrow as pa

from stillwatch.respond.state import State
from stillwatch.serve.access.keys import KeyFile, new
from stillwatch.serve.access.roles import Role

BATCH = 500


class Ended(Exception):
    """The service's parent process has ended, or never answers."""


class LiveService:
    """A service in a folder, with a key that may everything. settings: as STILLWATCH_SERVE_* has them."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = folder
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "service.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._told: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._read = 0
        given = {"folder": folder, "port": self.port, "rate": 10_000_000, **settings}
        self._settings = {f"STILLWATCH_SERVE_{name.upper()}": str(value) for name, value in given.items()}
        token, kept = new("bench", frozenset({Role.ADMIN}))
        KeyFile(folder / "access.json").add(kept)
        self.headers = {"authorization": f"Bearer {token}"}

    def adopt(self, policy: str) -> None:
        """Put a policy in force."""
        state = State.open(self.folder / "state.db")
        with state.changing("bench") as change:
            change.adopt(policy, "for a bench")
        state.close()

    def start(self) -> None:
        """Start it, in a process group of its own; returns when it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "stillwatch.cli", "serve"], env=os.environ | self._settings, stderr=log,
                stdout=log, start_new_session=True,
            )  # fmt: skip
        self.wait_ready()

    def recovers(self) -> bool:
        """Wait until it answers, and start it where it has ended, as a service manager does; whether it had."""
        try:
            self.wait_ready()
        except Ended:
            self.kill()
            self.start()
            return True
        return False

    def ended(self) -> bool:
        """Whether its parent process has ended."""
        return self.process is None or self.process.poll() is not None

    def wait_ready(self) -> None:
        """Until it answers; raises Ended where its parent process has ended."""
        end = time.monotonic() + 300  # on a machine that does much else
        while time.monotonic() < end:
            if self.ended():
                raise Ended(f"the service ended: {self.log.read_text()[-2_000:]}")
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    return
            time.sleep(0.1)
        raise Ended(f"the service did not come up in 300 s: {self.log.read_text()[-2_000:]}")

    def kill(self, *processes: int) -> None:
        """SIGKILL to these processes of it, or to all at once."""
        assert self.process is not None
        if processes:
            for pid in processes:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """As a service manager does."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()

    def client(self) -> httpx.Client:
        """With the key."""
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=60)

    def told(self, event: str) -> list[dict[str, Any]]:
        """The lines of its log about an event; of the log what is new since the last time is read."""
        if self.log.exists():
            with self.log.open("rb") as log:
                log.seek(self._read)
                whole = log.read().rpartition(b"\n")
            self._read += len(whole[0]) + len(whole[1])
            for line in whole[0].splitlines():
                if line.startswith(b"{"):
                    said = orjson.loads(line)
                    self._told[said["event"]].append(said)
        return self._told[event]

    def until_judged(self, times: int, seconds: float = 3_600) -> dict[str, Any]:
        """Wait for so many judgements since it was first started; the last one's line of the log."""
        end = time.monotonic() + seconds
        while len(judged := self.told("judged")) < times:
            if time.monotonic() > end:
                sys.exit(f"not judged in {seconds:,.0f} s")
            time.sleep(0.2)
        return judged[-1]


def post(http: httpx.Client, rows: Sequence[dict[str, Any]]) -> None:
    """Send rows in batches, again where told to wait."""
    for start in range(0, len(rows), BATCH):
        body = b"\n".join(orjson.dumps(row) for row in rows[start : start + BATCH])
        while (answer := http.post("/v1/exchanges", content=body)).status_code == 429:
            time.sleep(float(answer.headers.get("retry-after", 1)))
        answer.raise_for_status()


def rows_of(traffic: pa.Table) -> list[dict[str, Any]]:
    """Exchanges as they are sent."""
    return [{name: value for name, value in row.items() if value is not None} for row in traffic.to_pylist()]


def measures(http: httpx.Client, accounts: Iterable[str]) -> dict[str, str]:
    """What the service answers about each account."""
    asked = sorted(accounts)
    found = {}
    for start in range(0, len(asked), 1_000):
        some = asked[start : start + 1_000]
        answer = http.post("/api/v1/decisions/look-up", json={"asked": [{"account": a} for a in some]})
        answer.raise_for_status()
        found |= {a: said["measure"] for a, said in zip(some, answer.json()["answers"], strict=True)}
    return found


def planned(http: httpx.Client) -> dict[str, tuple[str, datetime]]:
    """What a dry run would let stand against accounts: measure, and since when."""
    found: dict[str, tuple[str, datetime]] = {}
    after = None
    while True:
        page = http.get(
            "/api/v1/decisions", params={"dry_run": True, "limit": 1_000, **({"after": after} if after else {})}
        )
        for one in page.raise_for_status().json()["decisions"]:
            if one["subject_kind"] == "account":
                found[one["subject"]] = one["measure"], datetime.fromisoformat(one["created"])
        after = page.json()["next"]
        if after is None:
            return found
