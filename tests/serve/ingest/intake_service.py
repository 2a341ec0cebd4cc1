"""The service with its ingest part, as a client meets it, and records to send."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pyarrow as pa
from fastapi.testclient import TestClient

from stillwatch.respond.decision import Decision
from stillwatch.serve.access.keys import KeyFile, new
from stillwatch.serve.access.roles import Role
from stillwatch.serve.app import create_app
from stillwatch.serve.cycle import Cycle, Plan
from stillwatch.serve.ingest.part import ingest
from stillwatch.serve.settings import ServeSettings
from stillwatch.settings import Settings
from stillwatch.store.states import newest
from stillwatch.store.upkeep import export, verify


class NothingDecided:
    """A state in which nothing stands."""

    def version(self) -> int:
        return 1

    def standing(self, at: datetime) -> tuple[int, list[Decision]]:
        return 1, []


def settings(folder: Path, **given: Any) -> ServeSettings:
    folder.mkdir(parents=True, exist_ok=True)
    return ServeSettings(folder=folder, parts=("ingest",), **given)


def key(of: ServeSettings, role: Role = Role.INGEST, scope: str = "") -> dict[str, str]:
    """Headers with a new key of a role."""
    token, kept = new("test", frozenset({role}), scope)
    KeyFile(of.keys_file).add(kept)
    return {"authorization": f"Bearer {token}"}


@contextmanager
def client(folder: Path, scope: str = "", **given: Any) -> Iterator[TestClient]:
    """A client with a key, of a service whose spool is open."""
    of = settings(folder, **given)
    headers = key(of, scope=scope)
    with TestClient(create_app(of, NothingDecided(), ingest), headers=headers) as made:
        yield made


def record(number: int, **columns: Any) -> dict[str, Any]:
    return {
        "exchange_id": f"x{number}",
        "time": "2026-02-02T02:40:00.123456Z",
        "account_id": f"a{number % 7}",
        "ip": "192.0.2.7",
        "prompt": f"a quixotic zephyr of number {number}",
        **columns,
    }


def ndjson(*records: Any) -> bytes:
    return "\n".join(json.dumps(r) for r in records).encode()


def cycle(folder: Path, **given: Any) -> Cycle:
    """The cycle of a service in that folder, without the service."""
    hand_on, beside = given.pop("hand_on", lambda judged: None), given.pop("beside", None)
    of = settings(folder)
    plan = Plan(spool=of.spool_folder, store=of.store_folder, findings=folder / "findings", every=0.1, **given)
    return Cycle(plan, Settings(threads=1, memory_limit="512MB"), hand_on, beside)


def judge_all(folder: Path, newest: int, ended: str, segments: frozenset[bytes], told: Connection) -> None:
    """What the service's other process does, in one that a test started: it begins once there is a file `go` in the
    folder, and ends in the way of that name: `well`, `badly`, `killed`."""
    while not (folder / "go").exists():
        time.sleep(0.02)
    whole = cycle(folder, newest=newest).judge_all(segments)
    if ended == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if ended == "badly":
        sys.exit(1)
    told.send(whole)


def stored(folder: Path) -> list[dict[str, Any]]:
    """The exchanges in the store, each id once, and that the store is as it should be."""
    of = settings(folder)
    if not of.store_folder.exists() or not newest(of.store_folder).rows:
        return []
    out = folder / f"export-{len(list(folder.glob('export-*')))}"
    export(of.store_folder, out, memory_limit="512MB", threads=1, progress=lambda *_: None)
    assert verify(of.store_folder, lambda *_: None).faults == []
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pa.concat_tables([pq.read_table(p) for p in sorted(out.iterdir())]).to_pylist()
    return rows


def ids(folder: Path) -> list[str]:
    return sorted(row["exchange_id"] for row in stored(folder))
