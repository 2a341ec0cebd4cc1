"""Verdicts: what analysts say of findings, which is evidence in the next judgement."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from stillwatch.errors import InputError
from stillwatch.respond.database import TEXT
from stillwatch.respond.found import Found, read_found
from stillwatch.serve.access.callers import service_of
from stillwatch.serve.access.roles import Principal
from stillwatch.serve.casework.cases import OUT_OF_REACH, Analyst, Why, state_of
from stillwatch.serve.gateways.decisions import FAULTS, MOST_LISTED, Fault
from stillwatch.serve.service import LONGEST_ID
from stillwatch.serve.settings import of_newest

# Findings are exchanged by two renames, between which there are none for a moment.
TRIES = 5
WAIT_SECONDS = 0.1

Word = Literal["confirmed", "dismissed", "explained"]


class Verdict(BaseModel):
    """What an analyst says of a campaign, or of an account that takes part in one."""

    model_config = ConfigDict(extra="forbid")

    subject: Annotated[
        str, Field(min_length=1, max_length=LONGEST_ID, pattern=TEXT, description="a campaign's id, or an account's")
    ]
    verdict: Word
    rival: Annotated[str | None, Field(max_length=40, description="the rival that explains it, of `explained`")] = None
    why: Why


class Given(BaseModel):
    """A verdict as it was given. accounts: of whom it speaks; probability: what the findings said, without it."""

    verdict_id: str
    time: datetime
    subject_kind: Literal["campaign", "account"]
    subject: str
    verdict: Word
    rival: str | None
    who: str
    why: str
    accounts: list[str]
    probability: float


class Verdicts(BaseModel):
    """Verdicts, the earliest first; `next` is the `after` of the page that follows, null on the last."""

    verdicts: list[Given]
    next: str | None


router = APIRouter(prefix="/api/v1", tags=["cases"], responses=FAULTS | OUT_OF_REACH)


@router.get("/verdicts", summary="All verdicts")
def verdicts(
    request: Request,
    caller: Analyst,
    *,
    after: Annotated[str | None, Query(max_length=LONGEST_ID, description="the last id of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 100,
) -> Verdicts:
    """The earliest first. A caller with a scope sees those on its accounts. Role `analyst`."""
    given = [row for row in state_of(request).verdicts().to_pylist() if _sees(caller, row)]
    begin = next((n + 1 for n, row in enumerate(given) if row["verdict_id"] == after), 0)
    page = given[begin : begin + limit]
    more = len(given) > begin + limit
    return Verdicts(verdicts=[Given(**row) for row in page], next=page[-1]["verdict_id"] if more else None)


@router.post(
    "/verdicts",
    status_code=201,
    summary="Say what a campaign or an account is",
    responses={404: {"model": Fault, "description": "Neither a campaign nor an account that takes part in one"}},
)
def give(request: Request, caller: Analyst, verdict: Verdict) -> Given:
    """Evidence in the next judgement, and in all that follow. What is dismissed or explained is let go at once. A
    caller with a scope speaks of its accounts, not of campaigns. Role `analyst`."""
    from stillwatch.campaigns.verdicts import rival_of
    from stillwatch.respond.answers import give_verdict

    if (verdict.verdict == "explained") != (verdict.rival is not None):
        raise HTTPException(422, "rival: explained takes one, and no other verdict does")
    if verdict.rival is not None and rival_of(verdict.rival) is None:
        raise HTTPException(422, "rival: none of this name; they are in the reference of evidence")
    if not verdict.why.strip():
        raise HTTPException(422, "why: empty; the audit needs it")
    state, folder = state_of(request), service_of(request).settings.findings_folder
    # A campaign that came last may be known of what came last alone.
    for place in (folder, of_newest(folder)):
        found = findings(place) if place == folder or place.exists() else None
        if caller.scope and not (
            caller.sees(verdict.subject) and verdict.subject not in (found.campaigns if found else ())
        ):
            continue
        try:
            verdict_id = give_verdict(
                state, found, verdict.subject, verdict.verdict, who=caller.name, why=verdict.why,
                at=datetime.now(UTC), rival=verdict.rival,
            )  # fmt: skip
        except InputError:
            continue
        return next(Given(**row) for row in reversed(state.verdicts().to_pylist()) if row["verdict_id"] == verdict_id)
    raise HTTPException(404, UNKNOWN)


UNKNOWN = "neither a campaign nor an account that takes part in one, by the newest findings"


def findings(folder: Path) -> Found | None:
    """The newest findings, all of one judgement; None where nothing was judged yet."""
    for _ in range(TRIES):
        try:
            before = folder.stat().st_ino
            found = read_found(folder)
            if folder.stat().st_ino == before:
                return found
        except (OSError, InputError):
            pass  # exchanged for newer ones meanwhile, or none are there yet
        time.sleep(WAIT_SECONDS)
    return None


def _sees(caller: Principal, row: dict[str, Any]) -> bool:
    return caller.sees(row["subject"] if row["subject_kind"] == "account" else None)
