"""LiteLLM's generic guardrail API: `POST /beta/litellm_basic_guardrail_api`.

LiteLLM sends the whole prompt with every question; nothing is read of it but who sent it, and nothing is kept.
Protocol: `litellm/types/proxy/guardrails/guardrail_hooks/generic_guardrail_api.py`, as of litellm 1.106.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import orjson
from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stillwatch.respond.decision import Measure
from stillwatch.serve.access.callers import requires, service_of
from stillwatch.serve.access.roles import Principal, Role
from stillwatch.serve.gateways.decisions import FAULTS
from stillwatch.serve.service import Service

PATH: Final = "/beta/litellm_basic_guardrail_api"


class KeyMetadata(BaseModel):
    """Who sent the request, as LiteLLM knows it. The account is found as in LiteLLM's logs: the user, else the key."""

    user_api_key_hash: str | None = None
    user_api_key_user_id: str | None = None


class Parameters(BaseModel):
    """What the guardrail's `additional_provider_specific_params` may say."""

    count_throttle: bool = Field(
        True, description="refuse what a throttle leaves no room for; off where `custom_auth` sets LiteLLM's own limits"
    )


class Question(BaseModel):
    """What is read of LiteLLM's question; the rest, prompts among it, is passed over."""

    model_config = ConfigDict(extra="ignore")

    request_data: KeyMetadata = KeyMetadata()
    additional_provider_specific_params: Parameters | None = None
    input_type: Literal["request", "response"] = "request"


class Verdict(BaseModel):
    """What LiteLLM does: pass the request on, or refuse it with the reason."""

    action: Literal["NONE", "BLOCKED"]
    blocked_reason: str | None = None


router = APIRouter(tags=["gateways"], responses=FAULTS)


@router.post(
    PATH,
    summary="LiteLLM: whether a request may pass",
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": Question.model_json_schema()}}}
    },
)
async def guardrail(request: Request, caller: Annotated[Principal, Depends(requires(Role.DECIDE))]) -> Verdict:
    """Answers `BLOCKED` with the reason for a block, a step-up, and a throttle over its limit. Role `decide`."""
    return judged(service_of(request), caller, read(await request.body()))


def read(body: bytes) -> Question:
    """LiteLLM's question. Parsed here, since the framework's parser would build every prompt as objects first."""
    try:
        value = orjson.loads(body)
        return Question.model_validate(value if isinstance(value, dict) else None)
    except (ValueError, ValidationError):
        raise HTTPException(422, "no question as LiteLLM's generic guardrail API asks it") from None


def judged(service: Service, caller: Principal, question: Question) -> Verdict:
    """Whether the request may pass. The model's response is let through: what it answers was decided before."""
    who = question.request_data
    account = who.user_api_key_user_id or who.user_api_key_hash
    if question.input_type == "response" or not account:
        return Verdict(action="NONE")
    decision = service.look_up(caller, "litellm", account, who.user_api_key_hash)
    if decision is None or decision.measure <= Measure.WITHHOLD_REASONING:
        return Verdict(action="NONE")
    if decision.measure is Measure.THROTTLE:
        chosen = question.additional_provider_specific_params or Parameters.model_construct(count_throttle=True)
        if not chosen.count_throttle or not service.over_limit(decision, "litellm"):
            return Verdict(action="NONE")
    return Verdict(action="BLOCKED", blocked_reason=f"{decision.reason} Appeal: {decision.appeal}")
