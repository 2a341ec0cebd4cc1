"""The routes by which traffic is sent: OTLP, LiteLLM's generic logger, our own columns, and access logs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from stillwatch.serve.access.callers import requires
from stillwatch.serve.access.roles import Principal, Role
from stillwatch.serve.ingest import otlp_wire, records
from stillwatch.serve.ingest.intake import Intake, Parse, TooLarge, Unreadable
from stillwatch.serve.ingest.told import Told
from stillwatch.serve.spool import Payload, SpoolBusy

EXCHANGES: Final = "/v1/exchanges"
ACCESS: Final = "/v1/access"
LITELLM: Final = "/v1/litellm"
TRACES: Final = "/v1/traces"
LOGS: Final = "/v1/logs"

router = APIRouter(tags=["ingest"])

Sender = Annotated[Principal, Depends(requires(Role.INGEST))]


class SetAside(BaseModel):
    """A record that was not taken."""

    place: str = Field(description="the line or record, counted from 1")
    reason: str
    field: str | None = Field(None, description="the column that is missing or wrong")


class Taken(BaseModel):
    """What was taken, which is on disk now, and what was not."""

    taken: int = Field(description="records that are on disk now")
    set_aside: int = Field(description="records that cannot be used; sending them again changes nothing")
    first: list[SetAside] = Field(description="the first of those")


class _Fault(Exception):
    def __init__(self, status: int, kind: str, sentence: str, retry_after: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.kind = kind
        self.sentence = sentence
        self.headers = {} if retry_after is None else {"retry-after": str(retry_after)}


def _body(media: str) -> dict[str, Any]:
    """How OpenAPI is told of a body that is read as it is."""
    kinds = {name: {"schema": {"type": "string", "format": "binary"}} for name in media.split(", ")}
    return {"requestBody": {"required": True, "content": kinds}}


_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"description": "Nothing in it could be used"},
    401: {"description": "No key of this service"},
    403: {"description": "Not the role `ingest`"},
    408: {"description": "The body came too slowly"},
    413: {"description": "The body is too large"},
    415: {"description": "A type or an encoding that this route does not take"},
    429: {"description": "No room now: send it again after Retry-After"},
}


@router.post(
    EXCHANGES, summary="Exchanges in our own columns, one JSON object a line", response_model=Taken,
    responses=_ANSWERS, openapi_extra=_body("application/x-ndjson"),
)  # fmt: skip
async def exchanges(request: Request, sender: Sender) -> Response:
    """Taken is on disk: it survives whatever happens next, and counts once however often it is sent."""
    return await _answered(request, sender, records.canonical_lines)


@router.post(
    LITELLM, summary="LiteLLM's generic API logger: json_array, ndjson or single", response_model=Taken,
    responses=_ANSWERS, openapi_extra=_body("application/json"),
)  # fmt: skip
async def litellm(request: Request, sender: Sender) -> Response:
    """What `GENERIC_LOGGER_ENDPOINT` points at."""
    return await _answered(request, sender, records.litellm)


@router.post(
    ACCESS, summary="What an access log tells of requests: an id, and what else is known", response_model=Taken,
    responses={**_ANSWERS, 409: {"description": "Joining is off"}}, openapi_extra=_body("application/x-ndjson"),
)  # fmt: skip
async def access(request: Request, sender: Sender) -> Response:
    """Joined to the exchange of the same id where that comes within `join_seconds`."""
    if not intake_of(request).joining:
        sentence = "joining is off: set join_seconds to have exchanges wait for what access logs tell"
        return _fault(_Fault(409, "conflict", sentence))
    return await _answered(request, sender, lambda body, told, _: records.about(body, told))


async def _answered(request: Request, sender: Principal, parse: Callable[[bytes, Told, bool], Payload]) -> Response:
    joining = intake_of(request).joining
    try:
        taken, told = await _taken(request, sender, lambda body, told: parse(body, told, joining))
    except _Fault as fault:
        return _fault(fault)
    said = {"taken": taken, "set_aside": told.count, "first": told.first}
    return JSONResponse(said, 200 if taken or not told.count else 400)


def _fault(fault: _Fault) -> Response:
    return JSONResponse({"error": {"type": fault.kind, "message": fault.sentence}}, fault.status, fault.headers)


@router.post(
    TRACES, summary="OTLP/HTTP: spans", responses={200: {"description": "Taken, in part where it says so"}, **_ANSWERS},
    openapi_extra=_body("application/x-protobuf, application/json"), response_class=Response,
)  # fmt: skip
async def traces(request: Request, sender: Sender) -> Response:
    """As OpenTelemetry's collector and SDKs send them."""
    return await _exported(request, sender, "spans")


@router.post(
    LOGS, summary="OTLP/HTTP: log records",
    responses={200: {"description": "Taken, in part where it says so"}, **_ANSWERS},
    openapi_extra=_body("application/x-protobuf, application/json"), response_class=Response,
)  # fmt: skip
async def logs(request: Request, sender: Sender) -> Response:
    """As OpenTelemetry's collector and SDKs send them."""
    return await _exported(request, sender, "log_records")


async def _exported(request: Request, sender: Principal, signal: otlp_wire.Signal) -> Response:
    media = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media not in (otlp_wire.PROTOBUF, otlp_wire.JSON):
        sentence = f"Content-Type: {otlp_wire.PROTOBUF} or {otlp_wire.JSON}"
        return Response(otlp_wire.failure(otlp_wire.JSON, 415, sentence), 415, media_type=otlp_wire.JSON)

    def parse(body: bytes, told: Told) -> Payload:
        return records.otlp(otlp_wire.request(body, media, signal), told, intake_of(request).joining)

    try:
        _, told = await _taken(request, sender, parse, media == otlp_wire.PROTOBUF)
    except _Fault as fault:
        return Response(
            otlp_wire.failure(media, fault.status, fault.sentence), fault.status, fault.headers, media_type=media
        )
    return Response(otlp_wire.answer(media, signal, told.count, told.sentence), media_type=media)


async def _taken(request: Request, sender: Principal, parse: Parse, protobuf: bool = False) -> tuple[int, Told]:
    """Read the body, and take it; raises _Fault with what the sender is answered."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip"):
        raise _Fault(415, "unsupported_encoding", "Content-Encoding: gzip or none")

    def allowed(body: bytes, told: Told) -> Payload:
        return records.within(parse(body, told), sender.scope, told)

    try:
        return await intake_of(request).take(
            await request.body(), "" if encoding == "identity" else encoding, allowed, protobuf
        )
    except SpoolBusy as busy:
        raise _Fault(429, "busy", str(busy), busy.retry_after) from busy
    except TooLarge as error:
        raise _Fault(413, "too_large", str(error)) from error
    except (Unreadable, records.Unusable) as error:
        raise _Fault(400, "invalid_request", str(error)) from error


def intake_of(request: Request) -> Intake:
    """The way into the spool of the service that a request came to."""
    intake: Intake = request.app.state.intake
    return intake
