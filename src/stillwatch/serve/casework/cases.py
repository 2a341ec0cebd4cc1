"""Cases: questions that wait for a person, and the answers."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from stillwatch.errors import InputError
from stillwatch.respond.changes import OUTCOMES
from stillwatch.respond.database import TEXT
from stillwatch.respond.decide import touched
from stillwatch.respond.state import Case, State
from stillwatch.serve.access.callers import requires, service_of
from stillwatch.serve.access.roles import Principal, Role
from stillwatch.serve.gateways.decisions import FAULTS, MOST_LISTED, Fault, Listed, listed
from stillwatch.serve.service import LONGEST_ID

LONGEST_WHY = 4_000

Analyst = Annotated[Principal, Depends(requires(Role.ANALYST))]
CaseId = Annotated[str, Path(max_length=LONGEST_ID, pattern=TEXT)]
Why = Annotated[str, Field(min_length=1, max_length=LONGEST_WHY, pattern=TEXT, description="it stands in the audit")]
Kind = Literal["campaign", "returned", "contracted", "stolen_key", "over_cap", "appeal"]


class Question(BaseModel):
    """A case. closed, closed_by, outcome and why are null while it is open."""

    case_id: str
    kind: Kind
    subject_kind: Literal["campaign", "account", "key", "address"]
    subject: str
    campaign_id: str | None
    decision_id: str | None
    opened: datetime
    text: str = Field(description="what is asked")
    outcomes: list[str] = Field(description="what it can be closed with")
    closed: datetime | None
    closed_by: str | None
    outcome: str | None
    why: str | None


class Questions(BaseModel):
    """Cases, the oldest first; `next` is the `after` of the page that follows, null on the last."""

    cases: list[Question]
    next: str | None


class Statement(BaseModel):
    """What a piece of evidence said when a decision was made from it."""

    evidence_id: str
    statement: str
    bits: float


class Ended(Listed):
    """A decision that was made about the account of a case; ended and ended_why are null where it stands or ran out."""

    said: list[Statement] = Field(description="what the evidence said by then")
    ended: datetime | None
    ended_why: str | None


class Whole(Question):
    """A case with what a person needs to answer it."""

    appeal: str | None = Field(description="what the customer says, of an appeal")
    decisions: list[Ended] = Field(description="all that were ever made about the account, the latest first")


class Answer(BaseModel):
    """How a person answers a case."""

    model_config = ConfigDict(extra="forbid")

    outcome: Annotated[str, Field(min_length=1, max_length=40, description="one of the case's `outcomes`")]
    why: Why


NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": Fault, "description": "No such case"}}
OUT_OF_REACH: dict[int | str, dict[str, Any]] = {
    503: {"model": Fault, "description": "The state's database does not answer: try again"}
}
CONFLICT: dict[int | str, dict[str, Any]] = {409: {"model": Fault, "description": "Closed already"}}

router = APIRouter(prefix="/api/v1", tags=["cases"], responses=FAULTS | OUT_OF_REACH)


@router.get("/cases", summary="The cases that wait for a person")
def cases(
    request: Request,
    caller: Analyst,
    *,
    closed: Annotated[bool, Query(description="closed cases as well")] = False,
    kind: Kind | None = None,
    after: Annotated[str | None, Query(max_length=LONGEST_ID, description="the last id of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 100,
) -> Questions:
    """The oldest first. A caller with a scope sees those about its accounts. Role `analyst`."""
    state = state_of(request)
    found = [c for c in state.cases(closed=closed) if (kind is None or c.kind == kind) and _sees(caller, state, c)]
    begin = next((n + 1 for n, c in enumerate(found) if c.case_id == after), 0)
    page = found[begin : begin + limit]
    more = len(found) > begin + limit
    return Questions(cases=[Question(**_told(c)) for c in page], next=page[-1].case_id if more else None)


@router.get("/cases/{case_id}", summary="One case, with what is needed to answer it", responses=NOT_FOUND)
def case(request: Request, caller: Analyst, case_id: CaseId) -> Whole:
    """With every decision that was ever made about its account, and the customer's words. Role `analyst`."""
    state = state_of(request)
    return _whole(state, _seen(caller, state, case_id))


@router.post("/cases/{case_id}/close", summary="Answer a case", responses=NOT_FOUND | CONFLICT)
def close(request: Request, caller: Analyst, case_id: CaseId, answer: Answer) -> Whole:
    """What follows from the answer is done at once, in the caller's name. Role `analyst`."""
    from stillwatch.respond.answers import close_case

    state = state_of(request)
    asked = _seen(caller, state, case_id)
    if answer.outcome not in OUTCOMES[asked.kind]:
        raise HTTPException(422, f"outcome: a case of {asked.kind} takes {', '.join(OUTCOMES[asked.kind])}")
    if not answer.why.strip():
        raise HTTPException(422, "why: empty; the audit needs it")
    if asked.closed is not None:
        raise HTTPException(409, "closed already")
    try:
        close_case(state, case_id, answer.outcome, who=caller.name, why=answer.why, at=datetime.now(UTC))
    except InputError:
        raise HTTPException(409, "closed already") from None
    return _whole(state, state.case(case_id))


def state_of(request: Request) -> State:
    """The state of the service that a request came to, to be changed."""
    state = service_of(request).state
    assert isinstance(state, State)
    return state


def _told(case: Case) -> dict[str, Any]:
    return {name: getattr(case, name) for name in Case.__slots__} | {"outcomes": list(OUTCOMES[case.kind])}


def _account(state: State, case: Case) -> str | None:
    """The account that a case is about; None for a campaign's or an address's."""
    if case.subject_kind == "account":
        return case.subject
    kept = state.decision(case.decision_id) if case.subject_kind == "key" and case.decision_id else None
    return None if kept is None else touched(kept.decision)


def _sees(caller: Principal, state: State, case: Case) -> bool:
    return not caller.scope or caller.sees(_account(state, case))


def _seen(caller: Principal, state: State, case_id: str) -> Case:
    """The case, or 404: of one that it may not see a caller hears what it hears of none."""
    try:
        found = state.case(case_id)
    except InputError:
        found = None
    if found is None or not _sees(caller, state, found):
        raise HTTPException(404, "no such case")
    return found


def _whole(state: State, case: Case) -> Whole:
    account = _account(state, case)
    said = next((a.text for a in state.appeals() if a.case_id == case.case_id), None) if case.kind == "appeal" else None
    decisions = [
        Ended(
            **listed(kept.decision, kept.decision.dry_run).model_dump(),
            said=[Statement(**asdict(cited)) for cited in state.cited(kept.decision)],
            ended=kept.ended,
            ended_why=kept.ended_why,
        )
        for kept in (state.decisions(account) if account is not None else ())
    ]
    return Whole(**_told(case), appeal=said, decisions=decisions)
