"""What strangers share without knowing one another: public prompts, public task lists, VPN exits."""

from __future__ import annotations

from dataclasses import dataclass, field

from stillwatch.simulate.streams import SharedPayloads, Streams
from stillwatch.simulate.templates import AGENT_SYSTEM_PROMPTS, FRAMEWORK_PROMPTS, PIPELINE_PROMPTS, TOOL_SETS

# A commercial VPN keeps some thousands of exits for millions of customers; an API sees one in tens of them: assumption.
ACCOUNTS_A_VPN_EXIT = 50
# Background rows for each background account. With the heavy tail of volumes this puts the account behind the median
# background row at some hundreds of rows, as it is with campaigns: volume alone tells little.
ROWS_AN_ACCOUNT = 110


def honest_accounts(rows: int) -> int:
    """How many honest accounts so many background rows are dealt out to; below 60 not every population has a group."""
    return max(60, rows // ROWS_AN_ACCOUNT)


@dataclass(slots=True)
class Public:
    """What strangers share: prompts of frameworks, pipelines and agents, and their shared payloads."""

    frameworks: list[int] = field(default_factory=list)
    pipelines: list[int] = field(default_factory=list)
    agents: list[int] = field(default_factory=list)
    frontends: list[int] = field(default_factory=list)
    seeds: SharedPayloads | None = None
    benchmark: SharedPayloads | None = None
    viral: SharedPayloads | None = None
    vpn: list[int] = field(default_factory=list)
    sponsors_day: float = -40.0


def public(s: Streams, accounts: int) -> Public:
    """Register the public artefacts of a world of about so many honest accounts."""
    p = Public()
    for before, after in FRAMEWORK_PROMPTS:
        p.frameworks.append(s.wording(before, after, "", code=0.1))
        p.frameworks.append(s.wording("", after, before.strip(), code=0.1))
    for before, after, _ in PIPELINE_PROMPTS:
        p.pipelines.append(s.wording(before, after, "", code=0.15))
    for i, system in enumerate(AGENT_SYSTEM_PROMPTS):
        p.agents.append(s.wording("", "", system, tools=1 + i % (len(TOOL_SETS) - 1), code=0.5))
    p.frontends = [
        s.wording("", "", AGENT_SYSTEM_PROMPTS[3], code=0.12),
        s.wording("", "", "You are a helpful assistant.", code=0.12),
    ]
    # a public set of seed tasks, of which every user of an open pipeline sends a part
    p.seeds = s.shared_payloads(600, 0.5)
    p.benchmark = s.shared_payloads(300, 0.95)
    p.viral = s.shared_payloads(1, 0.8)
    p.vpn = [s.addresses.datacentre() for _ in range(max(24, accounts // ACCOUNTS_A_VPN_EXIT))]
    p.sponsors_day = s.r.uniform(-60, 10)
    return p
