"""Native REST: decisions in numbers, and what stands, for people."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, Literal, Self

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from stillwatch.respond.decision import Decision, Measure
from stillwatch.serve.access.callers import requires, service_of
from stillwatch.serve.access.roles import Principal, Role
from stillwatch.serve.service import LONGEST_ID, told

MOST_ASKED = 1_000
MOST_LISTED = 1_000

MeasureName = Literal["observe", "withhold_reasoning", "throttle", "step_up", "block"]
Text = Annotated[str, Field(max_length=LONGEST_ID)]


class Told(BaseModel):
    """What a gateway is told of a decision: enough to act on it and to tell the customer."""

    decision_id: str
    subject_kind: Literal["account", "key", "address"]
    requests_per_minute: int | None = Field(description="of a throttle")
    tokens_per_minute: int | None = Field(description="of a throttle")
    verification: str | None = Field(description="what a step-up asks for: phone, identity or contract")
    reason: str = Field(description="fit to show to the customer")
    expires: datetime
    appeal: str = Field(description="where the customer appeals")


class Answer(BaseModel):
    """The measure that holds; `observe` with no decision where nothing is to be done."""

    measure: MeasureName
    decision: Told | None


class Fault(BaseModel):
    """Why a request was not answered."""

    class Error(BaseModel):
        """A word for programs and a sentence for people."""

        type: str
        message: str

    error: Error


class Asked(BaseModel):
    """Whom a look-up is about: an account and its key; an address, where no account is given."""

    model_config = ConfigDict(extra="forbid")

    account: Annotated[str, Field(min_length=1, max_length=LONGEST_ID)] | None = None
    key: Text | None = None
    address: Text | None = None

    @model_validator(mode="after")
    def _about_somebody(self) -> Self:
        if self.account is None and not self.address:
            raise ValueError("takes an account or an address")
        return self


class Batch(BaseModel):
    """Many look-ups at once."""

    model_config = ConfigDict(extra="forbid")

    asked: Annotated[list[Asked], Field(min_length=1, max_length=MOST_ASKED)]


class Answers(BaseModel):
    """In the order in which they were asked."""

    answers: list[Answer]


class Listed(Told):
    """A decision as an analyst sees it."""

    subject: str
    account: str | None
    measure: MeasureName
    campaign_id: str
    probability: float
    evidence: list[str]
    created: datetime
    dry_run: bool


class Page(BaseModel):
    """Decisions by id; `next` is the `after` of the page that follows, null on the last."""

    decisions: list[Listed]
    next: str | None


FAULTS: dict[int | str, dict[str, Any]] = {
    401: {"model": Fault, "description": "No key or token of this service"},
    403: {"model": Fault, "description": "The caller lacks the role"},
    413: {"model": Fault, "description": "The body is too large"},
    422: {"model": Fault, "description": "Something in the request is not as it must be"},
    429: {"model": Fault, "description": "More requests a second than `rate`"},
}


router = APIRouter(prefix="/api/v1", tags=["decisions"], responses=FAULTS)


@router.post("/decisions/look-up", summary="What holds for many requests at once")
async def look_up_many(
    request: Request, batch: Batch, caller: Annotated[Principal, Depends(requires(Role.DECIDE))]
) -> Answers:
    """Up to 1,000 at once, answered in their order. Role `decide`."""
    service = service_of(request)
    found = (service.look_up(caller, "native", a.account, a.key, a.address) for a in batch.asked)
    return Answers(answers=[Answer.model_validate(told(decision)) for decision in found])


# No coroutine, and JSON one by one: look-ups are answered between any two of them.
@router.get("/decisions", summary="The decisions that stand", response_model=Page)
def standing(
    *,
    request: Request,
    caller: Annotated[Principal, Depends(requires(Role.ANALYST))],
    account: Annotated[str | None, Query(max_length=LONGEST_ID)] = None,
    campaign: Annotated[str | None, Query(max_length=LONGEST_ID)] = None,
    measure: MeasureName | None = None,
    dry_run: Annotated[bool, Query(description="those that would stand, had dry run been off")] = False,
    after: Annotated[str | None, Query(max_length=LONGEST_ID, description="the last id of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 100,
) -> Response:
    """In the order of their ids. Role `analyst`."""
    now = datetime.now(UTC)
    held = service_of(request).standing.in_order(dry_run=dry_run)
    first = 0 if after is None else bisect_right(held, after, key=lambda decision: decision.decision_id)
    chosen = (
        decision
        for decision in islice(held, first, None)
        if decision.holds(now)
        and caller.sees(decision.account if decision.subject_kind != "account" else decision.subject)
        and (account is None or account in (decision.subject, decision.account))
        and (campaign is None or decision.campaign_id == campaign)
        and (measure is None or decision.measure is Measure.of(measure))
    )
    page = list(islice(chosen, limit + 1))
    follows = orjson.dumps(page[limit - 1].decision_id if len(page) > limit else None)
    bodies = b",".join(listed(decision, dry_run).model_dump_json().encode() for decision in page[:limit])
    return Response(b'{"decisions":[%b],"next":%b}' % (bodies, follows), media_type="application/json")


def listed(decision: Decision, dry_run: bool) -> Listed:
    """A decision as an analyst sees it."""
    return Listed.model_validate({**decision.as_json(), "dry_run": dry_run})


def schemas() -> dict[str, Any]:
    """Schemas of what the look-up of one decision answers, for the OpenAPI document."""
    made: dict[str, Any] = {}
    for model in (Answer, Fault):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        made |= schema.pop("$defs", {})
        made[model.__name__] = schema
    return made
