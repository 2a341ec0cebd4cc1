"""A service with narrow limits: what is too long, too slow or too often is refused, and logs tell of nobody."""

import asyncio
import json
import logging
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.serve.gateways.live import Live, decided, every, until
from tests.serve.ingest.intake_service import NothingDecided

from stillwatch.serve.access.keys import KeyFile, new
from stillwatch.serve.access.limits import Rate
from stillwatch.serve.access.roles import Role
from stillwatch.serve.app import create_app
from stillwatch.serve.ingest.part import ingest
from stillwatch.serve.logs import Lines
from stillwatch.serve.settings import ServeSettings

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


class Stuck:
    """A body that nobody may read."""

    async def __call__(self):
        raise AssertionError("read")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """The whole application, and a key that may everything."""
    folder = tmp_path_factory.mktemp("guarded")
    token, kept = new("test", frozenset({Role.ADMIN}))
    KeyFile(folder / "access.json").add(kept)
    app = create_app(ServeSettings(folder=folder, open_appeals=True), NothingDecided(), ingest)
    app.service.load()
    return app, token


def asked(app, path: str, receive, *headers: tuple[bytes, bytes]) -> tuple[int, bytes]:
    """Status and body of what an application answers to a POST."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(b"content-type", b"application/json"), *headers], "http_version": "1.1", "root_path": "",
        "scheme": "http", "server": ("127.0.0.1", 1), "client": ("127.0.0.1", 2),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


# Every route that takes a body.
SENT_TO = [
    "/v1/appeals/d1", "/api/v1/decisions/look-up", "/api/v1/verdicts", "/api/v1/cases/c1/close", "/v1/usage-metrics",
    "/beta/litellm_basic_guardrail_api", "/v1/exchanges", "/v1/traces",
]  # fmt: skip


@pytest.mark.parametrize("path", SENT_TO)
def test_of_whom_nobody_knows_no_body_is_read(guarded, path):
    wrong = (b"authorization", b"Bearer stillwatch_0_0")
    status, told = asked(guarded[0], path, Stuck(), wrong, (b"content-length", b"15900000"))
    assert (status, json.loads(told)["error"]["type"]) == (401, "unauthenticated")


@pytest.mark.parametrize("path", SENT_TO[:5])
@pytest.mark.parametrize("declared", [True, False])
def test_what_the_framework_parses_is_short(guarded, path, declared):
    app, token = guarded
    body = b"[" + b"[]," * 100_000 + b"[]]"

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    length = [(b"content-length", b"%d" % len(body))] if declared else []
    status, told = asked(app, path, receive, (b"x-api-key", token.encode()), *length)
    assert (status, json.loads(told)["error"]["type"]) == (413, "too_large")


def test_of_open_appeals_no_more_are_read_than_are_taken(guarded):
    app, _ = guarded
    app.service.appeals = Rate(per=60.0)
    read = []

    async def receive():
        read.append(1)
        return {"type": "http.request", "body": b"[]", "more_body": False}

    statuses = [asked(app, "/v1/appeals/d1", receive)[0] for _ in range(40)]
    assert set(statuses[:30]) == {422}
    assert set(statuses[30:]) == {429}
    assert len(read) == 30


def test_a_thousand_look_ups_fit_and_a_prompt_of_any_length(guarded):
    app, token = guarded
    many = [{"account": f"account-{n}", "key": "k" * 64, "address": "2001:db8::1234:5678"} for n in range(1_000)]
    prompt = {"texts": ["x" * 2_000_000], "request_data": {"user_api_key_user_id": "a"}}
    for path, value in (("/api/v1/decisions/look-up", {"asked": many}), ("/beta/litellm_basic_guardrail_api", prompt)):
        body = json.dumps(value).encode()

        async def receive(body=body):
            return {"type": "http.request", "body": body, "more_body": False}

        assert asked(app, path, receive, (b"x-api-key", token.encode()))[0] == 200


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


def formatted(name: str, message: str, error: BaseException | None = None) -> dict:
    trace = (type(error), error, None) if error else None
    return json.loads(Lines().format(logging.LogRecord(name, 40, "/lib/loop.py", 7, message, (), trace)))


@pytest.mark.parametrize("name", ["_granian", "asyncio", "librdkafka", "root", "stillwatchful"])
def test_of_another_librarys_line_only_its_place_is_kept(name):
    line = formatted(name, f"Traceback: {PROMPT} of {ADDRESS}", ValueError(PROMPT))
    assert PROMPT not in str(line)
    assert ADDRESS not in str(line)
    assert (line["logger"], line["event"], line["error"]) == (name, "a library says something", "ValueError")
    assert formatted(name, PROMPT)["where"] == "loop.py:7"
    assert formatted("stillwatch.spool", "the spool is not written to")["event"] == "the spool is not written to"


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
