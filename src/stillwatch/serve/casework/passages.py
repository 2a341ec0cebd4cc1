"""Passages: the text that a campaign's accounts share, for analysts; who looked stands in the audit."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, Field

from stillwatch.errors import InputError
from stillwatch.respond.looks import passages_of
from stillwatch.serve.access.callers import service_of
from stillwatch.serve.casework.cases import OUT_OF_REACH, Analyst, CaseId, state_of
from stillwatch.serve.gateways.decisions import FAULTS, Fault
from stillwatch.serve.settings import of_newest


class Shared(BaseModel):
    """A run of text that at least `k` accounts share."""

    id: str
    text: str
    accounts: int = Field(description="accounts of the campaign that carry it")
    exchanges: int
    accounts_outside: int = Field(description="accounts outside the campaign that carry it too")


class Passages(BaseModel):
    """The passages of a campaign, each once."""

    campaign_id: str
    passages: list[Shared]


router = APIRouter(prefix="/api/v1", tags=["cases"], responses=FAULTS | OUT_OF_REACH)


@router.get(
    "/campaigns/{campaign_id}/passages",
    summary="Look at the text that a campaign's accounts share",
    responses={404: {"model": Fault, "description": "No such campaign in the newest findings"}},
)
def passages(request: Request, caller: Analyst, campaign_id: CaseId) -> Passages:
    """By the newest findings of all traffic, else by those of what came last. Each look is recorded in the audit, in
    the caller's name. A caller with a scope hears of no campaign. Role `analyst`."""
    folder = service_of(request).settings.findings_folder
    for place in (folder, of_newest(folder)) if not caller.scope else ():
        try:
            found = passages_of(place, campaign_id)
        except InputError:
            continue
        with state_of(request).changing(caller.name) as change:
            for passage in found:
                change.looked(campaign_id, passage.id)
        return Passages(campaign_id=campaign_id, passages=[Shared(**p.model_dump()) for p in found])
    raise HTTPException(404, "no such campaign in the newest findings")
