"""OpenTelemetry's GenAI spans and log events, in the three generations in use, and OpenInference.

Sources: https://opentelemetry.io/docs/specs/semconv/gen-ai/ (current), its version 1.36 (one event a message), and
https://arize-ai.github.io/openinference/spec/.

A request's content may be on its span, on the span's events, or on log records that name the span. Log records are
joined to their span within one file, across a window of WINDOW requests or WINDOW_BYTES of records, whichever is
reached first; what comes later is passed over and counted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from stillwatch.sources import conversation
from stillwatch.sources.lines import Record
from stillwatch.sources.mapping import Chosen, From, tool_names, truth
from stillwatch.sources.otlp import Event, Signal, indexed, signals
from stillwatch.sources.rejects import Rejects

NAME: Final = "otel"

MAPPING: Final = (
    From("exchange_id", ("gen_ai.response.id", "traceId:spanId"), "", made=True),
    From("time", ("startTimeUnixNano", "timeUnixNano"), "of the span, else of its first event", made=True),
    From("account_id", ("user.id", "enduser.id")),
    From("key_id", (), "no attribute is agreed upon; name yours in a mapping file", made=True),
    From("conversation_id", ("gen_ai.conversation.id", "session.id")),
    From("ip", ("client.address", "http.client_ip")),
    From("user_agent", ("user_agent.original", "http.user_agent")),
    From("tls_fingerprint", ("tls.client.ja4",), "agreed upon nowhere, but what most call it"),
    From("model", ("gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "llm.request.model")),
    From(
        "system_prompt",
        ("gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.system.message", "llm.input_messages.N"),
        "system and developer messages, an empty line between them",
        made=True,
    ),
    From(
        "prompt",
        (
            "gen_ai.input.messages",
            "gen_ai.user.message",
            "gen_ai.content.prompt",
            "gen_ai.prompt.N",
            "llm.input_messages.N",
            "input.value",
        ),
        "the last user message, its text parts joined",
        made=True,
    ),
    From("messages", ("as prompt",), "their number", made=True),
    From("history_hashes", ("as prompt",), "one chained blake2b-128 for each prefix", made=True),
    From(
        "response",
        (
            "gen_ai.output.messages",
            "gen_ai.choice",
            "gen_ai.content.completion",
            "gen_ai.completion.N",
            "llm.output_messages.N",
            "output.value",
        ),
        "the first choice's text",
        made=True,
    ),
    From("tools", ("gen_ai.tool.definitions", "llm.tools.N", "llm.request.functions.N"), "their names", made=True),
    From("temperature", ("gen_ai.request.temperature", "llm.invocation_parameters: temperature")),
    From(
        "max_tokens",
        (
            "gen_ai.request.max_tokens",
            "llm.invocation_parameters: max_completion_tokens",
            "llm.invocation_parameters: max_tokens",
        ),
    ),
    From("reasoning_budget", ("llm.invocation_parameters: thinking",), "its budget_tokens", made=True),
    From("logprobs", ("llm.invocation_parameters: logprobs",), "true for any number", made=True),
    From("n", ("gen_ai.request.choice.count", "llm.invocation_parameters: n")),
    From("stream", ("gen_ai.request.stream", "llm.is_streaming", "llm.invocation_parameters: stream")),
    From("input_tokens", ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")),
    From(
        "output_tokens",
        ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"),
    ),
    From(
        "reasoning_tokens",
        (
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "llm.token_count.completion_details.reasoning",
        ),
    ),
    From(
        "status",
        ("status.code", "error.type", "gen_ai.response.finish_reasons"),
        "ok unless the span failed; rate_limited where the error names 429 or a limit, blocked or refused where the "
        "finish reason says so",
        made=True,
    ),
)

# The Collector flushes spans and logs every few seconds each; 8,192 requests are a second of very heavy traffic and
# minutes of most. The bytes bound what they hold where prompts are long.
WINDOW: Final = 8_192
WINDOW_BYTES: Final = 64 << 20
# Requests already written whose late log records are recognised: 32 windows, some 50 MB of ids.
REMEMBERED: Final = 32 * WINDOW

OTHER: Final = "spans and log records that are no request to a language model were passed over"
LATE: Final = f"log records more than {WINDOW:,} requests behind their span were passed over"

# The conventions name chat, text_completion and generate_content; instrumentations write their API's own name too
# (chat.completions, messages.create, converse). Agents, tools, embeddings, retrievals and memory hold none of these.
INFERENCE: Final = ("chat", "completion", "generate_content", "generate_text", "responses", "messages", "converse")
DETAILS: Final = "gen_ai.client.inference.operation.details"
MESSAGE_EVENTS: Final = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
CHOICE: Final = "gen_ai.choice"
PROMPT: Final = "gen_ai.content.prompt"
COMPLETION: Final = "gen_ai.content.completion"
CONTENT_EVENTS: Final = frozenset({*MESSAGE_EVENTS, CHOICE, PROMPT, COMPLETION, DETAILS})

_COPIED: Final = tuple((m.column, m.paths) for m in MAPPING if not m.made)


@dataclass(slots=True)
class _Request:
    """What is known of one request so far."""

    place: str
    key: str | None
    attributes: dict[str, Any] = field(default_factory=dict)
    start: Any = None
    failed: bool = False
    events: list[Event] = field(default_factory=list)
    held: int = 0


def recognises(value: dict[str, Any]) -> bool:
    """Whether a JSON object is an OTLP export."""
    return any(isinstance(value.get(name), list) for name in ("resourceSpans", "resourceLogs", "resourceMetrics"))


def rows(records: Iterable[Record], chosen: Chosen, rejects: Rejects) -> Iterator[Record]:
    """Rows of exchanges columns, in the order in which requests were first seen."""
    window: OrderedDict[str, _Request] = OrderedDict()
    written: OrderedDict[str, None] = OrderedDict()
    held = 0
    for signal in signals(records, rejects):
        if not _of_a_request(signal):
            rejects.remark(OTHER, signal.place)
            continue
        key = signal.key
        if key is None:
            if not signal.is_span and signal.events[0].name != DETAILS:
                rejects.remark("log records that name no span were passed over", signal.place)
                continue
            yield _row(_add(_Request(signal.place, None), signal), chosen)
            continue
        if not signal.is_span and key in written:
            rejects.remark(LATE, signal.place)
            continue
        request = window.setdefault(key, _Request(signal.place, key))
        held -= request.held
        held += _add(request, signal).held
        while len(window) > WINDOW or held > WINDOW_BYTES:
            oldest, request = window.popitem(last=False)
            held -= request.held
            written[oldest] = None
            if len(written) > REMEMBERED:
                written.popitem(last=False)
            yield _row(request, chosen)
    for request in window.values():
        yield _row(request, chosen)


def _of_a_request(signal: Signal) -> bool:
    """Whether a signal speaks of one request to a language model, not of an agent, tool, embedding or retrieval."""
    found = signal.attributes
    if not signal.is_span:
        return signal.events[0].name in CONTENT_EVENTS
    operation = found.get("gen_ai.operation.name") or found.get("llm.request.type")
    if isinstance(operation, str):
        return any(word in operation.lower() for word in INFERENCE)
    kind = found.get("openinference.span.kind")
    if isinstance(kind, str):
        return kind.upper() == "LLM"
    if "traceloop.span.kind" in found:
        return False
    return any(
        name in found
        for name in (
            "gen_ai.system",
            "gen_ai.provider.name",
            "gen_ai.request.model",
            "llm.model_name",
            "llm.request.model",
        )
    )


def _add(request: _Request, signal: Signal) -> _Request:
    """Take a span or a log record into its request; what the span says comes before what log records say."""
    if signal.is_span:
        request.attributes = {**request.attributes, **signal.attributes}
        request.start = signal.start
        request.failed = signal.failed
        request.place = signal.place
    else:
        request.attributes = {**signal.attributes, **request.attributes}
    request.events.extend(e for e in signal.events if e.name in CONTENT_EVENTS)
    request.held += _size(signal)
    return request


def _size(signal: Signal) -> int:
    """About the bytes a signal holds."""
    values = [*signal.attributes.values(), *(v for e in signal.events for v in (e.body, *e.attributes.values()))]
    return 500 + sum(
        len(v) if isinstance(v, str) else 200 * len(v) if isinstance(v, list | dict) else 0 for v in values
    )


def _row(request: _Request, chosen: Chosen) -> Record:
    found = request.attributes
    asked = _json(found.get("llm.invocation_parameters"))
    asked = asked if isinstance(asked, dict) else {}
    row: dict[str, Any] = {}
    for column, paths in _COPIED:
        for path in paths:
            name, _, inner = path.partition(": ")
            value = asked.get(inner) if inner else found.get(name)
            if value is not None and value != "":
                row[column] = value
                break
    row["exchange_id"] = found.get("gen_ai.response.id") or request.key
    row["request_key"] = request.key  # no column: what joins the logs of other services to this request
    times = (request.start, *(e.time for e in request.events))
    row["time"] = next((t for t in times if t not in (None, 0, "0")), None)
    events = sorted(request.events, key=_event_time)
    row.update(_sent(found, events).columns())
    row["response"], reasons = _received(found, events)
    row["tools"] = _tools(found)
    thinking = asked.get("thinking")
    row["reasoning_budget"] = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    row["logprobs"] = truth(asked.get("logprobs"))
    row["status"] = _status(found, request.failed, reasons)
    chosen.into(row, NAME, found.get)
    return Record(request.place, row)


def _event_time(event: Event) -> int:
    try:
        return int(event.time or 0)
    except (TypeError, ValueError, OverflowError):
        return 0


def _json(value: Any) -> Any:
    """Content may be structured or JSON in a string; text that is no JSON is itself."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def _sent(found: dict[str, Any], events: list[Event]) -> conversation.Conversation:
    """The messages sent, from the newest generation that has them."""
    system = _json(found.get("gen_ai.system_instructions"))
    if "gen_ai.input.messages" in found or system is not None:
        return conversation.read(_json(found.get("gen_ai.input.messages")), system)
    told = [_message(e) for e in events if e.name in MESSAGE_EVENTS]
    if told:
        return conversation.read(told)
    for event in events:
        if event.name == PROMPT:
            return conversation.read(_json(event.attributes.get("gen_ai.prompt", event.body)))
    listed = _flattened(found, "gen_ai.prompt", "llm.input_messages")
    if listed:
        return conversation.read(listed)
    value = _json(found.get("gen_ai.prompt", found.get("input.value")))
    if isinstance(value, dict):
        return conversation.read(value.get("messages", value.get("prompt")), value.get("system"))
    return conversation.read(value)


def _received(found: dict[str, Any], events: list[Event]) -> tuple[str | None, list[Any]]:
    """The first choice's text, and the reasons for which the choices ended."""
    reasons = found.get("gen_ai.response.finish_reasons")
    reasons = reasons if isinstance(reasons, list) else [reasons]
    output = _json(found.get("gen_ai.output.messages"))
    if isinstance(output, list) and output:
        said = [m for m in output if isinstance(m, dict)]
        reasons = reasons + [m.get("finish_reason") for m in said]
        return (conversation.text_of(said[0].get("parts", said[0].get("content"))) if said else None), reasons
    choices = [_message(e) for e in events if e.name == CHOICE]
    if choices:
        reasons = reasons + [c.get("finish_reason") for c in choices]
        first = min(choices, key=lambda c: c["index"] if isinstance(c.get("index"), int) else 0)
        inner = first.get("message")
        return conversation.text_of(
            inner.get("content") if isinstance(inner, dict) else first.get("content", inner)
        ), reasons
    for event in events:
        if event.name == COMPLETION:
            return _reply(_json(event.attributes.get("gen_ai.completion", event.body))), reasons
    listed = _flattened(found, "gen_ai.completion", "llm.output_messages")
    if listed:
        reasons = reasons + [m.get("finish_reason") for m in listed]
        return conversation.text_of(listed[0].get("content")), reasons
    return _reply(_json(found.get("gen_ai.completion", found.get("output.value")))), reasons


def _reply(value: Any) -> str | None:
    if isinstance(value, list) and value and isinstance(value[0], dict) and "role" in value[0]:
        return conversation.text_of(value[0].get("content"))
    return conversation.reply_text(value)


def _message(event: Event) -> dict[str, Any]:
    """A message of the older generation: in a log record's body, or in a span event's attributes."""
    body = _json(event.body if event.body is not None else event.attributes.get("gen_ai.event.content"))
    message = (
        dict(body) if isinstance(body, dict) else {"content": body} if body is not None else dict(event.attributes)
    )
    message["role"] = message.get("role") or MESSAGE_EVENTS.get(event.name, "assistant")
    for name in ("message", "tool_calls"):
        if name in message:
            message[name] = _json(message[name])
    return message


def _flattened(found: dict[str, Any], *prefixes: str) -> list[dict[str, Any]]:
    """Messages that were flattened into numbered attributes, by OpenLLMetry or OpenInference."""
    for prefix in prefixes:
        messages = []
        for item in indexed(found, prefix):
            message = {name.removeprefix("message."): value for name, value in item.items()}
            parts = [p.get("message_content.text") for p in indexed(message, "contents")]
            if "content" not in message and parts:
                message["content"] = [{"type": "text", "text": text} for text in parts if isinstance(text, str)]
            calls = indexed(message, "tool_calls")
            if calls:
                message["tool_calls"] = calls
            messages.append(message)
        if messages:
            return messages
    return []


def _tools(found: dict[str, Any]) -> list[str] | None:
    names = tool_names(_json(found.get("gen_ai.tool.definitions")))
    if names:
        return names
    schemas = [_json(t.get("tool.json_schema")) for t in indexed(found, "llm.tools")]
    return tool_names(schemas) or tool_names(indexed(found, "llm.request.functions"))


def _status(found: dict[str, Any], failed: bool, reasons: list[Any]) -> str:
    error = str(found.get("error.type") or "").lower()
    if "429" in error or "ratelimit" in error.replace("_", "") or "throttl" in error:
        return "rate_limited"
    ended = {str(r).lower() for r in reasons}
    if "content_filter" in ended | {error} or "safety" in ended:
        return "blocked"
    if "refusal" in ended:
        return "refused"
    return "error" if failed or error else "ok"
