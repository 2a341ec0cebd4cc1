"""The Arrow schemas that every stage speaks, with what each column means.

Tables are the interface between stages: a stage takes tables and gives tables, and reaches into nothing else. The
reference page of the documentation is generated from this module.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

TIMESTAMP = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its Arrow type, what it means, and whether a row is useless without it."""

    name: str
    type: pa.DataType
    meaning: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table that crosses a stage's border."""

    name: str
    meaning: str
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema, columns in their declared order; required columns are not nullable."""
        return pa.schema([pa.field(c.name, c.type, nullable=not c.required) for c in self.columns])

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [c.name for c in self.columns]

    def empty(self) -> pa.Table:
        """A table of this schema without rows."""
        return self.schema.empty_table()


STATUSES = ("ok", "refused", "rate_limited", "blocked", "error")
VERIFICATIONS = ("none", "email", "phone", "identity", "contract")
ACCOUNT_STATUSES = ("active", "suspended", "banned")

EXCHANGES = Table(
    "exchanges",
    "One request to a model and its response, as every source gives it. Only the first three columns are required.",
    (
        Column("exchange_id", pa.string(), "identifies the exchange; a repeated id is one exchange", required=True),
        Column("time", TIMESTAMP, "when the request arrived", required=True),
        Column("account_id", pa.string(), "the principal that is billed", required=True),
        Column("key_id", pa.string(), "the credential that was used, as a name or a hash of it"),
        Column("end_user_id", pa.string(), "the account's own customer, where the account passes one on"),
        Column("conversation_id", pa.string(), "groups the exchanges of one conversation"),
        Column(
            "history_hashes",
            pa.list_(pa.string()),
            "one hash per message prefix sent, shortest first; compared for equality only",
        ),
        Column("access_path", pa.string(), "how the request came: direct, a cloud marketplace, a gateway, …"),
        Column("ip", pa.string(), "the client's address, IPv4 or IPv6"),
        Column("user_agent", pa.string(), "the client's User-Agent header"),
        Column("tls_fingerprint", pa.string(), "the client's JA4 fingerprint"),
        Column("model", pa.string(), "the model that was asked for"),
        Column("system_prompt", pa.string(), "the system or developer message"),
        Column("prompt", pa.string(), "the last user message"),
        Column("response", pa.string(), "the text the model returned"),
        Column("messages", pa.int32(), "how many messages were sent"),
        Column("tools", pa.list_(pa.string()), "names of the tools offered to the model"),
        Column("temperature", pa.float64(), "sampling temperature, where the request set one"),
        Column("max_tokens", pa.int32(), "output limit, where the request set one"),
        Column("reasoning_budget", pa.int32(), "tokens allowed for reasoning, where the request set a budget"),
        Column("logprobs", pa.bool_(), "whether log-probabilities were asked for"),
        Column("n", pa.int32(), "completions asked for"),
        Column("stream", pa.bool_(), "whether the response was streamed"),
        Column("batch", pa.bool_(), "whether the request came through a batch interface"),
        Column("input_tokens", pa.int32(), "tokens in the request"),
        Column("output_tokens", pa.int32(), "tokens in the response, reasoning included"),
        Column("reasoning_tokens", pa.int32(), "tokens of reasoning in the response"),
        Column("status", pa.string(), "ok, refused, rate_limited, blocked or error"),
    ),
)

ACCOUNTS = Table(
    "accounts",
    "What the provider knows of an account. Only account_id is required; fingerprints and hashes are compared for "
    "equality only.",
    (
        Column("account_id", pa.string(), "the principal that is billed", required=True),
        Column("created_at", TIMESTAMP, "when the account was made"),
        Column("organization_id", pa.string(), "the organisation the account declares or belongs to"),
        Column("email_domain", pa.string(), "the part of the e-mail address after the @"),
        Column("email_hash", pa.string(), "a keyed hash of the normalised e-mail address"),
        Column("payment_fingerprint", pa.string(), "the payment processor's fingerprint of the card or account"),
        Column("phone_hash", pa.string(), "a keyed hash of the phone number"),
        Column("device_fingerprint", pa.string(), "the device seen at sign-up or in the console"),
        Column("country", pa.string(), "the country given at sign-up, ISO 3166-1 alpha-2"),
        Column("plan", pa.string(), "free, pay-as-you-go, enterprise, …"),
        Column("programme", pa.string(), "education, startup or research, where credits came from one"),
        Column("verification", pa.string(), "none, email, phone, identity or contract: the strongest that was made"),
        Column("declared_use", pa.string(), "what the account says it is for: a claim, not a fact"),
        Column("status", pa.string(), "active, suspended or banned"),
        Column("status_changed_at", TIMESTAMP, "when the status last changed"),
    ),
)

ACCOUNT_EVENTS = Table(
    "account_events",
    "What changed about an account and when; nothing is known before it happened.",
    (
        Column("account_id", pa.string(), "the account", required=True),
        Column("time", TIMESTAMP, "when the value was set", required=True),
        Column("field", pa.string(), "the column of accounts that changed", required=True),
        Column("value", pa.string(), "its new value, as text"),
    ),
)

MODELS = Table(
    "models",
    "When each model was released.",
    (
        Column("model", pa.string(), "the model's name, as in exchanges", required=True),
        Column("released_at", TIMESTAMP, "when it could first be used", required=True),
    ),
)

VERDICTS = Table(
    "verdicts",
    "What analysts said of earlier findings (`stillwatch verdict export`): evidence in the next scan.",
    (
        Column("verdict_id", pa.string(), "the verdict, by which a result names it", required=True),
        Column("time", TIMESTAMP, "when it was given", required=True),
        Column("subject_kind", pa.string(), "campaign or account", required=True),
        Column("subject", pa.string(), "the campaign or account", required=True),
        Column("verdict", pa.string(), "confirmed, dismissed or explained", required=True),
        Column("rival", pa.string(), "what explains it, by the name of the rival, where it was explained"),
        Column("accounts", pa.list_(pa.string()), "the campaign's accounts when it was given"),
        Column("probability", pa.float64(), "of the campaign when it was given, without verdicts"),
        Column("who", pa.string(), "who gave it; no result holds it"),
        Column("why", pa.string(), "why; no result holds it"),
    ),
)

_PASSAGES = pa.list_(pa.int64())

ENRICHED = Table(
    "enriched",
    "One exchange without its text: what `enrich` makes of it, all integers and strings.",
    (
        Column("exchange_no", pa.int64(), "number in reading order"),
        Column("exchange_id", pa.string(), "as in exchanges"),
        Column("account_id", pa.string(), "as in exchanges"),
        Column("key_id", pa.string(), "as in exchanges"),
        Column("end_user_id", pa.string(), "as in exchanges"),
        Column("conversation_id", pa.string(), "as in exchanges"),
        Column("time_us", pa.int64(), "microseconds since 1970-01-01 UTC"),
        Column("day", pa.int64(), "days since 1970-01-01 UTC"),
        Column("bin", pa.int64(), "ten-minute bins since 1970-01-01 UTC"),
        Column("hour_of_week", pa.int64(), "0 (Monday, 00 to 01 UTC) to 167"),
        Column("history", pa.int64(), "hash of all messages sent, where three or more"),
        Column("opening", pa.int64(), "hash of all messages sent, where one or two: a conversation's first request"),
        Column("history_first", pa.int64(), "hash of the first message, where three or more were sent"),
        Column("history_second", pa.int64(), "hash of the first two messages, where three or more were sent"),
        Column("history_before", pa.int64(), "hash of all but the last two, where three or more remain"),
        Column("access_path", pa.string(), "as in exchanges"),
        Column("ip", pa.string(), "the address in canonical form; null where it is none"),
        Column("block", pa.string(), "its /24 (IPv4) or /48 (IPv6)"),
        Column("network", pa.string(), "its /16 (IPv4) or /32 (IPv6)"),
        Column("hosting", pa.string(), "the cloud provider that announces it, where known"),
        Column("user_agent", pa.string(), "as in exchanges"),
        Column("tls_fingerprint", pa.string(), "as in exchanges"),
        Column("model", pa.string(), "as in exchanges"),
        Column("system_prompt_hash", pa.int64(), "keyed hash of the folded system prompt"),
        Column("prompt_hash", pa.int64(), "keyed hash of the folded prompt"),
        Column("system_prompt_passages", _PASSAGES, "its winnowed passages, distinct"),
        Column("prompt_passages", _PASSAGES, "its winnowed passages, distinct"),
        Column("system_prompt_bytes", pa.int64(), "its length in bytes of UTF-8"),
        Column("prompt_bytes", pa.int64(), "its length in bytes of UTF-8"),
        Column("response_bytes", pa.int64(), "its length in bytes of UTF-8"),
        Column("capped", pa.int64(), "1 where a text reached the cap on passages"),
        Column("tools_hash", pa.int64(), "keyed hash of the names of the tools offered"),
        Column("temperature_milli", pa.int64(), "temperature in thousandths"),
        Column("max_tokens", pa.int64(), "as in exchanges"),
        Column("reasoning_budget", pa.int64(), "as in exchanges"),
        Column("logprobs", pa.int64(), "1 where asked for"),
        Column("n", pa.int64(), "as in exchanges"),
        Column("stream", pa.int64(), "1 where streamed"),
        Column("batch", pa.int64(), "1 where through a batch interface"),
        Column("messages", pa.int64(), "as in exchanges"),
        Column("input_tokens", pa.int64(), "as in exchanges"),
        Column("output_tokens", pa.int64(), "as in exchanges"),
        Column("reasoning_tokens", pa.int64(), "as in exchanges"),
        Column("status", pa.string(), "as in exchanges"),
    ),
)

OUT_ACCOUNTS = Table(
    "accounts (result)",
    "Every account seen in traffic or in the accounts file, and what was found of it; accused at probability 0.5 and "
    "more.",
    (
        Column("account_id", pa.string(), "the account", required=True),
        Column("probability", pa.float64(), "that it (or, for a victim, its holder) takes part in any campaign"),
        Column("verdict", pa.string(), "member, victim, cleared, undetermined or none"),
        Column("pool_id", pa.string(), "the pool of its strongest membership"),
        Column("campaign_id", pa.string(), "the campaign of its strongest membership"),
    ),
)
OUT_MEMBERSHIPS = Table(
    "memberships (result)",
    "Who takes part in what, down to the key; an account may have several rows.",
    (
        Column("account_id", pa.string(), "the account", required=True),
        Column("key_id", pa.string(), "the key that sent the exchanges; null where traffic names none"),
        Column("pool_id", pa.string(), "the pool"),
        Column("workload_id", pa.string(), "the workload"),
        Column("campaign_id", pa.string(), "the campaign"),
        Column("probability", pa.float64(), "that the holder takes part"),
    ),
)
OUT_EXCHANGES = Table(
    "exchanges (result)",
    "Exchanges that belong to a workload of a campaign, in folders by day.",
    (
        Column("exchange_id", pa.string(), "the exchange", required=True),
        Column("time", TIMESTAMP, "as in exchanges"),
        Column("workload_id", pa.string(), "the workload"),
        Column("campaign_id", pa.string(), "the campaign"),
        Column("probability", pa.float64(), "that it belongs to the campaign"),
    ),
)
OUT_POOLS = Table(
    "pools (result)",
    "Accounts under common control.",
    (
        Column("pool_id", pa.string(), "the pool", required=True),
        Column("campaign_id", pa.string(), "the campaign it serves; null where it was cleared or left open"),
        Column("accounts", pa.int64(), "how many accounts"),
        Column("probability", pa.float64(), "that one hand runs them"),
    ),
)
OUT_WORKLOADS = Table(
    "workloads (result)",
    "Bodies of exchanges doing one job.",
    (
        Column("workload_id", pa.string(), "the workload", required=True),
        Column("campaign_id", pa.string(), "the campaign it is part of; null where it was cleared or left open"),
        Column("title", pa.string(), "a short name made from its intent"),
        Column("accounts", pa.int64(), "accounts that run it"),
        Column("exchanges", pa.int64(), "exchanges that carry it"),
    ),
)
OUT_CAMPAIGNS = Table(
    "campaigns (result)",
    "Workloads run through pools, judged to be distillation that nobody sanctioned.",
    (
        Column("campaign_id", pa.string(), "the campaign", required=True),
        Column("probability", pa.float64(), "what the product of the three factors stands for, calibrated"),
        Column("one_hand", pa.float64(), "P(one hand)"),
        Column("extraction", pa.float64(), "P(extraction | one hand)"),
        Column("unsanctioned", pa.float64(), "P(unsanctioned | both)"),
        Column("accounts", pa.int64(), "members, victims not counted"),
        Column("victims", pa.int64(), "holders of stolen keys"),
        Column("exchanges", pa.int64(), "exchanges that belong to it"),
        Column("output_tokens", pa.int64(), "tokens that they collected"),
        Column("expected_loss", pa.float64(), "probability times what is at stake, in units of the setting `loss`"),
        Column("first", TIMESTAMP, "its first exchange"),
        Column("last", TIMESTAMP, "its last exchange"),
    ),
)
OUT_EVIDENCE = Table(
    "evidence (result)",
    "Every observation for or against a claim.",
    (
        Column("evidence_id", pa.string(), "the observation", required=True),
        Column("subject", pa.string(), "the account, pool, workload or campaign that it speaks of"),
        Column("claim", pa.string(), "one_hand, extraction, unsanctioned, membership or holder_takes_part"),
        Column("kind", pa.string(), "the kind of evidence"),
        Column("bits", pa.float64(), "log2 of how much likelier it is under the claim"),
        Column("statement", pa.string(), "the observation in a sentence"),
        Column("rows", pa.list_(pa.string()), "ids behind it, a sample"),
    ),
)
OUT_LINKS = Table(
    "links (result)",
    "Which accounts hold one value: what `stillwatch hunt` expands along. Values are keyed hashes, hence pseudonyms: "
    "whoever has the key can try values. One that a single account holds is left out where an account may have many.",
    (
        Column("account_id", pa.string(), "the account", required=True),
        Column("kind", pa.string(), "the kind of link, or key, organization, passage, shared_job, …"),
        Column("value", pa.string(), "the value's keyed hash; of a passage or job its own id"),
        Column("values", pa.int64(), "values of the kind that the account holds, those left out among them"),
        Column("holders", pa.int64(), "accounts that hold the value"),
        Column("known", pa.int64(), "accounts of which any value of the kind is known"),
    ),
)
IN_PART = "judged_in_part"
OUT_IN_PART = Table(
    f"{IN_PART} (result)",
    "Accounts of which not all that the store holds was judged. Only where what came last was judged alone.",
    (
        Column("account_id", pa.string(), "the account", required=True),
        Column("judged", pa.int64(), "exchanges that were judged"),
        Column("exchanges", pa.int64(), "exchanges in the store"),
    ),
)
INPUT_TABLES = (EXCHANGES, ACCOUNTS, ACCOUNT_EVENTS, MODELS, VERDICTS)
OUTPUT_TABLES = (
    OUT_ACCOUNTS,
    OUT_MEMBERSHIPS,
    OUT_EXCHANGES,
    OUT_POOLS,
    OUT_WORKLOADS,
    OUT_CAMPAIGNS,
    OUT_EVIDENCE,
    OUT_LINKS,
    OUT_IN_PART,
)
