"""Envoy's ext_authz over gRPC: `envoy.service.auth.v3.Authorization/Check`.

Envoy sends the headers of the customer's request; the account and key stand in those that the settings name.
Our key comes as metadata of the call (`x-stillwatch-key`, or `authorization: Bearer …`).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import grpc
from fastapi import FastAPI

from stillwatch.errors import EnvironmentFailure
from stillwatch.serve.access.roles import Principal, Role
from stillwatch.serve.gateways import ext_authz_pb2 as messages
from stillwatch.serve.gateways.forward_auth import ask
from stillwatch.serve.service import Service, without

SERVICE: Final = "envoy.service.auth.v3.Authorization"
ROUTE: Final = f"/{SERVICE}/Check"

# google.rpc.Code
OK: Final = 0
PERMISSION_DENIED: Final = 7
OVERWRITE: Final = 2

_CODES: Final = {
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
}


class Authorization:
    """The answers to Envoy, from the same snapshot as every other gateway's."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._seconds = service.metrics.seconds.labels(ROUTE)

    async def check(
        self,
        request: messages.CheckRequest,
        context: grpc.aio.ServicerContext[messages.CheckRequest, messages.CheckResponse],
    ) -> messages.CheckResponse:
        """Whether a customer's request may pass. A caller that is not known is an error, never an answer."""
        started = time.perf_counter()
        sent = context.invocation_metadata() or ()
        caller = self._service.key_holder(
            (str(name).encode(), value if isinstance(value, bytes) else str(value).encode()) for name, value in sent
        )
        if isinstance(caller, Principal) and not caller.may(Role.DECIDE):
            caller = without(Role.DECIDE)
        if not isinstance(caller, Principal):
            await context.abort(_CODES[caller.status], caller.message)
        status, headers, body = ask(self._service, caller, "envoy_grpc", named(request))
        self._service.metrics.requests.labels(ROUTE, "grpc", str(status)).inc()
        self._seconds.observe(time.perf_counter() - started)
        return response(status, headers, body)


def named(request: messages.CheckRequest) -> dict[str, str]:
    """The customer's headers by name in lower case, as Envoy sends them: parsed, or raw."""
    http = request.attributes.request.http
    headers = {name.lower(): value for name, value in http.headers.items()}
    for raw in http.header_map.headers:
        headers.setdefault(raw.key.lower(), raw.value or raw.raw_value.decode("utf-8", "replace"))
    return headers


def response(status: int, headers: dict[str, str], body: bytes) -> messages.CheckResponse:
    """The answer in Envoy's form. Headers overwrite: the customer may not send a measure of its own choice."""
    fields = [
        messages.HeaderValueOption(header=messages.HeaderValue(key=name, value=value), append_action=OVERWRITE)
        for name, value in headers.items()
    ]
    if status == 200:
        return messages.CheckResponse(
            status=messages.Status(code=OK), ok_response=messages.OkHttpResponse(headers=fields)
        )
    fields.append(messages.HeaderValueOption(header=messages.HeaderValue(key="content-type", value="application/json")))
    return messages.CheckResponse(
        status=messages.Status(code=PERMISSION_DENIED),
        denied_response=messages.DeniedHttpResponse(
            status=messages.HttpStatus(code=status), headers=fields, body=body.decode()
        ),
    )


@asynccontextmanager
async def envoy_grpc(_: FastAPI, service: Service) -> AsyncIterator[None]:
    """The gRPC server on `envoy_grpc`, with the service's TLS, for as long as the service runs."""
    settings = service.settings
    assert settings.envoy_grpc is not None
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", settings.max_body)])
    handler = grpc.unary_unary_rpc_method_handler(
        Authorization(service).check,
        request_deserializer=messages.CheckRequest.FromString,
        response_serializer=messages.CheckResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Check": handler}),))
    try:
        if settings.tls_certificate and settings.tls_key:
            pair = (settings.tls_key.read_bytes(), settings.tls_certificate.read_bytes())
            server.add_secure_port(settings.envoy_grpc, grpc.ssl_server_credentials([pair]))
        else:
            server.add_insecure_port(settings.envoy_grpc)
    except RuntimeError as error:
        raise EnvironmentFailure(f"{settings.envoy_grpc}: cannot listen there for envoy_grpc") from error
    await server.start()
    try:
        yield
    finally:
        await server.stop(settings.drain_seconds)
