"""What the tests of gateways need: the service in a process, a stand-in model, free ports, other people's servers."""

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from stillwatch.respond.decision import Decision, Limits, Measure
from stillwatch.respond.state import State
from stillwatch.serve.access.keys import KeyFile, new
from stillwatch.serve.access.roles import Role

DEPLOY = Path(__file__).parents[3] / "deploy"
REASON = "Several accounts that are run together collect answers at scale."


_NUMBERS = itertools.count()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def decided(subject: str, measure: str, *, kind: str = "account", hours: float = 24, **fields) -> Decision:
    now = datetime.now(UTC)
    chosen = Measure.of(measure)
    return Decision(
        **{
            "decision_id": f"d{next(_NUMBERS)}-{subject}",
            "subject_kind": kind,
            "subject": subject,
            "measure": chosen,
            "reason": REASON,
            "campaign_id": "campaign-1",
            "probability": 0.97,
            "created": now - timedelta(hours=1),
            "expires": now + timedelta(hours=hours),
            "appeal": f"/v1/appeals/{subject}",
            "limits": Limits(3, 10_000) if chosen is Measure.THROTTLE else None,
            "verification": "identity" if chosen is Measure.STEP_UP else None,
            "dry_run": False,
            **fields,
        }
    )


def every() -> list[Decision]:
    """One account of each fate; `honest` has no decision."""
    fates = {
        "watched": "observe",
        "quiet": "withhold_reasoning",
        "slowed": "throttle",
        "asked": "step_up",
        "stopped": "block",
    }
    return [decided(account, measure) for account, measure in fates.items()]


def until(true: Callable[[], bool], seconds: float = 60, what: str = "it") -> None:
    """Wait for something that is about to be so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what} did not come about in {seconds} s"
        time.sleep(0.05)


def answers(url: str, **given) -> bool:
    try:
        return httpx.get(url, timeout=2, **given).status_code < 500
    except httpx.HTTPError:
        return False


class Live:
    """A running service, its keys and its decisions."""

    def __init__(self, folder: Path, decisions=(), *, scheme: str = "http", **settings: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.log = folder / "service.log"
        usual = {"folder": str(folder), "port": str(self.port), "refresh_seconds": "0.05", "parts": '["decisions"]'}
        self.settings = usual | settings
        self.process: subprocess.Popen[bytes] | None = None
        sealing = settings.get("audit_key_file")
        self.state = State.open(settings.get("state_url", folder / "state.db"), Path(sealing) if sealing else None)
        self._own = self.key(Role.ADMIN)
        self.decide(*decisions)

    def decide(self, *decisions: Decision) -> None:
        """These stand, and no others, from when this returns."""
        with self.state.changing("tests") as change:
            for standing in self.state.standing(datetime.now(UTC))[1]:
                change.end(standing.decision_id, "the test is over")
            change.decide([(decision, True) for decision in decisions])
        if self.process is not None:
            until(
                lambda: f"stillwatch_state_version {float(self.state.version())}\n" in self.metrics(), what="the change"
            )

    def metrics(self) -> str:
        return httpx.get(f"{self.url}/metrics", headers={"authorization": f"Bearer {self._own}"}, verify=False).text

    def key(self, *roles: Role, scope: str = "") -> str:
        token, kept = new("test", frozenset(roles or {Role.DECIDE}), scope)
        KeyFile(self.folder / "access.json").add(kept)
        return token

    def served_key(self) -> str:
        """A key with the role decide that the service knows by now."""
        return self.key_now(Role.DECIDE)

    def key_now(self, *roles: Role) -> str:
        """A key that the service knows by now."""
        token = self.key(*roles)
        until(lambda: self._known(token, verify=False), what="the new key")
        return token

    def client(self, *roles: Role, scope: str = "", **given) -> httpx.Client:
        token = self.key(*roles, scope=scope)
        if self.process is not None:
            # A running service reads the file of keys again within refresh_seconds.
            until(lambda: self._known(token, **given), what="the new key")
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {token}"}, timeout=10, **given)

    def _known(self, token: str, **given) -> bool:
        asked = httpx.get(f"{self.url}/metrics", headers={"authorization": f"Bearer {token}"}, **given)
        return asked.status_code == 200

    def start(self) -> "Live":
        environment = {k: v for k, v in os.environ.items() if not k.startswith("STILLWATCH_")}
        environment |= {f"STILLWATCH_SERVE_{name.upper()}": value for name, value in self.settings.items()}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "stillwatch.cli", "serve"],
                cwd=self.folder,
                env=environment,
                stderr=log,
                stdout=log,
            )
        try:
            until(self._up, 240, "the service")
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        return self

    def _up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        return answers(f"{self.url}/readyz", verify=False)

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(120)

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def __enter__(self) -> "Live":
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()
        self.state.close()


class _Model(BaseHTTPRequestHandler):
    """A model that answers everything, and remembers the headers and bodies that reached it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.reached.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        answer = json.dumps(
            {
                "id": f"chatcmpl-{len(self.server.reached)}",
                "object": "chat.completion",
                "created": 1,
                "model": "stand-in",
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {"role": "assistant", "content": "Hello", "reasoning_content": "step by step"},
                    }
                ],
                "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
            }
        ).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        """Nothing to the terminal."""


@contextmanager
def model():
    """A stand-in model server: its port, and what reached it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Model)
    server.reached = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port, server.reached
    finally:
        server.shutdown()
        server.server_close()


def needed(program: str, package: str) -> str:
    """The path of somebody else's program, or a skip that says what brings it."""
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:{Path(sys.executable).parent}")
    if found is None:
        pytest.skip(f"{program} is not here: {package}")
    return found


@contextmanager
def process(command: list[str], log: Path, **given):
    """Somebody else's server, for as long as the block lasts."""
    with log.open("wb") as out:
        running = subprocess.Popen(command, stdout=out, stderr=out, **given)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait(10)
