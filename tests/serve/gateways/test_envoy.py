"""Envoy itself, with the recipes' own configurations, over gRPC and over HTTP; and Envoy's published messages."""

import asyncio
import warnings
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx
import pytest
from tests.serve.gateways.live import DEPLOY, REASON, answers, decided, free_port, needed, process, until

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of pydantic, about how these messages were generated
    from envoy_data_plane.envoy.config.core.v3 import Address, HeaderMap, HeaderValue, SocketAddress
    from envoy_data_plane.envoy.service.auth.v3 import (
        AttributeContext,
        AttributeContextHttpRequest,
        AttributeContextPeer,
        AttributeContextRequest,
        CheckRequest,
        CheckResponse,
    )

CHECK = "/envoy.service.auth.v3.Authorization/Check"
ACCOUNTS = ("honest", "quiet", "slowed", "asked", "stopped")


@contextmanager
def envoy(kind: str, folder: Path, stillwatch: int, model: int, key: str, *, lets_through: bool = True):
    program = needed("envoy", "uv sync brings it on Linux, x86-64")
    port = free_port()
    text = (DEPLOY / "gateways" / f"envoy-{kind}.yaml").read_text()
    indent = " " * 24

    def credentials(client: str) -> str:
        return f"\n{indent}".join(f"- {{ key: sk-{a}, client: {client.format(a)} }}" for a in ACCOUNTS)

    for here, there in {
        "address: 0.0.0.0, port_value: 8080": f"address: 127.0.0.1, port_value: {port}",
        "port_value: 9480" if kind == "grpc" else "port_value: 8480": f"port_value: {stillwatch}",
        "port_value: 8000": f"port_value: {model}",
        "KEY-WITH-THE-ROLE-DECIDE": key,
        "- { key: sk-acme, client: acme }": credentials("{}"),
        "- { key: sk-acme, client: k1 }": credentials("key-of-{}"),
        "failure_mode_allow: true": f"failure_mode_allow: {str(lets_through).lower()}",
    }.items():
        assert here in text
        text = text.replace(here, there)
    configuration = folder / "envoy.yaml"
    configuration.write_text(text)
    command = [program, "-c", str(configuration), "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
    with process(command, folder / "log"):
        until(lambda: answers(f"http://127.0.0.1:{port}/"), what="Envoy")
        yield httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20)


def ask(client: httpx.Client, account: str, **headers: str) -> httpx.Response:
    return client.post("/v1/chat/completions", json={}, headers={"authorization": f"Bearer sk-{account}", **headers})


def port_of(live, kind: str) -> int:
    return int(live.settings["envoy_grpc"].rpartition(":")[2]) if kind == "grpc" else live.port


@pytest.fixture(params=["grpc", "http"])
def gateway(request, live, reached, tmp_path):
    with envoy(request.param, tmp_path, port_of(live, request.param), reached[0], live.served_key()) as client:
        yield client


def test_blocked_throttled_and_let_through(gateway, reached):
    refused = ask(gateway, "stopped")
    assert (refused.status_code, refused.json()["error"]["message"]) == (403, REASON)
    assert refused.headers["content-type"] == "application/json"
    throttled = [ask(gateway, "slowed") for _ in range(4)]
    assert [t.status_code for t in throttled] == [200, 200, 200, 429]
    assert throttled[-1].headers["retry-after"] == "20"
    assert ask(gateway, "asked").status_code == 403
    assert [ask(gateway, a).status_code for a in ("honest", "quiet")] == [200, 200]
    assert [h["x-stillwatch-measure"] for _, h, _ in reached[1]] == ["throttle"] * 3 + ["observe", "withhold_reasoning"]
    # What a customer says of itself is not believed, and its key stays at the gateway.
    assert ask(gateway, "stopped", **{"x-stillwatch-account": "honest"}).status_code == 403
    assert ask(gateway, "quiet", **{"x-stillwatch-measure": "observe"}).status_code == 200
    headers = reached[1][-1][1]
    assert headers["x-stillwatch-measure"] == "withhold_reasoning"
    assert "sk-" not in str(headers)
    assert gateway.get("/").status_code == 401


def test_a_stolen_key_is_stopped_and_no_other(live, gateway, reached):
    live.decide(decided("key-of-honest", "block", kind="key", account="honest"))
    assert [ask(gateway, a).status_code for a in ("honest", "quiet")] == [403, 200]
    assert ask(gateway, "honest", **{"x-stillwatch-key-id": "another"}).status_code == 403
    live.decide(decided("another", "block", kind="key", account="honest"))
    assert ask(gateway, "honest").status_code == 200
    assert len(reached[1]) == 2


@pytest.mark.parametrize(("lets_through", "status"), [(True, 200), (False, 403)])
@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_out_of_reach_means_what_the_recipe_says(reached, tmp_path, kind, lets_through, status):
    with envoy(kind, tmp_path, free_port(), reached[0], "no key", lets_through=lets_through) as client:
        assert ask(client, "stopped").status_code == status


def check(live, request: CheckRequest, key: str) -> CheckResponse:
    async def asked() -> CheckResponse:
        async with grpc.aio.insecure_channel(live.settings["envoy_grpc"]) as channel:
            call = channel.unary_unary(CHECK, request_serializer=bytes, response_deserializer=CheckResponse.parse)
            return await call(request, metadata=(("x-stillwatch-key", key),), timeout=10)

    return asyncio.run(asked())


def request(**http) -> CheckRequest:
    source = AttributeContextPeer(address=Address(socket_address=SocketAddress(address="192.0.2.7", port_value=4711)))
    asked = AttributeContextRequest(http=AttributeContextHttpRequest(path="/v1/chat/completions", **http))
    return CheckRequest(attributes=AttributeContext(source=source, request=asked))


def test_envoys_own_messages_are_read_and_answered(live):
    key = live.served_key()
    refused = check(live, request(headers={"x-stillwatch-account": "stopped"}), key)
    assert refused.status.code == 7
    assert refused.denied_response.status.code == 403
    assert REASON in refused.denied_response.body
    passed = check(live, request(headers={"x-stillwatch-account": "quiet"}), key)
    assert passed.status.code == 0
    told = {
        option.header.key: (option.header.value, int(option.append_action)) for option in passed.ok_response.headers
    }
    assert told["x-stillwatch-measure"] == ("withhold_reasoning", 2)


def test_raw_headers_are_read_as_well(live):
    raw = HeaderMap(headers=[HeaderValue(key="x-stillwatch-account", raw_value=b"stopped")])
    assert check(live, request(header_map=raw), live.served_key()).denied_response.status.code == 403


def test_an_account_is_not_refused_for_its_address(live):
    live.decide(decided("192.0.2.7", "block", kind="address"))
    asked = request(headers={"x-stillwatch-account": "honest"})
    assert check(live, asked, live.served_key()).status.code == 0


@pytest.mark.parametrize("key", ["", "stillwatch_wrong_key"])
def test_a_caller_without_a_key_is_an_error_and_not_an_answer(live, key):
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        check(live, request(headers={"x-stillwatch-account": "honest"}), key)
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_what_is_no_message_is_an_error(live):
    async def asked():
        async with grpc.aio.insecure_channel(live.settings["envoy_grpc"]) as channel:
            await channel.unary_unary(CHECK)(b"\xff\xff\xff", timeout=10)

    with pytest.raises(grpc.aio.AioRpcError):
        asyncio.run(asked())
    assert check(live, request(headers={"x-stillwatch-account": "honest"}), live.served_key()).status.code == 0
