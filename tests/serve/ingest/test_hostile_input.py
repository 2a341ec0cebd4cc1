"""Whatever comes from outside is answered or refused: no parser raises anything but what it says."""

import asyncio
import base64
import contextlib
import json
import time

import pytest
from fastapi import HTTPException
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from joserfc.jwk import KeySet, RSAKey
from tests.serve.ingest.intake_service import NothingDecided

from stillwatch.errors import InputError
from stillwatch.respond.policy import parse_policy
from stillwatch.serve.access.keys import KeyFile, new
from stillwatch.serve.access.oidc import Issuer
from stillwatch.serve.access.roles import Role
from stillwatch.serve.app import create_app
from stillwatch.serve.gateways import crowdsec, litellm
from stillwatch.serve.gateways import ext_authz_pb2 as messages
from stillwatch.serve.gateways.envoy_grpc import named
from stillwatch.serve.ingest import records, spend_logs, topic
from stillwatch.serve.ingest.told import Told
from stillwatch.serve.settings import ServeSettings
from stillwatch.serve.spool.payload import Payload
from stillwatch.sources.lines import Record
from stillwatch.sources.mapping import Chosen

quick = settings(max_examples=60, deadline=None)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=12), v, max_size=4), max_leaves=12
)
BRACKETS = b"[" * 100_000


def rows(*names: str):
    """Objects with some of these names, anything in them."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, values))


@quick
@given(st.binary() | rows("request_data", "request_headers", "input_type").map(lambda v: json.dumps(v).encode()))
@example(BRACKETS)
def test_a_guardrails_question(body):
    try:
        litellm.read(body)
    except HTTPException as refused:
        assert refused.status_code == 422


@quick
@given(st.text() | st.from_regex(r"[0-9a-f:.%/]{1,50}"))
@example("::%1/128")
@example("1.1.1.1/1/1")
def test_a_bouncers_network(text):
    found = crowdsec._network(text)
    assert found is None or crowdsec._network(str(found)) == found


@quick
@given(st.binary(), st.lists(st.tuples(st.text(max_size=9), st.binary(max_size=9), st.text(max_size=9))))
def test_what_envoy_sends(sent, headers):
    with contextlib.suppress(DecodeError):
        named(messages.CheckRequest.FromString(sent))
    request = messages.CheckRequest()
    for name, raw, value in headers:
        request.attributes.request.http.headers[name] = value
        request.attributes.request.http.header_map.headers.add(key=name, raw_value=raw)
    found = named(messages.CheckRequest.FromString(request.SerializeToString()))
    assert found.keys() == {name.lower() for name, _, _ in headers}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """The application, and a gateway's key."""
    folder = tmp_path_factory.mktemp("hostile")
    token, kept = new("test", frozenset({Role.DECIDE}))
    KeyFile(folder / "access.json").add(kept)
    app = create_app(ServeSettings(folder=folder, parts=("decisions",)), NothingDecided())
    app.service.load()
    return app, token.encode()


@pytest.mark.parametrize("path", ["/forward-auth", "/forward-auth-nginx", "/forward-auth/chat", "/api/v1/decision"])
@quick
@given(
    headers=st.dictionaries(
        st.sampled_from([b"x-stillwatch-account", b"x-stillwatch-key-id", b"x-stillwatch-address", b"x-other"]),
        st.binary(max_size=200),
    ),
    query=st.binary(max_size=100),
    held=st.booleans(),
)
def test_what_a_gateway_forwards(gateway, path, headers, query, held):
    app, token = gateway
    sent = []

    async def send(message):
        sent.append(message)

    key = {b"x-stillwatch-key": token} if held else {b"x-stillwatch-key": b"\xff" + token}
    scope = {
        "type": "http", "method": "GET", "path": path, "query_string": query, "headers": [*(headers | key).items()],
    }  # fmt: skip
    asyncio.run(app(scope, None, send))
    assert sent[0]["status"] in ((200, 403, 422, 429) if held else (401, 503))
    assert all(b"\n" not in value and b"\r" not in value for _, value in sent[0]["headers"])


def encoded(value) -> str:
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).decode()


@pytest.fixture(scope="module")
def issuer():
    made = Issuer("https://id.example", "stillwatch", "roles", "accounts")
    made._keys = KeySet([RSAKey.generate_key(2048, {"kid": "k"})])
    made._asked = time.monotonic() + 10_000
    return made


@quick
@given(
    st.text()
    | st.builds(
        lambda head, body, seal: f"{encoded(head)}.{encoded(body)}.{encoded(seal)}",
        rows("alg", "kid", "crit", "b64", "typ", "jwk", "x5c") | values,
        values,
        st.binary(),
    )
)
@example(f"{encoded({'alg': 'RS256', 'kid': 'k'})}.{encoded(BRACKETS[:8_000])}.{encoded(b'x')}")
@example(f"{encoded(BRACKETS[:8_000])}.{encoded({})}.{encoded(b'x')}")
@example(f"{encoded({'alg': ['RS256'], 'kid': ['k']})}.{encoded([])}.{encoded(b'x')}")
def test_a_persons_token(issuer, token):
    assert asyncio.run(issuer.principal(token)) is None


@quick
@given(values | rows("iss", "aud", "exp", "sub", "roles", "accounts", "nbf", "iat"))
@example({"iss": "https://id.example", "aud": "stillwatch", "exp": 1e400, "sub": "a", "accounts": "a"})
@example(
    {"iss": "https://id.example", "aud": "stillwatch", "exp": 10**30, "sub": ["a"], "accounts": "a", "roles": [{}]}
)
def test_a_token_that_the_issuer_signed_with_anything_in_it(issuer, claims):
    from joserfc import jws

    token = jws.serialize_compact({"alg": "RS256", "kid": "k"}, json.dumps(claims).encode(), issuer._keys.keys[0])
    person = asyncio.run(issuer.principal(token))
    assert person is None or isinstance(person.name, str)


@quick
@given(
    rows("metadata", "proxy_server_request", "messages", "response", "status", "model", "startTime", "end_user"),
    rows("request_id", "user", "api_key", "session_id", "prompt_tokens"),
)
def test_a_row_of_litellms_table(one, other):
    row = {"request_id": "r", "startTime": "2026-02-02"} | one | other
    told = Told()
    found = records.taken("litellm", [Record("row", spend_logs.payload(row))], Chosen(), told, False)
    assert found.rows.num_rows + told.count == 1


@pytest.mark.parametrize("parsed", [spend_logs.arguments, topic.Address.parse])
@quick
@given(
    st.text() | st.from_regex(r"(kafka|postgresql)://[-a-z@:\[\]0-9%/?=&#.]{0,40}") | st.just("kafka://[::1/t"),
)
@example("kafka://[::1/t")
@example("postgresql://u@[::1/d")
@example("postgresql://u@h:99999/d")
def test_a_sources_address(parsed, url):
    try:
        parsed(url)
    except InputError as refused:
        assert "\n" not in str(refused)


@quick
@given(st.binary() | st.lists(values).map(lambda v: "\n".join(map(json.dumps, v)).encode()))
@example(BRACKETS)
@example(b"\xef\xbb\xbf{}")
def test_a_message_of_a_topic(value):
    told = Told()
    assert all(isinstance(found.value, dict) for found in topic._records("t 0:0", value, told))


@quick
@given(
    st.text()
    | st.builds(
        lambda section, name, value: f"[{section}]\n{name} = {value}",
        st.sampled_from(["costs", "caps", "measures", "rules"]),
        st.from_regex(r"[a-z_]{1,12}", fullmatch=True),
        scalars.map(repr),
    )
)
@example("a = " + "[" * 2_000)
@example("x = 1e400")
def test_a_policy(text):
    try:
        parse_policy(text, "policy")
    except InputError as refused:
        assert str(refused)


@quick
@given(st.binary(), st.integers(0, 400), st.integers(0, 255))
def test_a_frame_of_the_spool(noise, place, byte):
    told = Told()
    whole = records.canonical_lines(
        b'{"exchange_id": "x", "time": "2026-02-02T00:00:00Z", "account_id": "a", "prompt": "p"}', told, False
    ).encoded()
    changed = bytearray(whole)
    changed[place % len(changed)] = byte
    for data in (noise, bytes(changed), whole[:place]):
        with contextlib.suppress(ValueError):
            assert Payload.decoded(data).rows.num_rows >= 0
    assert Payload.decoded(whole).rows["exchange_id"].to_pylist() == ["x"]
