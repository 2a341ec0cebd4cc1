"""Appeals: the path that every decision names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from stillwatch.errors import InputError
from stillwatch.respond.database import TEXT
from stillwatch.respond.state import State
from stillwatch.serve.access.callers import Refused, anyone, service_of
from stillwatch.serve.access.limits import Scope
from stillwatch.serve.access.roles import Principal, Role
from stillwatch.serve.gateways.decisions import FAULTS, Answer, Fault
from stillwatch.serve.service import LONGEST_ID, TOO_OFTEN, Refusal, Service, told, without

# Appeals a minute from those who show no key, all together: each is something for a person to read.
OPEN_RATE: Final = 30
ANYBODY: Final = Principal("customer", frozenset())
CREDENTIALS: Final = frozenset({b"authorization", b"x-stillwatch-key", b"x-api-key"})


class Plea(BaseModel):
    """What a customer says."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=4_000, pattern=TEXT, description="why the decision is wrong")]


class Heard(BaseModel):
    """The appeal's id, and what holds until a person has looked at it."""

    appeal_id: str
    holds: Answer


async def customer(request: Request) -> Principal:
    """Who appeals: a gateway or portal on behalf of its customer, or, with `open_appeals`, whoever has the id."""
    caller = await anyone(request)
    if caller is not ANYBODY and not (caller.may(Role.DECIDE) or caller.may(Role.ANALYST)):
        raise Refused(without(Role.DECIDE))
    return caller


def admitted(service: Service, scope: Scope) -> Principal | Refusal | None:
    """Of a request to appeal that shows no key: who sent it, where such are taken, and not too many."""
    if not service.settings.open_appeals or any(name in CREDENTIALS for name, _ in scope["headers"]):
        return None
    return ANYBODY if service.appeals.take("open", OPEN_RATE) else TOO_OFTEN


router = APIRouter(prefix="/v1", tags=["decisions"], responses=FAULTS)


@router.post(
    "/appeals/{decision_id}",
    status_code=201,
    summary="Appeal against a decision",
    responses={
        404: {"model": Fault, "description": "No such decision that stands"},
        409: {"model": Fault, "description": "Appealed already"},
        503: {"model": Fault, "description": "The state's database does not answer: try again"},
    },
)
def plead(
    request: Request,
    decision_id: Annotated[str, Path(max_length=LONGEST_ID, pattern=TEXT)],
    plea: Plea,
    caller: Annotated[Principal, Depends(customer)],
) -> Heard:
    """Opens a case for a person; what policy says is softened or lifted until it is closed. Role `decide` or `analyst`,
    or with `open_appeals` nothing but the decision's id."""
    state, now = service_of(request).state, datetime.now(UTC)
    kept = state.decision(decision_id) if isinstance(state, State) else None
    if kept is None or kept.ended is not None or not kept.decision.holds(now):
        raise HTTPException(404, "no decision of this id stands")
    account = kept.decision.subject if kept.decision.subject_kind == "account" else kept.decision.account
    if not caller.sees(account):
        raise HTTPException(404, "no decision of this id stands")
    assert isinstance(state, State)
    # What follows from an appeal needs much of the judgement, which nobody should wait for when the service starts.
    from stillwatch.respond.answers import appeal

    try:
        heard = appeal(state, decision_id, plea.text, who=caller.name, at=now)
    except InputError:
        raise HTTPException(409, "appealed already; a person will look at it") from None
    return Heard(appeal_id=heard.appeal_id, holds=Answer.model_validate(told(heard.stands)))
