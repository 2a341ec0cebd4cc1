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
from stillwatch.serve.access.keys import KeyFile, new
from stillwatch.serve.access.roles import Role
from stillwatch.serve.settings import ServeSettings
from stillwatch.serve.state import open_state

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
        place = {"state_url": settings.get("state_url"), "audit_key_file": Path(sealing) if sealing else None}
        self.state = open_state(ServeSettings(folder=folder, **place))
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


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
LOGPROBS = [{"token": "Hello", "logprob": -0.25, "bytes": None, "top_logprobs": []}]
SECRET = "step by step"


def chat() -> tuple[dict, list[dict]]:
    """What the stand-in model answers to a chat, whole and in pieces; `SECRET` is its reasoning."""
    whole = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "stand-in", "usage": USAGE}
    said = {"role": "assistant", "content": "Hello", "reasoning_content": SECRET}
    shown = {"index": 0, "logprobs": {"content": LOGPROBS}}
    chunk = {**whole, "object": "chat.completion.chunk"}
    del chunk["usage"]
    return (
        {**whole, "choices": [{**shown, "finish_reason": "stop", "message": said}]},
        [
            {**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "reasoning_content": SECRET}}]},
            {**chunk, "choices": [{**shown, "delta": {"content": "Hello"}}]},
            {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        ],
    )


def responses() -> tuple[dict, list[dict]]:
    """The same of the Responses API."""
    reasoning = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": SECRET}]}
    text = {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": LOGPROBS}
    said = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    whole = {
        "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "stand-in",
        "output": [reasoning, said], "usage": usage, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    }  # fmt: skip
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    first, second = {"item_id": "rs_1", "output_index": 0}, {"item_id": "msg_1", "output_index": 1, "content_index": 0}
    events = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {**reasoning, "summary": []}},
        {"type": "response.reasoning_summary_text.delta", **first, "summary_index": 0, "delta": SECRET},
        {"type": "response.reasoning_summary_text.done", **first, "summary_index": 0, "text": SECRET},
        {"type": "response.output_item.done", "output_index": 0, "item": reasoning},
        {"type": "response.output_item.added", "output_index": 1, "item": {**said, "content": []}},
        {"type": "response.content_part.added", **second, "part": {**text, "text": ""}},
        {"type": "response.output_text.delta", **second, "delta": "Hello", "logprobs": LOGPROBS},
        {"type": "response.output_text.done", **second, "text": "Hello", "logprobs": LOGPROBS},
        {"type": "response.content_part.done", **second, "part": text},
        {"type": "response.output_item.done", "output_index": 1, "item": said},
        {"type": "response.completed", "response": whole},
    ]
    return whole, [{**event, "sequence_number": number} for number, event in enumerate(events)]


def messages() -> tuple[dict, list[dict]]:
    """The same of the Messages API."""
    thinking = {"type": "thinking", "thinking": SECRET, "signature": "signed"}
    said = {"type": "text", "text": "Hello"}
    usage = {"input_tokens": 3, "output_tokens": 2}
    whole = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "stand-in", "content": [thinking, said],
        "stop_reason": "end_turn", "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    return whole, [
        {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {**thinking, "thinking": "", "signature": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": SECRET}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "signed"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Hello"}},
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]


class _Model(BaseHTTPRequestHandler):
    """A model that answers everything, and remembers the headers and bodies that reached it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.reached.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        api = messages if "/messages" in self.path else responses if "/responses" in self.path else chat
        whole, events = api()
        streamed = b'"stream":true' in body.replace(b" ", b"")
        if streamed:
            named = "" if api is chat else "event: {type}\n"
            said = "".join(f"{named.format(**event)}data: {json.dumps(event)}\n\n" for event in events)
            answer = f"{said}data: [DONE]\n\n".encode() if api is chat else said.encode()
        else:
            answer = json.dumps({**whole, "id": f"{whole['id']}{len(self.server.reached)}"}).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if streamed else "application/json")
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
