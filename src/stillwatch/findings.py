"""The findings of one scan as a document: what `findings.json` holds, and what the report and `explain` read.

Every other output is a table; this is the same for programs and pages. Its JSON Schema is generated from these models
and kept in the package (`findings.schema.json`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1

Verdict = Literal["campaign", "cleared", "undetermined"]
AccountVerdict = Literal["member", "victim", "cleared", "undetermined", "none"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Evidence(_Part):
    """One observation for (positive bits) or against (negative bits) a stated claim."""

    id: str
    subject: str = Field(description="the id of the account, exchange, pool, workload or campaign it speaks about")
    claim: Literal["one_hand", "extraction", "unsanctioned", "membership", "holder_takes_part"]
    kind: str = Field(description="the kind of evidence, as in the reference")
    view: str = Field(
        description="identity, registration, infrastructure, handover, timing, partition, content, "
        "adaptation, conduct or standing"
    )
    bits: float = Field(description="log2 of how much likelier the observation is under the claim than without it")
    statement: str = Field(description="the observation in one sentence")
    technique: str | None = Field(default=None, description="MITRE ATLAS technique")
    benign_causes: list[str] = Field(default_factory=list, description="what else could cause it")
    rows: list[str] = Field(default_factory=list, description="ids of the rows behind it, a sample")


class Rival(_Part):
    """Another explanation that was weighed against a factor's claim."""

    name: str = Field(description="popular_artefact, one_organisation, cohort_event, reseller, evaluation, chance, …")
    bits: float = Field(
        description="log2 odds of the claim against this rival; negative where the rival explains better"
    )
    reason: str


class Factor(_Part):
    """One of the three factors of a campaign's probability."""

    name: Literal["one_hand", "extraction", "unsanctioned"]
    probability: float
    prior_bits: float
    evidence: list[Evidence]
    rivals: list[Rival]
    strongest_rival: str


class DayCount(_Part):
    """Exchanges on one UTC day."""

    day: str = Field(description="YYYY-MM-DD, UTC")
    exchanges: int


class Mark(_Part):
    """A dated event worth drawing: a model's release, a ban."""

    time: datetime
    kind: Literal["release", "ban"]
    label: str


class Passage(_Part):
    """A run of text that at least k accounts share. The only prompt text that leaves the scan."""

    id: str
    text: str
    accounts: int
    exchanges: int
    accounts_outside: int = Field(description="accounts outside the group that carry it too")


class Workload(_Part):
    """A body of exchanges doing one job, whoever sends them."""

    id: str
    title: str = Field(description="a short name made from its intent")
    intents: list[str] = Field(description="what it asks for: reasoning, grading, instruction_generation, …")
    models: dict[str, int] = Field(description="exchanges by target model")
    accounts: int
    exchanges: int
    distinct_prompts: int
    passages: list[Passage]


class Pool(_Part):
    """Accounts under common control."""

    id: str
    accounts: int
    probability: float
    links: dict[str, int] = Field(description="member accounts joined to another member, by kind of link")


class Flow(_Part):
    """How much one pool sends of one workload."""

    pool_id: str
    workload_id: str
    accounts: int
    exchanges: int


class Member(_Part):
    """One account's part in one campaign."""

    account_id: str
    role: Literal["member", "victim"]
    probability: float
    exchanges: int = Field(description="exchanges that belong to the campaign")
    other_exchanges: int = Field(description="the account's exchanges that do not")
    keys: list[str]
    first: datetime
    last: datetime
    reason: str = Field(description="why this account, in one sentence")
    evidence: list[Evidence]


class Campaign(_Part):
    """Workloads run through pools, judged to be distillation that nobody sanctioned."""

    id: str
    title: str
    probability: float
    summary: str = Field(description="two or three plain sentences")
    accounts: int
    victims: int
    exchanges: int
    output_tokens: int
    at_stake: int = Field(default=0, description="what it is taken to cost, in units of the setting `loss`")
    expected_loss: float = Field(default=0.0, description="probability times at_stake: findings are in its order")
    first: datetime
    last: datetime
    targets: list[str] = Field(description="models asked, most asked first")
    factors: list[Factor] = Field(description="one_hand, extraction, unsanctioned, in this order")
    pools: list[Pool]
    workloads: list[Workload]
    flows: list[Flow]
    volume: list[DayCount]
    volume_others: list[DayCount] = Field(description="the members' other exchanges, by day")
    marks: list[Mark]
    hours_of_week: list[list[int]] = Field(description="7 rows (Monday first) of 24 counts, UTC")
    members: list[Member] = Field(description="all members and victims, those to look at first leading")
    against: list[str] = Field(description="what speaks against the finding, in sentences")
    ordinary_hours_of_week: list[list[int]] = Field(description="the same for all traffic, for comparison")


class Cleared(_Part):
    """A group that looked alike, was considered, and was not accused; or one that is left open."""

    id: str
    title: str
    verdict: Literal["cleared", "undetermined"]
    explanation: str = Field(description="the rival that explains it best, by name")
    reason: str
    would_decide: str = Field(description="what would settle it; empty where it is settled")
    accounts: int
    exchanges: int
    probabilities: dict[str, float] = Field(description="by factor")
    workload_id: str | None = None
    pool_id: str | None = None


class Traffic(_Part):
    """What was read."""

    exchanges: int
    accounts: int
    first: datetime
    last: datetime
    rejected: int
    duplicates: int
    rejected_by_reason: dict[str, int]
    formats: dict[str, int] = Field(description="files by format")
    capped_sketches: int
    has_accounts: bool
    has_models: bool
    volume: list[DayCount]
    absent_columns: list[str] = Field(description="columns of which no row had a value: the evidence that is silent")


class Findings(_Part):
    """The whole document."""

    schema_version: int = SCHEMA_VERSION
    stillwatch_version: str
    as_of: datetime = Field(description="the time of the last exchange: nothing later was known")
    headline: list[str] = Field(description="what was found, in three sentences")
    traffic: Traffic
    campaigns: list[Campaign] = Field(description="greatest expected loss first")
    cleared: list[Cleared]
    settings: dict[str, str | int | float | bool | None] = Field(description="the effective settings and seed")
    sketch_key: Literal["published", "secret"]
    notes: list[str] = Field(description="what limits these findings, in sentences")
