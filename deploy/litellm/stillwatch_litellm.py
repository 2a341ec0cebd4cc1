"""Stillwatch in LiteLLM's proxy: throttles become LiteLLM's own limits, and reasoning is withheld.

Beside LiteLLM's config.yaml, which names `user_api_key_auth` as custom_auth and `withhold_reasoning` as a callback.
Both are set by variables of the environment:

STILLWATCH_URL          where Stillwatch is, such as http://127.0.0.1:8480
STILLWATCH_TRAFFIC_URL  where it takes traffic in, such as http://127.0.0.1:8480/v1/litellm
STILLWATCH_KEY          a key with the roles decide and ingest
STILLWATCH_ACCOUNTS     a JSON file: {"<SHA-256 of the customer's key, in hex>": "<account>", …}
STILLWATCH_UNREACHABLE  pass (the default) or refuse: what becomes of requests while Stillwatch is out of reach
MODEL_URL               where the model is, such as http://127.0.0.1:8000/v1
"""

import hashlib
import json
import logging
import os
from pathlib import Path

import httpx
from fastapi import HTTPException, Request
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy._types import UserAPIKeyAuth

log = logging.getLogger("stillwatch")
MEASURE = "stillwatch_measure"

if not os.environ["STILLWATCH_KEY"]:
    raise SystemExit(
        "STILLWATCH_KEY: takes a key of Stillwatch with the roles decide and ingest; without one all passes"
    )
accounts = json.loads(Path(os.environ["STILLWATCH_ACCOUNTS"]).read_text())
stillwatch = httpx.AsyncClient(
    base_url=os.environ["STILLWATCH_URL"],
    headers={"x-stillwatch-key": os.environ["STILLWATCH_KEY"]},
    timeout=httpx.Timeout(0.5),
)


async def user_api_key_auth(request: Request, api_key: str) -> UserAPIKeyAuth:
    """Whose key it is, within the limits that Stillwatch sets. Put your own check of keys in place of the file."""
    key = hashlib.sha256(api_key.removeprefix("Bearer ").encode()).hexdigest()
    account = accounts.get(key)
    if account is None:
        raise HTTPException(401, "unknown key")
    address = request.client.host if request.client else ""
    measure, decision = await look_up(account, key, address)
    throttle = decision if measure == "throttle" else {}
    return UserAPIKeyAuth(
        api_key=api_key,
        token=key,
        user_id=account,
        user_rpm_limit=throttle.get("requests_per_minute"),
        user_tpm_limit=throttle.get("tokens_per_minute"),
        metadata={MEASURE: measure},
    )


async def look_up(account: str, key: str, address: str) -> tuple[str, dict]:
    """The measure that holds, and its decision."""
    try:
        answer = await stillwatch.get("/api/v1/decision", params={"account": account, "key": key, "address": address})
        answer.raise_for_status()
    except httpx.HTTPError as error:
        log.error("Stillwatch is out of reach: %s", type(error).__name__)
        if os.environ.get("STILLWATCH_UNREACHABLE") == "refuse":
            raise HTTPException(503, "the service that decides about access is out of reach") from error
        return "observe", {}
    told = answer.json()
    return told["measure"], told["decision"] or {}


class WithholdReasoning(CustomLogger):
    """Asks for no reasoning and no log-probabilities, and drops what comes nevertheless, where Stillwatch says so."""

    ASKED = ("reasoning_effort", "reasoning", "thinking", "logprobs", "top_logprobs", "include_reasoning")
    ANSWERED = ("reasoning_content", "thinking_blocks", "reasoning_items")

    async def async_pre_call_hook(self, user_api_key_dict, cache, data, call_type):
        """The request, without what asks for reasoning."""
        return {k: v for k, v in data.items() if k not in self.ASKED} if withheld(user_api_key_dict) else data

    async def async_post_call_success_hook(self, data, user_api_key_dict, response):
        """The response, without reasoning."""
        if withheld(user_api_key_dict):
            for choice in getattr(response, "choices", ()):
                self.strip(choice, choice.message)
        return response

    async def async_post_call_streaming_iterator_hook(self, user_api_key_dict, response, request_data):
        """The stream, without reasoning."""
        async for chunk in response:
            if withheld(user_api_key_dict):
                for choice in getattr(chunk, "choices", ()):
                    self.strip(choice, choice.delta)
            yield chunk

    def strip(self, choice, message):
        """Empty the fields of an answer that show how it came about."""
        for name in self.ANSWERED:
            if getattr(message, name, None) is not None:
                setattr(message, name, None)
        if getattr(choice, "logprobs", None) is not None:
            choice.logprobs = None


def withheld(key: UserAPIKeyAuth) -> bool:
    """Whether reasoning is to be withheld from the holder of this key."""
    return (key.metadata or {}).get(MEASURE) == "withhold_reasoning"


withhold_reasoning = WithholdReasoning()
