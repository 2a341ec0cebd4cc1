"""APISIX's `forward-auth`, by its published protocol (forward-auth.lua): APISIX itself cannot be had here.

The route file is checked against the plugin's schema, and the service is asked and read as the plugin does it.
"""

import json

import httpx
import jsonschema
from tests.serve.gateways.live import DEPLOY, REASON, Live, decided

ROUTE = json.loads((DEPLOY / "gateways" / "apisix-route.json").read_text())
PLUGIN = ROUTE["plugins"]["forward-auth"]

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["uri"],
    "properties": {
        "uri": {"type": "string"},
        "allow_degradation": {"type": "boolean"},
        "status_on_error": {"type": "integer", "minimum": 200, "maximum": 599},
        "ssl_verify": {"type": "boolean"},
        "request_method": {"type": "string", "enum": ["GET", "POST"]},
        "request_headers": {"type": "array", "items": {"type": "string"}},
        "extra_headers": {"type": "object", "minProperties": 1, "patternProperties": {"^[^:]+$": {"type": "string"}}},
        "upstream_headers": {"type": "array", "items": {"type": "string"}},
        "client_headers": {"type": "array", "items": {"type": "string"}},
        "timeout": {"type": "integer", "minimum": 1, "maximum": 60_000},
    },
}


def test_the_route_fits_the_plugins_schema_and_what_does_not_is_told():
    schema = jsonschema.Draft7Validator(SCHEMA)
    schema.check_schema(SCHEMA)
    assert [error.message for error in schema.iter_errors(PLUGIN)] == []
    for wrong in ({"timeout": 0}, {"request_methods": "POST"}, {"client_headers": "Retry-After"}):
        assert not schema.is_valid({**PLUGIN, **wrong})
    assert not schema.is_valid({name: value for name, value in PLUGIN.items() if name != "uri"})


def passes(live: Live, key: str, account: str, credential: str = "") -> tuple[bool, httpx.Response, dict[str, str]]:
    """What the plugin does: whether the request goes on, what it answers else, what the model's server is sent.

    credential: the id that `key-auth` puts in the header X-Credential-Identifier.
    """
    variables = {
        "$consumer_name": account,
        "$http_x_credential_identifier": credential,
        "KEY-WITH-THE-ROLE-DECIDE": key,
    }
    headers = {
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Method": "POST",
        "X-Forwarded-Host": "gateway",
        "X-Forwarded-Uri": "/v1/chat/completions",
        "X-Forwarded-For": "192.0.2.7",
    } | {name: variables.get(value, value) for name, value in PLUGIN["extra_headers"].items()}
    uri = PLUGIN["uri"].replace("127.0.0.1:8480", f"127.0.0.1:{live.port}")
    answer = httpx.request(PLUGIN["request_method"], uri, headers=headers, timeout=30)
    upstream = {name: answer.headers.get(name) for name in PLUGIN["upstream_headers"]}
    return answer.status_code < 300, answer, upstream


def test_blocked_throttled_and_let_through(live):
    key = live.served_key()
    for account, measure in (("honest", "observe"), ("quiet", "withhold_reasoning")):
        through, _, upstream = passes(live, key, account)
        assert through
        assert upstream == {"X-Stillwatch-Measure": measure}
    through, answer, _ = passes(live, key, "stopped")
    assert (through, answer.status_code, answer.json()["error"]["message"]) == (False, 403, REASON)
    answers = [passes(live, key, "slowed")[1] for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    assert {name: answers[-1].headers[name] for name in PLUGIN["client_headers"]} == {
        "Content-Type": "application/json",
        "Retry-After": "20",
    }


def test_a_stolen_key_is_stopped_and_no_other(live):
    live.decide(decided("k1", "block", kind="key", account="honest"))
    key = live.served_key()
    assert [passes(live, key, "honest", credential)[1].status_code for credential in ("k1", "k2", "")] == [
        403,
        200,
        200,
    ]


def test_a_consumer_without_a_name_is_answered_and_does_not_pass(live):
    through, answer, _ = passes(live, live.served_key(), "")
    assert (through, answer.status_code, answer.json()["error"]["type"]) == (False, 403, "no_account")
