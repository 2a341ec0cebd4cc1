"""Debian's nginx, with the recipe's own configuration, before a stand-in model."""

from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.serve.gateways.live import DEPLOY, REASON, answers, decided, free_port, needed, process, until

ACCOUNTS = ("honest", "watched", "quiet", "slowed", "asked", "stopped")


@contextmanager
def nginx(folder: Path, stillwatch: int, model: int, key: str, *, lets_through: bool = True):
    program = needed("nginx", "apt-get install nginx-light")
    port = free_port()
    for name, named in (("accounts", "{}"), ("keys", "key-of-{}")):
        (folder / f"{name}.map").write_text("".join(f'"Bearer sk-{a}" {named.format(a)};\n' for a in ACCOUNTS))
    text = (DEPLOY / "gateways" / "nginx.conf").read_text()
    for here, there in {
        "/etc/nginx/stillwatch-": f"{folder}/",
        "127.0.0.1:8480": f"127.0.0.1:{stillwatch}",
        "127.0.0.1:8000": f"127.0.0.1:{model}",
        "listen 8080": f"listen 127.0.0.1:{port}",
        "KEY-WITH-THE-ROLE-DECIDE": key,
    }.items():
        assert here in text
        text = text.replace(here, there)
    if not lets_through:
        said = "      proxy_intercept_errors on;\n      error_page 500 502 503 504 = @let_through;\n"
        assert said in text
        text = text.replace(said, "")
    # What a test needs beside the recipe: to run as anybody, in a folder of its own.
    paths = "".join(f"{name}_temp_path {folder};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    text = text.replace("http {", f"http {{ access_log off; {paths}", 1)
    configuration = folder / "nginx.conf"
    configuration.write_text(f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\n{text}")
    with process([program, "-p", str(folder), "-c", str(configuration)], folder / "log"):
        until(lambda: answers(f"http://127.0.0.1:{port}/"), what="nginx")
        yield httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20)


def ask(client: httpx.Client, account: str, **headers: str) -> httpx.Response:
    return client.post("/v1/chat/completions", json={}, headers={"authorization": f"Bearer sk-{account}", **headers})


@pytest.fixture
def gateway(live, reached, tmp_path):
    with nginx(tmp_path, live.port, reached[0], live.served_key()) as client:
        yield client


def test_each_account_meets_its_measure(gateway, reached):
    assert [ask(gateway, a).status_code for a in ("honest", "watched", "quiet", "asked", "stopped")] == [
        200, 200, 200, 403, 403,
    ]  # fmt: skip
    seen = [headers["x-stillwatch-measure"] for _, headers, _ in reached[1]]
    assert seen == ["observe", "observe", "withhold_reasoning"]


def test_the_customer_reads_why_and_how_to_appeal(gateway):
    refused = ask(gateway, "stopped")
    error = refused.json()["error"]
    assert error["message"] == REASON
    assert error["appeal"] == "/v1/appeals/stopped"
    assert ask(gateway, "asked").json()["error"]["verification"] == "identity"


def test_a_throttle_lets_its_requests_through_and_then_says_when_to_come_again(gateway, reached):
    answered = [ask(gateway, "slowed") for _ in range(4)]
    assert [a.status_code for a in answered] == [200, 200, 200, 429]
    assert answered[-1].headers["retry-after"] == "20"
    assert len(reached[1]) == 3


def test_a_stolen_key_is_stopped_and_no_other(live, gateway, reached):
    live.decide(decided("key-of-honest", "block", kind="key", account="honest"))
    assert [ask(gateway, a).status_code for a in ("honest", "watched")] == [403, 200]
    assert ask(gateway, "honest", **{"x-stillwatch-key-id": "another"}).status_code == 403
    live.decide(decided("another", "block", kind="key", account="honest"))
    assert ask(gateway, "honest").status_code == 200
    assert len(reached[1]) == 2


def test_what_a_customer_says_of_itself_is_not_believed(gateway, reached):
    assert ask(gateway, "stopped", **{"x-stillwatch-account": "honest"}).status_code == 403
    assert ask(gateway, "quiet", **{"x-stillwatch-measure": "observe"}).status_code == 200
    assert reached[1][-1][1]["x-stillwatch-measure"] == "withhold_reasoning"
    assert gateway.get("/_stillwatch").status_code == 404
    assert gateway.get("/").status_code == 401


@pytest.mark.parametrize(("lets_through", "status"), [(True, 200), (False, 500)])
def test_out_of_reach_means_what_the_recipe_says(reached, tmp_path, lets_through, status):
    with nginx(tmp_path, free_port(), reached[0], "no key", lets_through=lets_through) as client:
        assert ask(client, "stopped").status_code == status


@pytest.mark.parametrize(("lets_through", "status"), [(True, 200), (False, 500)])
def test_a_wrong_key_of_the_gateway_is_as_if_out_of_reach(live, reached, tmp_path, lets_through, status):
    with nginx(tmp_path, live.port, reached[0], "stillwatch_wrong_key", lets_through=lets_through) as client:
        assert ask(client, "stopped").status_code == status
