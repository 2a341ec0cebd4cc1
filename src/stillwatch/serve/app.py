"""The service as one ASGI application."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from stillwatch import __version__
from stillwatch.errors import EnvironmentFailure
from stillwatch.respond.standing import Decided
from stillwatch.serve.access.callers import CALLER, Refused, anyone, service_of, who
from stillwatch.serve.access.limits import ASGIApp, Bounded, Fault, Message, Receive, Scope, Send, answer
from stillwatch.serve.access.roles import Principal
from stillwatch.serve.casework import cases, passages, verdicts
from stillwatch.serve.gateways import appeals, crowdsec, decisions, forward_auth, litellm, look_up
from stillwatch.serve.logs import fault, say
from stillwatch.serve.service import Refusal, Service
from stillwatch.serve.settings import ServeSettings

Extra = Callable[[FastAPI, Service], AbstractAsyncContextManager[None]]


async def _reads_metrics(request: Request) -> None:
    if not service_of(request).settings.open_metrics:
        await anyone(request)


class Application:
    """The whole service: the routes that every request asks, and the rest behind limits, logs and metrics."""

    def __init__(self, api: FastAPI, service: Service) -> None:
        self.api = api
        self.service = service
        settings = service.settings
        self._rest = Bounded(api, self._allowed, settings.body_seconds)
        self._bare: dict[str, ASGIApp] = {}
        self._any_path: tuple[tuple[str, ASGIApp], ...] = ()
        if "decisions" in settings.parts:
            self._bare = {
                look_up.PATH: look_up.look_up(service),
                forward_auth.PATH: forward_auth.forward_auth(service, nginx=False),
                forward_auth.NGINX_PATH: forward_auth.forward_auth(service, nginx=True),
            }
            self._any_path = ((f"{forward_auth.PATH}/", self._bare[forward_auth.PATH]),)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.api(scope, receive, send)
            return
        path = scope["path"]
        bare = self._bare.get(path)
        if bare is None:
            bare = next((app for prefix, app in self._any_path if path.startswith(prefix)), None)
        if bare is not None:
            await bare(scope, receive, send)
        else:
            await self._told(scope, receive, send)

    async def _allowed(self, scope: Scope) -> int | Fault:
        """How long a body may be: of whom we do not know none is read, since reading it holds all others up."""
        route, most = _route(scope), self.service.settings.max_body
        if route == APPEALS and (anybody := appeals.admitted(self.service, scope)):
            scope[CALLER] = anybody
        caller = await who(self.service, scope)
        if isinstance(caller, Refusal):
            return Fault(caller.status, caller.body, caller.headers)
        if _reads_itself(scope):
            return most
        return min(most, MANY if route == LOOK_UP_MANY else SMALL)

    async def _told(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        status = 0

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._rest(scope, receive, sent)
        except Exception as error:
            say("a request failed", logging.ERROR, route=_route(scope), **fault(error))
            if status == 0:
                status = 500
                await answer(
                    send, 500, b'{"error":{"type":"internal","message":"the service failed; its log says where"}}'
                )
        seconds = time.perf_counter() - started
        route, method = _route(scope), scope["method"] if scope["method"] in _METHODS else "other"
        self.service.metrics.requests.labels(route, method, str(status)).inc()
        self.service.metrics.seconds.labels(route).observe(seconds)
        caller = scope.get(CALLER)
        say(
            "request", logging.DEBUG if route in _QUIET else logging.INFO, route=route, method=method, status=status,
            milliseconds=round(1000 * seconds, 2), principal=caller.name if isinstance(caller, Principal) else None,
        )  # fmt: skip


APPEALS: Final = "/v1/appeals/{decision_id}"
LOOK_UP_MANY: Final = "/api/v1/decisions/look-up"
# Bytes of a body that the framework parses, on the one thread that answers look-ups, where the worst JSON takes 0.2 µs
# a byte. The longest text of an appeal or a case is 48 KB with every character escaped.
SMALL: Final = 64 * 2**10
# Of a thousand look-ups, whose ids are mostly shorter than they may be.
MANY: Final = 256 * 2**10
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})


def _route(scope: Scope) -> str:
    """The route's pattern, never the path, in which ids may stand."""
    return str(getattr(scope.get("route"), "path", "other"))


def _reads_itself(scope: Scope) -> bool:
    """Whether a route takes its body as it comes, traffic or LiteLLM's prompts, and so describes it itself."""
    return "requestBody" in (getattr(scope.get("route"), "openapi_extra", None) or {})


def create_app(settings: ServeSettings, state: Decided, *extras: Extra) -> Application:
    """The service.

    state: where decisions are kept. extras: the other parts of the service, each a function that adds its routes to the
    application when called, and gives a context that is entered when the service starts and left when it stops.
    """
    service = Service(settings, state)
    entered: list[AbstractAsyncContextManager[None]] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.load)
        async with AsyncExitStack() as parts:
            following = asyncio.create_task(service.follow())
            for part in entered:
                await parts.enter_async_context(part)
            yield
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following

    api = FastAPI(
        title="Stillwatch", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None,
        openapi_url="/openapi.json", description="Decisions about accounts, keys and addresses.",
    )  # fmt: skip
    api.state.service = service
    api.openapi = lambda: _openapi(api, settings)  # type: ignore[method-assign]
    _errors(api)
    _operation(api, service)
    if "decisions" in settings.parts:
        for router in (
            decisions.router,
            appeals.router,
            cases.router,
            passages.router,
            verdicts.router,
            litellm.router,
            crowdsec.router,
        ):
            api.include_router(router)
        if settings.envoy_grpc is not None:
            from stillwatch.serve.gateways.envoy_grpc import envoy_grpc

            entered.append(envoy_grpc(api, service))
    entered.extend(extra(api, service) for extra in extras)
    return Application(api, service)


_KINDS = {
    400: "invalid_request",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    422: "invalid_request",
    429: "busy",
}


def _errors(api: FastAPI) -> None:
    """Errors in one form, which never says back what was sent."""

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        headers = {name.decode(): value.decode() for name, value in error.refusal.headers}
        return Response(error.refusal.body, error.refusal.status, headers, "application/json")

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        # Names of fields are ours; what stands below a field may be the caller's text.
        where = ".".join(str(part) for part in first["loc"][:2])
        return _fault(422, "invalid_request", f"{where}: {first['type'].replace('_', ' ')}")

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, StarletteHTTPException)
        return _fault(error.status_code, _KINDS.get(error.status_code, "error"), str(error.detail), error.headers)

    async def out_of_reach(request: Request, error: Exception) -> Response:
        say("a request failed, the state is out of reach", logging.ERROR, route=_route(request.scope), **fault(error))
        return _fault(503, "unavailable", "what decisions are kept in does not answer; try again")

    api.add_exception_handler(EnvironmentFailure, out_of_reach)
    api.add_exception_handler(Refused, refused)
    api.add_exception_handler(RequestValidationError, invalid)
    api.add_exception_handler(StarletteHTTPException, http)


def _fault(status: int, kind: str, message: str, headers: Any = None) -> Response:
    return JSONResponse({"error": {"type": kind, "message": message}}, status, headers)


def _operation(api: FastAPI, service: Service) -> None:
    @api.get("/healthz", tags=["operation"], summary="Whether the process answers")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @api.get(
        "/readyz", tags=["operation"], summary="Whether it can do its work", responses={503: {"description": "No"}}
    )
    async def readyz() -> Response:
        wrong = {name: said for name, check in service.checks.items() if (said := check())}
        return JSONResponse({"status": "not ready" if wrong else "ok", "wrong": wrong}, 503 if wrong else 200)

    @api.get(
        "/metrics",
        tags=["operation"],
        summary="Prometheus's series",
        dependencies=[Depends(_reads_metrics)],
        response_class=PlainTextResponse,
        responses={200: {"content": {"text/plain": {}}, "description": "the series, as text"}},
    )
    async def metrics() -> Response:
        return Response(service.measured(), media_type="text/plain; version=0.0.4")


def _openapi(api: FastAPI, settings: ServeSettings) -> dict[str, Any]:
    if api.openapi_schema is None:
        document = get_openapi(
            title=api.title, version=api.version, description=api.description, routes=api.routes, tags=api.openapi_tags
        )
        if "decisions" in settings.parts:
            document["paths"] |= {
                look_up.PATH: look_up.OPENAPI,
                forward_auth.PATH: forward_auth.openapi(settings, nginx=False),
                forward_auth.NGINX_PATH: forward_auth.openapi(settings, nginx=True),
            }
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas |= decisions.schemas()
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}]
        api.openapi_schema = document
    return api.openapi_schema
