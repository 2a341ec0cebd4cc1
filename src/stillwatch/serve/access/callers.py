"""Who may call a route: `Annotated[Principal, Depends(requires(Role.ANALYST))]`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request

from stillwatch.serve.access.roles import Principal, Role
from stillwatch.serve.service import Refusal, Service, without


class Refused(Exception):
    """A caller that is not answered, and why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.type)
        self.refusal = refusal


def service_of(request: Request) -> Service:
    """The service that a request came to."""
    service: Service = request.app.state.service
    return service


def requires(role: Role) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency that gives the caller, who has this role, and leaves it in `request.state.principal`."""

    async def dependency(request: Request) -> Principal:
        caller = await anyone(request)
        if not caller.may(role):
            raise Refused(without(role))
        return caller

    return dependency


async def anyone(request: Request) -> Principal:
    """The caller, whatever its roles; raises Refused where it has no key or token of this service."""
    caller = await service_of(request).caller(request.scope["headers"])
    if not isinstance(caller, Principal):
        raise Refused(caller)
    request.state.principal = caller
    request.scope["caller"] = caller.name
    return caller
