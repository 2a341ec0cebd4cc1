"""Message lists, in the shapes that APIs and their logs write them, as the text columns of an exchange."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

# Content parts nest (a tool's result holds parts); no API nests them deeper than three, and hostile records may.
DEEPEST = 8
SYSTEM_ROLES = frozenset({"system", "developer"})
USER_ROLES = frozenset({"user", "human"})
# What gateways write in place of text that they were told not to log. Taken as text it would be a passage that all
# accounts share.
REDACTED = frozenset({"redacted-by-litellm", "[REDACTED]", "<REDACTED>", "__REDACTED__"})


@dataclass(slots=True)
class Conversation:
    """What an exchange keeps of the messages sent: texts None where there were none."""

    system_prompt: str | None = None
    prompt: str | None = None
    messages: int | None = None
    history_hashes: list[str] | None = field(default=None)

    def columns(self) -> dict[str, Any]:
        """As columns of an exchange."""
        return {
            "system_prompt": self.system_prompt,
            "prompt": self.prompt,
            "messages": self.messages,
            "history_hashes": self.history_hashes,
        }


def text_of(content: Any, depth: int = 0) -> str | None:
    """The text of a message's content: itself, or that of its text parts, a line each; None where it has no text."""
    if isinstance(content, str):
        return None if content in REDACTED else content
    if depth > DEEPEST:
        return None
    if isinstance(content, list):
        texts = [t for t in (text_of(part, depth + 1) for part in content) if t is not None]
        return "\n".join(texts) if texts else None
    if isinstance(content, dict):
        # OpenAI, Anthropic and Bedrock parts: text; OTel parts: content, of type text. Images, tool calls and tool
        # results are no text of the message's author.
        kind = content.get("type")
        if isinstance(content.get("text"), str) and kind not in ("tool_result", "reasoning", "thinking"):
            return text_of(content["text"], depth + 1)
        if kind in (None, "text", "message") and "content" in content:
            return text_of(content["content"], depth + 1)
        # Converse marks text that guardrails are to look at.
        return text_of(content.get("guardContent", content.get("text")), depth + 1) if kind is None else None
    return None


def read(messages: Any, system: Any = None) -> Conversation:
    """A conversation from a message list (or one prompt), and a system prompt where the API takes it apart."""
    if isinstance(messages, str):
        text = text_of(messages)
        messages = [{"role": "user", "content": messages}] if text is not None else []
    elif isinstance(messages, dict):
        messages = [messages]
    listed = [m if isinstance(m, dict) else {"role": "user", "content": m} for m in _sequence(messages)]
    apart = text_of(system)
    if apart is not None:
        listed.insert(0, {"role": "system", "content": apart})
    if not listed:
        return Conversation()
    systems: list[str] = []
    prompt = None
    for message in listed:
        role = str(message.get("role") or "user").lower()
        text = text_of(_content(message))
        if text is None:
            continue
        if role in SYSTEM_ROLES:
            systems.append(text)
        elif role in USER_ROLES:
            prompt = text
    # Hashes of redacted text would be equal in all conversations.
    hashes = None if _redacted(listed) else prefix_hashes(listed)
    return Conversation("\n\n".join(systems) if systems else None, prompt, len(listed), hashes)


def _sequence(messages: Any) -> Sequence[Any]:
    return messages if isinstance(messages, list) else []


def _content(message: dict[str, Any]) -> Any:
    # OTel's current generation calls the parts of a message parts.
    return message.get("content") if "content" in message else message.get("parts")


def _redacted(listed: list[dict[str, Any]]) -> bool:
    return any(isinstance(c := _content(m), str) and c in REDACTED for m in listed)


def prefix_hashes(listed: list[dict[str, Any]]) -> list[str]:
    """One blake2b-128 hash for each prefix, shortest first; each hashes the one before it, the role and the content.

    Content that is all text is hashed as its text, so that a conversation looks the same whether a client wrote a
    string or a list of text parts; all else (tool calls, images) as JSON with sorted keys.
    """
    out: list[str] = []
    before = b""
    for message in listed:
        content = _content(message)
        others = {k: v for k, v in message.items() if k in ("tool_calls", "function_call", "tool_call_id") and v}
        text = content if isinstance(content, str) else _plain(content)
        digest = hashlib.blake2b(before, digest_size=16)
        digest.update(str(message.get("role") or "user").lower().encode("utf-8", "replace") + b"\0")
        digest.update(text.encode("utf-8", "replace") if text is not None else _canonical(content))
        if others:
            digest.update(b"\0" + _canonical(others))
        before = digest.digest()
        out.append(before.hex())
    return out


def _plain(content: Any) -> str | None:
    """The text of parts that are all text, else None."""
    if not isinstance(content, list):
        return None
    texts = []
    for part in content:
        if not isinstance(part, dict):
            return None
        text = part.get("text", part.get("content"))
        if not isinstance(text, str) or not part.keys() <= {"type", "text", "content", "cache_control"}:
            return None
        texts.append(text)
    return "\n".join(texts)


def _canonical(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError, RecursionError):
        return repr(type(value)).encode()


def reply_text(response: Any) -> str | None:
    """The text of a response, as the OpenAI, Anthropic, Bedrock, Llama, Titan and Cohere bodies write it."""
    if isinstance(response, str):
        return text_of(response)
    if isinstance(response, list):
        return text_of(response)
    if not isinstance(response, dict):
        return None
    choices = response.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        message = choices[0].get("message")
        return text_of(message.get("content")) if isinstance(message, dict) else text_of(choices[0].get("text"))
    output = response.get("output")
    if isinstance(output, dict) and isinstance(output.get("message"), dict):
        return text_of(output["message"].get("content"))
    if isinstance(output, list):
        return text_of([o for o in output if isinstance(o, dict) and o.get("type", "message") == "message"])
    for name in ("results", "outputs", "generations"):
        results = response.get(name)
        if isinstance(results, list) and results and isinstance(results[0], dict):
            return text_of(results[0].get("outputText", results[0].get("text")))
    for name in ("content", "completion", "generation", "outputText", "text"):
        if name in response:
            return text_of(response[name])
    return None
