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
    """Asks for no reasoning and no log-probabilities, and drops what comes nevertheless, where Stillwatch says so.

    Of `/v1/chat/completions`, `/v1/responses` and `/v1/messages`, whole or streamed. Pass-through routes, batches and
    websockets go by other ways through LiteLLM: do not offer these where reasoning is to be withheld.
    """

    ASKED = ("reasoning_effort", "reasoning", "thinking", "logprobs", "top_logprobs", "include_reasoning")

    async def async_pre_call_hook(self, user_api_key_dict, cache, data, call_type):
        """The request, without what asks for reasoning."""
        if not withheld(user_api_key_dict):
            return data
        asked = {k: v for k, v in data.items() if k not in self.ASKED}
        if isinstance(asked.get("include"), list):
            asked["include"] = [one for one in asked["include"] if "reasoning" not in one and "logprobs" not in one]
        return asked

    async def async_post_call_success_hook(self, data, user_api_key_dict, response):
        """The response, without reasoning."""
        if withheld(user_api_key_dict):
            strip(response)
        return response

    async def async_post_call_streaming_iterator_hook(self, user_api_key_dict, response, request_data):
        """The stream, without reasoning."""
        stream = Stripped() if withheld(user_api_key_dict) else None
        async for chunk in response:
            if stream is None:
                yield chunk
            else:
                for kept in stream.take(chunk):
                    yield kept


# Of a message of chat; of an item of a response or a block of a message, by its type.
FIELDS = ("reasoning_content", "reasoning", "thinking_blocks", "reasoning_items")
TYPES = ("reasoning", "reasoning_text", "summary_text", "thinking", "redacted_thinking")


def get(value, name):
    """A field of a dict or an object; None where it has none."""
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


def put(value, name, new):
    """Set a field that a dict or an object has."""
    if isinstance(value, dict):
        value[name] = new
    else:
        setattr(value, name, new)


def strip(answer):
    """Take out of an answer, or of a piece of one, what shows how it came about."""
    if isinstance(logprobs := get(answer, "logprobs"), list):
        put(answer, "logprobs", [])
    elif logprobs is not None:
        put(answer, "logprobs", None)
    if get(answer, "output") is None:  # a response says in `reasoning` what was asked for
        for name in FIELDS:
            if get(answer, name) is not None:
                put(answer, name, None)
    for name in ("message", "delta", "provider_specific_fields", "response", "item", "part"):
        if get(answer, name) is not None and not isinstance(get(answer, name), str):
            strip(get(answer, name))
    for name in ("choices", "output", "content"):
        inner = get(answer, name)
        if isinstance(inner, list):
            kept = [one for one in inner if get(one, "type") not in TYPES]
            for one in kept:
                strip(one)
            put(answer, name, kept)


class Stripped:
    """A stream without reasoning: chunks of chat, events of a response, or a message's events as bytes."""

    def __init__(self):
        self.rest = b""
        self.gone = set()

    def take(self, chunk):
        """What is left of the next chunk; an event that has not come whole waits for its rest."""
        if not isinstance(chunk, (bytes, str)):
            return [chunk] if self.keeps(chunk) else []
        raw = chunk.encode() if isinstance(chunk, str) else chunk
        *events, self.rest = (self.rest + raw).replace(b"\r\n", b"\n").split(b"\n\n")
        kept = (self.event(event) for event in events)
        return [event.decode() if isinstance(chunk, str) else event for event in kept if event]

    def event(self, event):
        """An event as it was sent, without reasoning; empty where nothing is left."""
        lines = event.split(b"\n")
        for number, line in enumerate(lines):
            try:
                data = json.loads(line.removeprefix(b"data:")) if line.startswith(b"data:") else None
            except ValueError:  # such as [DONE]
                continue
            if isinstance(data, dict):
                if not self.keeps(data):
                    return b""
                lines[number] = b"data: " + json.dumps(data).encode()
        return b"\n".join(lines) + b"\n\n"

    def keeps(self, event):
        """Whether an event is to be sent, which is stripped and renumbered; those of reasoning are not."""
        kind = get(event, "type")
        if str(getattr(kind, "value", kind)).startswith("response.reasoning"):
            return False
        # The item of a response or block of a message that the event is about; clients count those that they get.
        name = next((name for name in ("output_index", "index") if isinstance(get(event, name), int)), None)
        if name is not None:
            place = get(event, name)
            if any(get(get(event, begun), "type") in TYPES for begun in ("item", "content_block")):
                self.gone.add(place)
            if place in self.gone:
                return False
            put(event, name, place - sum(earlier < place for earlier in self.gone))
        if get(get(event, "part"), "type") in TYPES:
            return False
        strip(event)
        return True


def withheld(key: UserAPIKeyAuth) -> bool:
    """Whether reasoning is to be withheld from the holder of this key."""
    return (key.metadata or {}).get(MEASURE) == "withhold_reasoning"


withhold_reasoning = WithholdReasoning()
