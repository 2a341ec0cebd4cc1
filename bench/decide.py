"""Decision look-ups under load, beside a bare route of the same server: `python -m bench.decide`.

One core for the server, another for wrk (apt-get install wrk), 100,000 accounts with a decision each in SQLite, keys
checked, metrics counted. Both routes are asked in turns of the same run, so that what else the machine does falls on
both alike. `--server uvicorn` measures the same application on uvicorn (with uvloop and httptools where installed).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from stillwatch.respond.decision import Decision, Limits, Measure
from stillwatch.respond.standing import Standing
from stillwatch.respond.state import State
from stillwatch.serve.access.keys import KeyFile, new
from stillwatch.serve.access.limits import ASGIApp, Receive, Scope, Send
from stillwatch.serve.access.roles import Role
from stillwatch.serve.running import application, server_for
from stillwatch.serve.settings import ServeSettings, load

# wrk asks for another account each time, half of them without a decision.
ASKING = """
math.randomseed(7)
request = function()
  local n = math.random(0, {accounts} - 1)
  return wrk.format("GET", "/api/v1/decision?account=account-" .. n .. "&key=k1")
end
"""


def fill(folder: Path, accounts: int) -> str:
    """A state with a decision for every second account, and a key with the role decide."""
    now = datetime.now(UTC)
    state = State.open(folder / "state.db")
    with state.changing("bench") as change:
        change.decide([(_decision(n, now), True) for n in range(0, 2 * accounts, 2)])
    state.close()
    token, kept = new("bench", frozenset({Role.DECIDE}))
    KeyFile(folder / "access.json").add(kept)
    return token


def _decision(number: int, now: datetime) -> Decision:
    measure = list(Measure)[number // 2 % len(Measure)]
    return Decision(
        decision_id=f"d{number:08}", subject_kind="account", subject=f"account-{number}", measure=measure,
        reason="Several accounts that are run together collect answers at scale.", campaign_id="c1", probability=0.97,
        created=now - timedelta(hours=1), expires=now + timedelta(days=1), appeal=f"/v1/appeals/d{number:08}",
        limits=Limits(60, 100_000) if measure is Measure.THROTTLE else None, dry_run=False,
    )  # fmt: skip


def with_hello(settings: ServeSettings) -> ASGIApp:
    """The service, and beside it a route that does nothing."""
    service = application(settings)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/hello":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"hello"})
        else:
            await service(scope, receive, send)

    return app


def serve(settings: ServeSettings, server: str, core: int) -> None:
    """Serve on one core until ended."""
    os.sched_setaffinity(0, {core})
    if server == "uvicorn":
        import uvicorn

        uvicorn.run(with_hello(settings), host=settings.host, port=settings.port, log_level="error", access_log=False)
    else:
        server_for(settings).serve(target_loader=partial(with_hello, settings), wrap_loader=False)


def wrk(url: str, *, token: str, seconds: float, core: int, connections: int, script: Path | None) -> dict[str, float]:
    """Requests a second, and milliseconds below which half and 99 in a hundred were answered."""
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--latency"]
    command += ["-H", f"X-Stillwatch-Key: {token}", *(["-s", str(script)] if script else []), url]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in told, told
    assert "Socket errors" not in told, told
    found = {name: re.search(rf"\b{name}%\s+([\d.]+)(us|ms|s)", told) for name in ("50", "99")}
    scale = {"us": 1e-3, "ms": 1.0, "s": 1e3}
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told)
    assert rate and all(found.values()), told
    return {"rate": float(rate[1])} | {f"p{n}_ms": float(m[1]) * scale[m[2]] for n, m in found.items() if m}


def changing(folder: Path, every: float, stop: threading.Event) -> None:
    """One more decision every so many seconds, which the service takes in."""
    state = State.open(folder / "state.db")
    for number in count():
        if stop.wait(every):
            return
        with state.changing("bench") as change:
            made = dataclasses.replace(_decision(0, datetime.now(UTC)), decision_id=f"n{number:08}")
            change.decide([(made, True)])


def taken_in(folder: Path, changes: int = 10) -> dict[str, float]:
    """Processor seconds to load all that stands, and milliseconds to take in one decision more."""
    state = State.open(folder / "state.db")
    began = time.process_time()
    standing = Standing.load(state)
    loaded, spent = time.process_time() - began, 0.0
    for number in range(changes):
        with state.changing("bench") as change:
            made = dataclasses.replace(_decision(0, datetime.now(UTC)), decision_id=f"t{number:08}")
            change.decide([(made, True)])
        began = time.process_time()
        standing = standing.newer(state)
        spent += time.process_time() - began
    state.close()
    return {"processor_seconds_to_load": round(loaded, 2), "processor_ms_a_change": round(1_000 * spent / changes, 1)}


def measured(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Both routes, in turns."""
    token = fill(folder, given.accounts)
    script = folder / "asking.lua"
    script.write_text(ASKING.format(accounts=2 * given.accounts))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = load(folder=folder, port=port, parts=("decisions",), rate=10_000_000)
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(settings, given.server, given.core))
    server.start()
    url = f"http://127.0.0.1:{port}"
    stop = threading.Event()
    try:
        _until_ready(url)
        asked = partial(wrk, token=token, core=given.load_core, connections=given.connections)
        asked(f"{url}/api/v1/decision", seconds=2, script=script)
        if given.change_every:
            changes = threading.Thread(target=changing, args=(folder, given.change_every, stop), daemon=True)
            changes.start()
        turns: dict[str, list[dict[str, float]]] = {"look_up": [], "hello": []}
        for _ in range(given.turns):
            turns["look_up"].append(asked(f"{url}/api/v1/decision", seconds=given.seconds / given.turns, script=script))
            turns["hello"].append(asked(f"{url}/hello", seconds=given.seconds / given.turns, script=None))
    finally:
        stop.set()
        server.terminate()
        server.join(20)
    total = {name: sum(t["rate"] for t in some) / len(some) for name, some in turns.items()}
    return {
        "server": given.server, "change_every": given.change_every,
        "accounts": given.accounts, "seconds": given.seconds, "connections": given.connections,
        "load_average": os.getloadavg()[0], "look_ups_a_second": round(total["look_up"]),
        "hello_a_second": round(total["hello"]), "ratio": round(total["look_up"] / total["hello"], 3),
        "p50_ms": round(max(t["p50_ms"] for t in turns["look_up"]), 3),
        "p99_ms": round(max(t["p99_ms"] for t in turns["look_up"]), 3),
        "hello_p99_ms": round(max(t["p99_ms"] for t in turns["hello"]), 3), **taken_in(folder),
    }  # fmt: skip


def _until_ready(url: str) -> None:
    end = time.monotonic() + 300
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    sys.exit("the service did not come up in 300 s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="of each route, in all")
    parser.add_argument("--turns", type=int, default=4, help="into which they are divided")
    parser.add_argument("--accounts", type=int, default=100_000, help="with a decision; as many without are asked for")
    parser.add_argument("--connections", type=int, default=8, help="that wrk holds open, each with a request under way")
    parser.add_argument("--change-every", type=float, default=0, help="seconds from one changed decision to the next")
    parser.add_argument("--core", type=int, default=0, help="of the server")
    parser.add_argument("--load-core", type=int, default=1, help="of wrk")
    parser.add_argument("--server", choices=("granian", "uvicorn"), default="granian")
    given = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not here: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measured(given, Path(folder)), indent=2))


if __name__ == "__main__":
    main()
