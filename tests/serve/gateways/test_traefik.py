"""Traefik itself, with the recipe's own configuration, before a stand-in model."""

from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.serve.gateways.live import DEPLOY, REASON, answers, free_port, needed, process, until

# apache2-utils' htpasswd is not needed for one password: "{SHA}" and the base64 of SHA-1, here of "secret".
DIGEST = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="


@contextmanager
def traefik(folder: Path, stillwatch: int, model: int, key: str):
    program = needed("traefik", "uv sync brings it on Linux, x86-64")
    port = free_port()
    (folder / "customers").write_text("".join(f"{a}:{DIGEST}\n" for a in ("honest", "quiet", "slowed", "stopped")))
    text = (DEPLOY / "gateways" / "traefik.yaml").read_text()
    for here, there in {
        "/etc/traefik/customers.htpasswd": str(folder / "customers"),
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
    with process(command, folder / "log"):
        url = f"http://127.0.0.1:{port}"
        until(lambda: answers(url) and httpx.get(url).status_code != 404, what="Traefik")
        yield httpx.Client(base_url=url, timeout=20)


def ask(client: httpx.Client, account: str, **headers: str) -> httpx.Response:
    return client.post("/v1/chat/completions", json={}, auth=(account, "secret"), headers=headers)


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
    assert "x-stillwatch-key" not in headers
    assert httpx.get(gateway.base_url).status_code == 401


def test_out_of_reach_means_refused(reached, tmp_path):
    with traefik(tmp_path, free_port(), reached[0], "no key") as client:
        assert ask(client, "honest").status_code == 500
        assert reached[1] == []
