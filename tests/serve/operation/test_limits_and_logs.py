"""A service with narrow limits: what is too long, too slow or too often is refused, and logs tell of nobody."""

import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.serve.gateways.live import Live, decided, every, until

from stillwatch.serve.access.limits import Rate
from stillwatch.serve.access.roles import Role

PROMPT = "a most private matter"
ADDRESS = "203.0.113.77"


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    folder = tmp_path_factory.mktemp("narrow")
    with Live(folder, every(), max_body="2048", body_seconds="1", rate="10", log_level="debug") as live:
        yield live


@pytest.fixture
def client(narrow):
    with narrow.client(Role.ADMIN) as client:
        yield client


def raw(live: Live, *parts: bytes, seconds: float = 0.0) -> bytes:
    """What the service answers to bytes that are sent one by one."""
    with socket.create_connection(("127.0.0.1", live.port), timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(seconds)
        return connection.recv(65536)


def test_a_body_that_is_too_long_is_refused_declared_or_not(narrow, client):
    declared = client.post("/api/v1/decisions/look-up", content=b" " * 4096)
    assert declared.status_code == 413
    undeclared = client.post("/api/v1/decisions/look-up", content=iter([b" " * 1024] * 4))
    assert undeclared.status_code == 413
    assert undeclared.json()["error"]["type"] == "too_large"


def test_a_slow_sender_is_cut_off_and_holds_nobody_up(narrow, client):
    token = client.headers["authorization"].encode()
    head = (
        b"POST /api/v1/decisions/look-up HTTP/1.1\r\nhost: x\r\nauthorization: %s\r\ncontent-length: 100\r\n\r\n"
        % token
    )
    started = time.monotonic()
    assert b" 408 " in raw(narrow, head, b"{")
    assert time.monotonic() - started < 5
    # Nor may headers trickle in for ever.
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", narrow.port), timeout=20) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost:")
        assert b" 200 " not in connection.recv(4096)
    assert time.monotonic() - started < 10
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET /api/v1/decision?account=%ff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /forward-auth HTTP/1.1\r\nhost: x\r\nx-stillwatch-key: \xff\xfe\r\n\r\n",
        b"POST /api/v1/decisions/look-up HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /api/v1/decisions/look-up HTTP/1.1\r\nhost: x\r\ncontent-length: 1e9\r\n\r\n",
        b"POST /api/v1/decisions/look-up HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_request_is_no_server_error(narrow, sent):
    assert not re.match(rb"HTTP/1.1 50[0-2]", raw(narrow, sent))


def test_a_key_that_asks_too_often_is_told_to_wait(narrow, client):
    def asked(_: int) -> int:
        return client.get("/api/v1/decision", params={"account": "honest"}).status_code

    with ThreadPoolExecutor(16) as many:
        assert set(many.map(asked, range(100))) == {200, 429}
    time.sleep(1)
    assert client.get("/api/v1/decision", params={"account": "honest"}).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/decision?account=a", "/api/v1/decisions", "/metrics", "/v1/decisions"])
@pytest.mark.parametrize("token", [None, "Bearer wrong", "Bearer stillwatch_0_0", "Basic eDp5", "Bearer \u00e9"])
def test_without_a_key_nothing_is_told(narrow, path, token):
    headers = {"authorization": token.encode("latin-1")} if token else {}
    answer = httpx.get(f"{narrow.url}{path}", headers=headers)
    assert answer.status_code == 401
    assert set(answer.json()) == {"error"}


def test_no_log_line_has_a_prompt_a_key_an_account_or_an_address(narrow, client):
    narrow.decide(*every(), decided(ADDRESS, "block", kind="address"))
    key = client.headers["authorization"].removeprefix("Bearer ")
    time.sleep(1)  # the rate of the test before
    client.get("/api/v1/decision", params={"account": "stopped", "address": ADDRESS})
    client.get("/api/v1/decisions", params={"account": "stopped"})
    client.post("/api/v1/decisions/look-up", json={"asked": [{"account": "stopped", "address": ADDRESS}]})
    client.post("/api/v1/decisions/look-up", json={"asked": PROMPT})
    question = {"texts": [PROMPT], "request_data": {"user_api_key_user_id": "stopped", "user_api_key_hash": "h"}}
    client.post("/beta/litellm_basic_guardrail_api", json=question)
    client.get(f"/v1/decisions?ip={ADDRESS}")
    client.get(f"/nowhere/{PROMPT}/stopped")
    client.post("/v1/appeals/stopped", json={"text": PROMPT})
    until(lambda: '"/v1/appeals/{decision_id}"' in narrow.log.read_text(), what="the last line")
    log = narrow.log.read_text()
    for private in (PROMPT, PROMPT.replace(" ", "%20"), key, key.split("_", 2)[2], ADDRESS, "stopped"):
        assert private not in log
    assert all({"time", "level", "event"} <= line.keys() for line in map(json.loads, log.splitlines()))
    told = [line for line in map(json.loads, log.splitlines()) if line.get("route") == "/api/v1/decisions"]
    assert told[-1]["status"] == 200
    assert told[-1]["principal"] == key.split("_")[1]


def test_metrics_count_and_name_nobody(narrow, client):
    time.sleep(1)
    client.get("/api/v1/decision", params={"account": "stopped"})
    page = client.get("/metrics").text
    assert 'stillwatch_look_ups_total{gateway="native",measure="block"}' in page
    assert 'stillwatch_standing_decisions{measure="block"}' in page
    assert re.search(r'stillwatch_request_seconds_bucket\{le="0\.005",route="/api/v1/decision"\} [1-9]', page)
    assert "stopped" not in page


def test_a_rate_holds_a_periods_worth_and_fills_evenly():
    rate = Rate(per=60.0)
    assert [rate.take("a", 3, now=0.0) for _ in range(4)] == [True, True, True, False]
    assert not rate.take("a", 3, now=19.9)
    assert rate.take("a", 3, now=20.1)
    assert rate.take("b", 3, now=20.1)
