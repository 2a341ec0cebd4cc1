"""A realistic Findings document, written by code: two campaigns over sixty days, and what was cleared beside them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from example_evidence import factors_one, factors_two, observed

from stillwatch.findings import (
    Campaign,
    Cleared,
    DayCount,
    Findings,
    Flow,
    Mark,
    Member,
    Passage,
    Pool,
    Traffic,
    Workload,
)

START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 60

SHARED = [
    "You are a careful annotator. Think step by step, number every step, and only then give the final answer "
    "between <answer> and </answer>.",
    "请逐步推理，并在最后给出答案。不要省略任何中间步骤。",
    "اشرح خطوات التفكير خطوة بخطوة، ثم أعط الإجابة النهائية في سطر واحد.",
    'Rate the response against the rubric from 1 to 10. Reply with {"score": n, "why": "..."} and nothing else.',
]


def series(start: int, end: int, level: float, seed: int, ramp: int = 0) -> list[DayCount]:
    rng = random.Random(seed)
    days = []
    for d in range(start, end):
        grown = min(1.0, (d - start + 1) / ramp) if ramp else 1.0
        day = (START + timedelta(days=d)).date().isoformat()
        days.append(DayCount(day=day, exchanges=round(level * grown * rng.uniform(0.85, 1.15))))
    return days


def office_hours(level: int, seed: int) -> list[list[int]]:
    rng = random.Random(seed)
    shape = [2, 1, 1, 1, 1, 2, 4, 8, 14, 18, 20, 19, 17, 19, 20, 20, 18, 15, 11, 9, 8, 6, 4, 3]
    return [[round(level * h * (0.45 if d > 4 else 1) * rng.uniform(0.9, 1.1)) for h in shape] for d in range(7)]


def flat_hours(level: int, seed: int) -> list[list[int]]:
    rng = random.Random(seed)
    return [[round(level * rng.uniform(0.88, 1.12)) for _ in range(24)] for _ in range(7)]


def members(count: int, victims: int, days: tuple[int, int], seed: int) -> list[Member]:
    rng = random.Random(seed)
    reasons = [
        "Paid with a card that pays for 11 other members, and sends the split task list.",
        "Took over an unfinished part of the list 22 minutes after {ban} was banned.",
        "Same exits, same daily volume and same hours as 40 others; nothing else in its traffic.",
        "Joined by device fingerprint to two members; 97% of its exchanges carry the shared passage.",
    ]
    made = []
    for i in range(count + victims):
        victim = i >= count
        name = f"acct_{rng.getrandbits(40):010x}"
        n = rng.randint(90, 900)
        made.append(
            Member(
                account_id=name,
                role="victim" if victim else "member",
                probability=0.04 if victim else max(0.5, 0.999 - i * 0.4 / (count + 1)),
                exchanges=n,
                other_exchanges=rng.randint(400, 2500) if victim else rng.randint(0, 40),
                keys=[f"key_{rng.getrandbits(24):06x}" for _ in range(2 if i % 9 == 0 else 1)],
                first=START + timedelta(days=days[0], hours=rng.randint(0, 90)),
                last=START + timedelta(days=days[1] - 1, hours=rng.randint(0, 20)),
                reason=(
                    "One of its keys is used by the pool at night; the holder's own use goes on by day."
                    if victim
                    else reasons[i % 4].format(ban="acct_19b2c4")
                ),
                evidence=observed(
                    name, "membership", [("shared_exits", "infrastructure", 3.0, "Uses them.", (), None)]
                ),
            )
        )
    return made


def workload(
    names: tuple[str, str], intents: list[str], models: dict[str, int], accounts: int, texts: list[str]
) -> Workload:
    wid, title = names
    total = sum(models.values())
    passages = [
        Passage(
            id=f"{wid}p{i}",
            text=t,
            accounts=accounts - 7 * i,
            exchanges=total // (i + 1),
            accounts_outside=[0, 2, 0, 41][i % 4],
        )
        for i, t in enumerate(texts)
    ]
    return Workload(
        id=wid,
        title=title,
        intents=intents,
        models=models,
        accounts=accounts,
        exchanges=total,
        distinct_prompts=int(total * 0.94),
        passages=passages,
    )


def campaign_one() -> Campaign:
    volume = series(6, 60, 2900, 1, ramp=6)
    ws = [
        workload(
            ("W1", "step-by-step mathematics"),
            ["reasoning", "mathematics"],
            {"aurora-5": 71_000, "aurora-4": 24_000},
            298,
            [SHARED[0], SHARED[1], SHARED[2]],
        ),
        workload(
            ("W2", "grading against a rubric"), ["grading"], {"aurora-5": 19_000, "aurora-4": 9_000}, 140, [SHARED[3]]
        ),
        workload(("W3", "tool-use traces"), ["agentic", "tool_use"], {"aurora-5": 17_500}, 88, [SHARED[0]]),
    ]
    return Campaign(
        id="C1",
        title="Reasoning collected over free accounts",
        probability=0.961,
        summary="312 accounts, paid from 38 cards and sending through 57 shared exits, divided one list of 41,200 "
        "problems and asked for numbered reasoning to each. They turned to aurora-5 within nine hours of its release. "
        "None has a contract.",
        accounts=312,
        victims=0,
        exchanges=140_500,
        output_tokens=212_400_000,
        first=START + timedelta(days=6, hours=3),
        last=START + timedelta(days=59, hours=21),
        targets=["aurora-5", "aurora-4"],
        factors=factors_one(),
        pools=[
            Pool(id="P1", accounts=231, probability=0.998, links={"payment": 180, "exit": 222, "quota": 210}),
            Pool(id="P2", accounts=81, probability=0.981, links={"device": 44, "exit": 80, "handover": 12}),
        ],
        workloads=ws,
        flows=[
            Flow(pool_id="P1", workload_id="W1", accounts=231, exchanges=72_000),
            Flow(pool_id="P2", workload_id="W1", accounts=67, exchanges=23_000),
            Flow(pool_id="P1", workload_id="W2", accounts=140, exchanges=28_000),
            Flow(pool_id="P2", workload_id="W3", accounts=81, exchanges=17_500),
        ],
        volume=volume,
        volume_others=series(6, 60, 60, 2),
        marks=[
            Mark(time=START + timedelta(days=27, hours=16), kind="release", label="aurora-5"),
            Mark(time=START + timedelta(days=49, hours=16), kind="release", label="aurora-5-mini"),
            *[
                Mark(time=START + timedelta(days=d, hours=9), kind="ban", label=f"acct_{d:06d}")
                for d in (20, 20, 20, 33, 34, 51)
            ],
        ],
        hours_of_week=flat_hours(836, 3),
        members=members(312, 0, (6, 60), 4),
        against=[
            "Four client libraries are in use, where one operator would more often use one.",
            "23 accounts declare dataset research as their use.",
            "3% of exchanges continue a conversation.",
        ],
        ordinary_hours_of_week=office_hours(900, 5),
    )


def campaign_two() -> Campaign:
    ws = [
        workload(
            ("W4", "coding tasks with tests"),
            ["instruction_generation", "code"],
            {"aurora-5": 9_100, "borealis-2": 6_300},
            46,
            [
                "Write one new programming task that a "
                "mid-level engineer could solve in an hour, then hidden tests for it. Return JSON only."
            ],
        ),
        workload(("W5", "code review pairs"), ["grading", "code"], {"borealis-2": 4_200}, 30, [SHARED[3]]),
    ]
    hours = [[0 if 6 <= h < 21 else v for h, v in enumerate(row)] for row in flat_hours(310, 6)]
    return Campaign(
        id="C2",
        title="Coding tasks generated at night with stolen keys among others",
        probability=0.777,
        summary="46 accounts in one pool work in lockstep every night and generate coding tasks with tests. "
        "Six of them are victims: their holders' keys are used by the pool.",
        accounts=40,
        victims=6,
        exchanges=19_600,
        output_tokens=31_100_000,
        first=START + timedelta(days=22, hours=21),
        last=START + timedelta(days=54, hours=5),
        targets=["borealis-2", "aurora-5"],
        factors=factors_two(),
        pools=[Pool(id="P3", accounts=46, probability=0.93, links={"lockstep": 44, "tls": 40})],
        workloads=ws,
        flows=[
            Flow(pool_id="P3", workload_id="W4", accounts=46, exchanges=15_400),
            Flow(pool_id="P3", workload_id="W5", accounts=30, exchanges=4_200),
        ],
        volume=series(22, 55, 594, 7),
        volume_others=series(0, 60, 210, 8),
        marks=[Mark(time=START + timedelta(days=27, hours=16), kind="release", label="aurora-5")],
        hours_of_week=hours,
        members=members(40, 6, (22, 55), 9),
        against=[],
        ordinary_hours_of_week=office_hours(900, 5),
    )


def cleared() -> list[Cleared]:
    return [
        Cleared(
            id="G7",
            title="a popular coding agent's system prompt",
            verdict="cleared",
            explanation="popular_artefact",
            reason="3,204 strangers carry it; they share no payment, exit or hours.",
            would_decide="",
            accounts=3_204,
            exchanges=402_000,
            probabilities={"one_hand": 0.002, "extraction": 0.11, "unsanctioned": 0.5},
            workload_id="W9",
        ),
        Cleared(
            id="G8",
            title="nightly evaluation of one company",
            verdict="cleared",
            explanation="evaluation",
            reason="One organisation with a contract repeats the same 1,400 questions every night.",
            would_decide="",
            accounts=12,
            exchanges=71_000,
            probabilities={"one_hand": 0.999, "extraction": 0.2, "unsanctioned": 0.01},
            pool_id="P9",
        ),
        Cleared(
            id="G9",
            title="a class with one campus address",
            verdict="cleared",
            explanation="cohort_event",
            reason="164 education accounts, one address and one week's homework; each keeps a person's hours.",
            would_decide="",
            accounts=164,
            exchanges=8_900,
            probabilities={"one_hand": 0.04, "extraction": 0.3, "unsanctioned": 0.3},
        ),
        Cleared(
            id="G12",
            title="synthetic dialogues over a reseller",
            verdict="undetermined",
            explanation="reseller",
            reason="19 accounts behind one gateway share a template; the gateway strips every address.",
            would_decide="The gateway's end_user_id, or the client addresses before the gateway.",
            accounts=19,
            exchanges=12_300,
            probabilities={"one_hand": 0.61, "extraction": 0.7, "unsanctioned": 0.55},
        ),
    ]


def example() -> Findings:
    rng = random.Random(11)
    total = []
    for d in range(DAYS):
        weekend = 0.6 if (START + timedelta(days=d)).weekday() > 4 else 1.0
        total.append(
            DayCount(
                day=(START + timedelta(days=d)).date().isoformat(),
                exchanges=round(21_000 * weekend * (1 + d / 200) * rng.uniform(0.94, 1.06)),
            )
        )
    campaigns = [campaign_one(), campaign_two()]
    exchanges = sum(d.exchanges for d in total)
    return Findings(
        stillwatch_version="0.1.0",
        as_of=START + timedelta(days=59, hours=23, minutes=58),
        headline=[
            "Two distillation campaigns were found: 352 accounts sent 160,100 exchanges, 12% of the traffic.",
            "The larger collects step-by-step reasoning from aurora-5 over free accounts under one hand; the smaller "
            "generates coding tasks at night, partly with 6 stolen keys whose holders are victims.",
            "Three groups that look alike were considered and cleared, and one is left open.",
        ],
        traffic=Traffic(
            exchanges=exchanges,
            accounts=18_240,
            first=START,
            last=START + timedelta(days=59, hours=23, minutes=58),
            rejected=37,
            duplicates=112,
            rejected_by_reason={"time without a zone": 30, "not JSON": 7},
            formats={"canonical Parquet": 60},
            capped_sketches=214,
            has_accounts=True,
            has_models=True,
            volume=total,
            absent_columns=["tls_fingerprint", "end_user_id", "conversation_id"],
        ),
        campaigns=campaigns,
        cleared=cleared(),
        settings={"seed": 0, "k": 5, "engine": "duckdb", "prior.unsanctioned": 0.17, "store": None, "sketch.cap": 64},
        sketch_key="published",
        notes=[
            "Without conversation_id the handover view saw only replacements after bans.",
            "214 exchanges reached the sketch's cap; passages late in them may be missed.",
        ],
    )


def nothing_found() -> Findings:
    found = example()
    return found.model_copy(
        update={
            "campaigns": [],
            "headline": [
                "No distillation campaign was found in 1.1 million exchanges of 18,240 accounts.",
                "Three groups look alike and were cleared; one is left open.",
                "Columns that were absent leave some kinds of evidence silent.",
            ],
        }
    )


def truth(found: Findings) -> dict[str, Any]:
    """A truth that differs from the findings in two ways: 9 guilty accounts are missed, 1 innocent is accused."""
    one, two = ([m.account_id for m in c.members] for c in found.campaigns)
    missed = [f"acct_missed_{i}" for i in range(9)]
    roles = dict.fromkeys(one + missed, ("campaign", "member"))
    roles |= {
        m.account_id: ("campaign", m.role) if m.role == "member" else ("startup", "victim")
        for m in found.campaigns[1].members
    }
    roles[one[0]] = ("agency", "innocent")
    return {"campaigns": {"alpha": set(one[1:] + missed), "beta": set(two), "gamma": {"acct_never"}}, "roles": roles}
