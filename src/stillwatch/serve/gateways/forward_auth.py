"""Forward auth: a gateway asks of every request, by its headers, whether it may pass.

Spoken by nginx (`auth_request`), Traefik (`forwardAuth`), APISIX (`forward-auth`) and Envoy (`ext_authz` over HTTP,
which appends the request's own path). 200 lets it pass; the measure and its limits stand in headers for the gateway.
"""

from __future__ import annotations

import json
import time
from typing import Any, Final

import orjson

from stillwatch.respond.decision import Decision, Measure
from stillwatch.serve.access.limits import ASGIApp, Receive, Scope, Send, answer
from stillwatch.serve.access.roles import Principal, Role
from stillwatch.serve.service import Headers, Refusal, Service, without
from stillwatch.serve.settings import ServeSettings

PATH: Final = "/forward-auth"
# nginx knows 2xx, 401 and 403 of an auth_request: the status that the customer should see stands in a header.
NGINX_PATH: Final = "/forward-auth-nginx"

UNNAMED = Refusal(403, "no_account", "the gateway named no account for this request")


def verdict(decision: Decision | None, over_limit: bool) -> tuple[int, dict[str, str]]:
    """The status that a customer's request deserves, and the headers that say why.

    200 lets it pass, 403 refuses (block, step up), 429 asks to come again (throttle over its limit).
    """
    if decision is None:
        return 200, {"x-stillwatch-measure": Measure.OBSERVE.text}
    headers = {
        "x-stillwatch-measure": decision.measure.text,
        "x-stillwatch-decision": decision.decision_id,
        "x-stillwatch-appeal": decision.appeal,
    }
    if decision.limits:
        headers["x-stillwatch-requests-per-minute"] = str(decision.limits.requests_per_minute)
        headers["x-stillwatch-tokens-per-minute"] = str(decision.limits.tokens_per_minute)
    if decision.verification:
        headers["x-stillwatch-verification"] = decision.verification
    if decision.measure >= Measure.STEP_UP:
        return 403, headers
    if decision.measure is Measure.THROTTLE and over_limit:
        return 429, {**headers, "retry-after": str(_wait(decision))}
    return 200, headers


def _wait(decision: Decision) -> int:
    """Seconds until one more request fits."""
    return -(-60 // decision.limits.requests_per_minute) if decision.limits else 60


def refusal_body(decision: Decision, status: int) -> bytes:
    """What the customer reads: why, until when, and how to appeal."""
    error = {
        "type": "rate_limited" if status == 429 else "access_restricted",
        "code": decision.measure.text,
        "message": decision.reason,
        "decision_id": decision.decision_id,
        "verification": decision.verification,
        "expires": decision.as_json()["expires"],
        "appeal": decision.appeal,
    }
    return orjson.dumps({"error": error})


def ask(service: Service, caller: Principal, gateway: str, named: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body for a request whose headers (names in lower case) name account and key."""
    settings = service.settings
    account = named.get(settings.account_header, "")
    if not account:
        return UNNAMED.status, {}, UNNAMED.body
    decision = service.look_up(caller, gateway, account, named.get(settings.key_header) or None)
    over = decision is not None and decision.measure is Measure.THROTTLE and service.over_limit(decision, gateway)
    status, headers = verdict(decision, over)
    return status, headers, b"" if decision is None or status == 200 else refusal_body(decision, status)


def openapi(settings: ServeSettings, *, nginx: bool) -> dict[str, Any]:
    """What the OpenAPI document says of the route."""
    described = {
        200: "The request may pass; the measure stands in X-Stillwatch-Measure",
        403: "It may not: why, until when and how to appeal",
        429: "It is over the limit of a throttle",
        503: "The gateway's key is not known, lacks the role, or asks too often",
    }
    if nginx:
        del described[429]
    headers = {
        "x-stillwatch-key": "the gateway's key, with the role decide",
        settings.account_header: "id of the account",
        settings.key_header: "id of the account's key",
    }
    return {
        "get": {
            "tags": ["gateways"],
            "operationId": "forward_auth_nginx" if nginx else "forward_auth",
            "summary": "nginx: whether a request may pass" if nginx else "Traefik, APISIX, Envoy: whether it may pass",
            "description": "The status that a customer should see stands in X-Stillwatch-Status."
            if nginx
            else "Any method, and any path after it.",
            "security": [],
            "parameters": [
                {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
                for name, text in headers.items()
            ],
            "responses": {
                str(status): {"description": text, "content": {"application/json": {}}}
                for status, text in described.items()
            },
        }
    }


def forward_auth(service: Service, *, nginx: bool) -> ASGIApp:
    """The route. nginx: refusals are 403, the status for the customer in `X-Stillwatch-Status`."""
    path = NGINX_PATH if nginx else PATH
    seconds = service.metrics.seconds.labels(path)

    async def route(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
        started = time.perf_counter()
        caller = service.key_holder(scope["headers"], own_header_only=True)
        if isinstance(caller, Principal) and not caller.may(Role.DECIDE):
            caller = without(Role.DECIDE)
        if isinstance(caller, Principal):
            status, headers, body = ask(service, caller, "forward_auth", _named(scope["headers"]))
            fields = tuple((name.encode(), _field(value)) for name, value in headers.items())
        else:
            # A gateway that we do not know must not look like a customer that we refuse: to it the service is out of
            # reach, and what that means is for its configuration to say.
            status, fields, body = 503, (), caller.body
        shown = 403 if nginx and status == 429 else status
        if nginx:
            # A subrequest's body is thrown away, so what the customer should read goes in a header: ASCII, on one line.
            told = json.dumps(orjson.loads(body)).encode() if body else b""
            fields = (*fields, (b"x-stillwatch-status", str(status).encode()), (b"x-stillwatch-body", told))
        await answer(send, shown, body, fields)
        service.metrics.requests.labels(path, "any", str(shown)).inc()
        seconds.observe(time.perf_counter() - started)

    return route


def _named(headers: Headers) -> dict[str, str]:
    named: dict[str, str] = {}
    for name, value in headers:
        named.setdefault(name.decode("latin-1"), value.decode("utf-8", "replace"))
    return named


def _field(value: str) -> bytes:
    """A header's value: no line may end in it."""
    return value.encode("ascii", "replace").replace(b"\r", b" ").replace(b"\n", b" ")
