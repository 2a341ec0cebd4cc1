"""The look-up of one decision: the one route that is asked at every request, hence without a framework between.

`GET /api/v1/decision?account=…&key=…`, or `?address=…` alone; role `decide`. Its description in the OpenAPI document is
`OPENAPI`.
"""

from __future__ import annotations

import time
from typing import Any, Final
from urllib.parse import unquote_plus

from stillwatch.serve.access.limits import ASGIApp, Receive, Scope, Send, answer
from stillwatch.serve.access.roles import Principal, Role
from stillwatch.serve.service import LONGEST_ID, Refusal, Service, without

PATH: Final = "/api/v1/decision"
PARAMETERS: Final = ("account", "key", "address")
MOST_PARAMETERS: Final = 16

_METHOD = Refusal(405, "method_not_allowed", "this answers GET", ((b"allow", b"GET"),))
_BAD = Refusal(
    422, "invalid_request", f"account takes 1 to {LONGEST_ID} characters; without one, address says whom it is about"
)


def look_up(service: Service) -> ASGIApp:
    """The route."""
    requests = {
        status: service.metrics.requests.labels(PATH, "GET", str(status)) for status in (200, 401, 403, 405, 422, 429)
    }
    seconds = service.metrics.seconds.labels(PATH)

    async def route(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
        started = time.perf_counter()
        refusal = await _answered(service, scope, send)
        if refusal is not None:
            await answer(send, refusal.status, refusal.body, refusal.headers)
        requests[refusal.status if refusal else 200].inc()
        seconds.observe(time.perf_counter() - started)

    return route


async def _answered(service: Service, scope: Scope, send: Send) -> Refusal | None:
    if scope["method"] != "GET":
        return _METHOD
    caller = service.key_holder(scope["headers"])
    if not isinstance(caller, Principal):
        return caller
    if not caller.may(Role.DECIDE):
        return without(Role.DECIDE)
    asked = _asked(scope["query_string"])
    if asked is None:
        return _BAD
    found = service.look_up(caller, "native", asked.get("account"), asked.get("key"), asked.get("address"))
    await answer(send, 200, service.answer(found))
    return None


def _asked(query: bytes) -> dict[str, str] | None:
    """What the query asks for; None where it is none, or names something twice, or neither account nor address."""
    asked: dict[str, str] = {}
    try:
        for pair in query.decode("ascii").split("&", MOST_PARAMETERS):
            name, _, value = pair.partition("=")
            if name not in PARAMETERS:
                continue
            if name in asked:
                return None
            # Most ids need no unquoting, and this is asked at every request.
            asked[name] = unquote_plus(value, errors="strict") if "%" in value or "+" in value else value
    except UnicodeError:
        return None
    if "account" in asked:
        return asked if 0 < len(asked["account"]) <= LONGEST_ID else None
    return asked if asked.get("address") else None


def _parameter(name: str, description: str, **bounds: int) -> dict[str, Any]:
    schema = {"type": "string", **bounds}
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


OPENAPI: Final[dict[str, Any]] = {
    "get": {
        "tags": ["decisions"],
        "operationId": "look_up",
        "summary": "What holds for a request of this account and key, or from this address",
        "description": "The hardest decision in force, or `observe` with no decision. One of `account` and `address` "
        "must be given. Role `decide`.",
        "parameters": [
            _parameter("account", "id of the account", minLength=1, maxLength=LONGEST_ID),
            _parameter("key", "id of the account's key"),
            _parameter("address", "address that the request came from; counts where no account is given"),
        ],
        "security": [{"key": []}],
        "responses": {
            "200": {
                "description": "The measure",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}},
            },
            **{
                str(status): {
                    "description": description,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Fault"}}},
                }
                for status, description in (
                    (401, "No key of this service"), (403, "The key lacks the role"), (405, "Not GET"),
                    (422, "A parameter is missing or twice"), (429, "More requests a second than `rate`"),
                )
            },
        },
    }
}  # fmt: skip
