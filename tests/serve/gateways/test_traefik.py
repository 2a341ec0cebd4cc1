"""Traefik itself, with the recipe's own configuration, before a stand-in model."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from tests.serve.gateways.live import DEPLOY, REASON, answers, decided, free_port, needed, process, until


class _Known(BaseHTTPRequestHandler):
    """The recipe's service that knows the customers' keys: `sk-acme` is `key-of-acme` of `acme`."""

    def do_GET(self) -> None:
        scheme, _, account = self.headers.get("authorization", "").partition(" sk-")
        self.send_response(200 if scheme == "Bearer" and account else 401)
        if account:
            self.send_header("x-stillwatch-account", account)
            self.send_header("x-stillwatch-key-id", f"key-of-{account}")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing to the terminal."""


@contextmanager
def traefik(folder: Path, stillwatch: int, model: int, key: str):
    program = needed("traefik", "uv sync brings it on Linux, x86-64")
    port = free_port()
    text = (DEPLOY / "gateways" / "traefik.yaml").read_text()
    known = ThreadingHTTPServer(("127.0.0.1", 0), _Known)
    for here, there in {
        "127.0.0.1:8001": f"127.0.0.1:{known.server_port}",
        "127.0.0.1:8480": f"127.0.0.1:{stillwatch}",
        "127.0.0.1:8000": f"127.0.0.1:{model}",
        "KEY-WITH-THE-ROLE-DECIDE": key,
    }.items():
        assert here in text
        text = text.replace(here, there)
    (folder / "dynamic.yaml").write_text(text)
    command = [
        program,
        f"--entryPoints.web.address=127.0.0.1:{port}",
        f"--providers.file.filename={folder / 'dynamic.yaml'}",
        "--providers.file.watch=false",
        "--global.checkNewVersion=false",
        "--global.sendAnonymousUsage=false",
    ]
    with known, process(command, folder / "log"):
        threading.Thread(target=known.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{port}"
        until(lambda: answers(url) and httpx.get(url).status_code != 404, what="Traefik")
        yield httpx.Client(base_url=url, timeout=20)
        known.shutdown()


def ask(client: httpx.Client, account: str, **headers: str) -> httpx.Response:
    return client.post("/v1/chat/completions", json={}, headers={"authorization": f"Bearer sk-{account}", **headers})


@pytest.fixture
def gateway(live, reached, tmp_path):
    with traefik(tmp_path, live.port, reached[0], live.served_key()) as client:
        yield client


def test_blocked_throttled_and_let_through(gateway, reached):
    refused = ask(gateway, "stopped")
    assert (refused.status_code, refused.json()["error"]["message"]) == (403, REASON)
    assert [ask(gateway, "slowed").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert [ask(gateway, a).status_code for a in ("honest", "quiet")] == [200, 200]
    assert [h["x-stillwatch-measure"] for _, h, _ in reached[1]] == ["throttle"] * 3 + ["observe", "withhold_reasoning"]


def test_neither_our_key_nor_what_a_customer_says_of_itself_gets_through(gateway, reached):
    assert ask(gateway, "stopped", **{"x-stillwatch-account": "honest"}).status_code == 403
    assert ask(gateway, "quiet", **{"x-stillwatch-measure": "observe"}).status_code == 200
    ((_, headers, _),) = reached[1]
    assert headers["x-stillwatch-measure"] == "withhold_reasoning"
    assert not {"x-stillwatch-key", "authorization"} & headers.keys()
    assert httpx.get(gateway.base_url).status_code == 401


def test_a_stolen_key_is_stopped_and_no_other(live, gateway, reached):
    live.decide(decided("key-of-honest", "block", kind="key", account="honest"))
    assert [ask(gateway, a).status_code for a in ("honest", "quiet")] == [403, 200]
    assert ask(gateway, "honest", **{"x-stillwatch-key-id": "another"}).status_code == 403
    live.decide(decided("another", "block", kind="key", account="honest"))
    assert ask(gateway, "honest").status_code == 200
    assert len(reached[1]) == 2


def test_out_of_reach_means_refused(reached, tmp_path):
    with traefik(tmp_path, free_port(), reached[0], "no key") as client:
        assert ask(client, "honest").status_code == 500
        assert reached[1] == []
