"""Who may call a route: `Annotated[Principal, Depends(requires(Role.ANALYST))]`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import Request

from stillwatch.serve.access.limits import Scope
from stillwatch.serve.access.roles import Principal, Role
from stillwatch.serve.service import Refusal, Service, without

# Where a request's scope keeps who sent it.
CALLER: Final = "stillwatch.caller"


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
    """A dependency that gives the caller, who has this role."""

    async def dependency(request: Request) -> Principal:
        caller = await anyone(request)
        if not caller.may(role):
            raise Refused(without(role))
        return caller

    return dependency


async def anyone(request: Request) -> Principal:
    """The caller, whatever its roles; raises Refused where it has no key or token of this service."""
    caller = await who(service_of(request), request.scope)
    if not isinstance(caller, Principal):
        raise Refused(caller)
    return caller


async def who(service: Service, scope: Scope) -> Principal | Refusal:
    """Who sent a request, found out once: before its body is read, or where it has none, when a route wants to know."""
    known: Principal | Refusal | None = scope.get(CALLER)
    if known is None:
        known = scope[CALLER] = await service.caller(scope["headers"])
    return known
