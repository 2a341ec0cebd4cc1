"""Amazon Bedrock's model invocation logs, one JSON object a line, as S3 and CloudWatch deliver them.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html

The account is the IAM principal. Of an assumed role the role is the account and the session is its end user: a role
is what an application or a team is given, while sessions are made afresh, often one for each start of a process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from stillwatch.sources import conversation
from stillwatch.sources.lines import Record, parse
from stillwatch.sources.litellm import OTHER
from stillwatch.sources.mapping import Chosen, Copier, From, at, from_json, tool_names
from stillwatch.sources.rejects import Rejects

NAME: Final = "bedrock"

_BODY: Final = "input.inputBodyJson."

MAPPING: Final = (
    From("exchange_id", ("requestId",)),
    From("time", ("timestamp",)),
    From("account_id", ("identity.arn",), "without the session of an assumed role", made=True),
    From("end_user_id", ("identity.arn",), "the session of an assumed role", made=True),
    From("access_path", (), "always `bedrock`", made=True),
    From("model", ("modelId",), "what follows the last / of an ARN", made=True),
    From(
        "system_prompt",
        (_BODY + "system", _BODY + "messages"),
        "Converse and Anthropic bodies",
        made=True,
    ),
    From(
        "prompt",
        (_BODY + "messages", _BODY + "prompt", _BODY + "inputText", _BODY + "message"),
        "the last user message (Converse, Anthropic, Nova, Mistral), else the prompt (Llama, Titan, Cohere)",
        made=True,
    ),
    From("messages", (_BODY + "messages",), "their number, the system prompt included", made=True),
    From("history_hashes", (_BODY + "messages",), "one chained blake2b-128 for each prefix", made=True),
    From("response", ("output.outputBodyJson",), "the text; of a stream, that of its events joined", made=True),
    From("tools", (_BODY + "toolConfig.tools", _BODY + "tools"), "their names", made=True),
    From(
        "temperature",
        (
            _BODY + "inferenceConfig.temperature",
            _BODY + "temperature",
            _BODY + "textGenerationConfig.temperature",
        ),
    ),
    From(
        "max_tokens",
        (
            _BODY + "inferenceConfig.maxTokens",
            _BODY + "inferenceConfig.max_new_tokens",
            _BODY + "max_tokens",
            _BODY + "max_tokens_to_sample",
            _BODY + "max_gen_len",
            _BODY + "textGenerationConfig.maxTokenCount",
        ),
    ),
    From(
        "reasoning_budget",
        (
            _BODY + "thinking.budget_tokens",
            _BODY + "additionalModelRequestFields.thinking.budget_tokens",
            _BODY + "additionalModelRequestFields.reasoning_config.budget_tokens",
        ),
    ),
    From("stream", ("operation",), "whether the operation's name ends in Stream", made=True),
    From("input_tokens", ("input.inputTokenCount",)),
    From("output_tokens", ("output.outputTokenCount",)),
    From(
        "status",
        ("errorCode", "output.outputBodyJson"),
        "ok without an errorCode; ThrottlingException is rate_limited; guardrails and content filters are blocked",
        made=True,
    ),
)

_COPY = Copier(MAPPING)
_STOPPED: Final = {
    "guardrail_intervened": "blocked",
    "content_filtered": "blocked",
    "content_filter": "blocked",
    "CONTENT_FILTERED": "blocked",
    "refusal": "refused",
}


def recognises(value: dict[str, Any]) -> bool:
    """Whether a JSON object is a model invocation log."""
    return value.get("schemaType") == "ModelInvocationLog"


def rows(records: Iterable[Record], chosen: Chosen, rejects: Rejects) -> Iterator[Record]:
    """Rows of exchanges columns; embeddings are passed over and counted."""
    for place, value in records:
        if "embed" in str(value.get("modelId")):
            rejects.remark(OTHER, place)
            continue
        row = _row(value)
        chosen.into(row, NAME, from_json(value))
        yield Record(place, row)


def _row(value: dict[str, Any]) -> dict[str, Any]:
    body = _body(at(value, ("input", "inputBodyJson")))
    output = _body(at(value, ("output", "outputBodyJson")))
    if isinstance(body, dict) and isinstance(value.get("input"), dict):
        value = {**value, "input": {**value["input"], "inputBodyJson": body}}
    row = _COPY.row(value)
    row["account_id"], row["end_user_id"] = _principal(at(value, ("identity", "arn")))
    row["access_path"] = "bedrock"
    model = value.get("modelId")
    row["model"] = model.rsplit("/", 1)[-1] if isinstance(model, str) else model
    if isinstance(body, dict):
        sent = next((body[k] for k in ("messages", "prompt", "inputText", "message") if k in body), None)
        row.update(conversation.read(sent, body.get("system")).columns())
        row["tools"] = tool_names(at(body, ("toolConfig", "tools")) or body.get("tools"))
    operation = value.get("operation")
    row["stream"] = operation.endswith("Stream") if isinstance(operation, str) else None
    row["response"] = _streamed(output) if isinstance(output, list) else conversation.reply_text(output)
    row["status"] = _status(value.get("errorCode"), output)
    return row


def _body(value: Any) -> Any:
    """A body may be logged as JSON inside a string."""
    if not isinstance(value, str):
        return value
    try:
        return parse(value.encode("utf-8", "replace"))[0]
    except ValueError:
        return value


def _principal(arn: Any) -> tuple[Any, Any]:
    """The account and the end user: `…:assumed-role/ROLE/SESSION` is the role and the session."""
    if isinstance(arn, str) and ":assumed-role/" in arn:
        role, _, session = arn.rpartition("/")
        if not role.endswith(":assumed-role"):
            return role, session
    return arn, None


def _streamed(events: list[Any]) -> str | None:
    """The text of a streamed response, from the events of Converse, Anthropic, Llama, Titan and Mistral."""
    texts = []
    for event in events:
        if not isinstance(event, dict):
            continue
        delta = at(event, ("contentBlockDelta", "delta", "text")) or at(event, ("delta", "text"))
        text = delta if isinstance(delta, str) else conversation.reply_text(event)
        if text is not None:
            texts.append(text)
    return "".join(texts) if texts else None


def _status(code: Any, output: Any) -> str:
    if code:
        return "rate_limited" if "Throttling" in str(code) or "TooManyRequests" in str(code) else "error"
    for part in output if isinstance(output, list) else [output]:
        if not isinstance(part, dict):
            continue
        reasons = (
            part.get("stopReason"),
            part.get("stop_reason"),
            at(part, ("messageStop", "stopReason")),
            at(part, ("delta", "stop_reason")),
            at(part, ("results", "0", "completionReason")),
        )
        for reason in reasons:
            if isinstance(reason, str) and reason in _STOPPED:
                return _STOPPED[reason]
        if part.get("amazon-bedrock-guardrailAction") == "INTERVENED":
            return "blocked"
    return "ok"
