"""The evidence of the example's two campaigns: three factors each, with rivals."""

from __future__ import annotations

from typing import Any

from stillwatch.findings import Evidence, Factor, Rival

# kind, view, bits, statement, what else could cause it, technique
Row = tuple[str, str, float, str, tuple[str, ...], str | None]

ONE_HAND: list[Row] = [
    (
        "payment_reuse",
        "identity",
        6.2,
        "38 payment fingerprints pay for 214 of 312 accounts; trusted accounts reuse one in 1 of 900.",
        ("a start-up's accounts paid from one company card",),
        "AML.T0021",
    ),
    (
        "shared_exits",
        "infrastructure",
        4.8,
        "291 accounts send through the same 57 exits of hosting providers, each exit within minutes of others.",
        ("a VPN's customers", "CI runners of one hosting company"),
        "AML.T0008.005",
    ),
    (
        "equal_quotas",
        "timing",
        3.9,
        "Daily volumes of 280 accounts agree to within 6%; no group among trusted accounts comes within 40%.",
        ("a plan's daily limit that everyone reaches",),
        None,
    ),
    (
        "split_task_list",
        "partition",
        5.1,
        "41,200 numbered tasks are divided among 298 accounts with 11 sent twice; chance would repeat 1,900.",
        (),
        None,
    ),
    (
        "replacement",
        "handover",
        4.4,
        "After each of 3 bans a new account took up the unfinished part of the list within 40 minutes.",
        ("a person who was banned and came back",),
        "AML.T0065",
    ),
    (
        "registration_burst",
        "registration",
        2.3,
        "204 accounts were made on 4 days, from 3 mail domains, in the order in which they began to send.",
        ("a class or hackathon signing up together",),
        None,
    ),
    (
        "client_stack",
        "infrastructure",
        -1.7,
        "Four client libraries are in use where one operator would more often use one.",
        (),
        None,
    ),
]
REASONING: list[Row] = [
    (
        "asks_for_reasoning",
        "content",
        5.6,
        "92% of exchanges ask for numbered reasoning before the answer, over 38,900 distinct problems.",
        ("a tutor application", "an audit of the model's reasoning"),
        None,
    ),
    (
        "turn_to_new_model",
        "adaptation",
        4.1,
        "Within 9 hours of the release of aurora-5 half the volume had moved to it, after 40 probing requests.",
        ("everyone benchmarks a new model on release day",),
        None,
    ),
    (
        "breadth_of_tasks",
        "content",
        3.0,
        "Prompts are spread evenly over 61 school and olympiad topics; no account returns to a topic.",
        (),
        None,
    ),
    (
        "grades_outputs",
        "content",
        2.2,
        "18% of exchanges grade an earlier answer against a rubric, as reward data is made.",
        ("an evaluation suite with a model as judge",),
        None,
    ),
    (
        "interactive_use",
        "conduct",
        -0.9,
        "3% of exchanges continue a conversation, which collection does not need.",
        (),
        None,
    ),
]
WITHOUT_LEAVE: list[Row] = [
    (
        "plan_against_use",
        "standing",
        4.4,
        "None of 312 accounts has a contract; 266 are on the free plan or education credits.",
        ("riders of a free tier",),
        None,
    ),
    (
        "evades_limits",
        "conduct",
        3.6,
        "When an account meets its limit the next one continues within a minute, 2,140 times.",
        (),
        None,
    ),
    (
        "declared_use",
        "standing",
        -0.6,
        "23 accounts declare 'dataset research' as their use, which is a claim and not a contract.",
        (),
        None,
    ),
]
LOCKSTEP: list[Row] = [
    (
        "lockstep",
        "timing",
        9.1,
        "44 accounts start and stop within the same ten minutes on 31 of 33 days.",
        ("a scheduler that many tenants share",),
        None,
    ),
    (
        "tls_against_agent",
        "infrastructure",
        6.4,
        "All accounts claim browsers, and all have one TLS fingerprint that no browser has.",
        (),
        None,
    ),
    (
        "key_theft",
        "infrastructure",
        4.2,
        "6 keys are used from their holders' places by day and from this pool's exits by night.",
        ("a holder who moved a job to the cloud",),
        "AML.T0012",
    ),
]
CODING: list[Row] = [
    (
        "instruction_generation",
        "content",
        6.2,
        "97% of exchanges ask for new coding tasks with tests, none of which is ever answered here.",
        ("an open data-generation pipeline",),
        "AML.T0024.002",
    ),
    ("log_probabilities", "conduct", 3.2, "71% of requests ask for log-probabilities.", (), None),
]
STOLEN: list[Row] = [
    (
        "stolen_keys",
        "standing",
        6.5,
        "6 of 46 accounts belong to holders whose own traffic is unlike this and who hold contracts.",
        (),
        None,
    ),
]


def observed(campaign: str, claim: Any, rows: list[Row]) -> list[Evidence]:
    return [
        Evidence(
            id=f"{campaign}-{claim}-{i}",
            subject=campaign,
            claim=claim,
            kind=kind,
            view=view,
            bits=bits,
            statement=says,
            technique=technique,
            benign_causes=list(benign),
            rows=[f"x{i}01", f"x{i}02"],
        )
        for i, (kind, view, bits, says, benign, technique) in enumerate(rows)
    ]


def weighed(*rivals: tuple[str, float, str]) -> list[Rival]:
    return [Rival(name=name, bits=bits, reason=reason) for name, bits, reason in rivals]


def factors_one() -> list[Factor]:
    return [
        Factor(
            name="one_hand",
            probability=0.998,
            prior_bits=-16.0,
            evidence=observed("C1", "one_hand", ONE_HAND),
            strongest_rival="reseller",
            rivals=weighed(
                ("reseller", 8.9, "A reseller's customers would keep different hours and tasks."),
                ("popular_artefact", 14.2, "The passage is in no public template that others send."),
                ("cohort_event", 11.0, "Accounts were made over weeks and share payment."),
                ("chance", 25.0, "No permutation of 10,000 gave as much."),
            ),
        ),
        Factor(
            name="extraction",
            probability=0.991,
            prior_bits=-6.5,
            evidence=observed("C1", "extraction", REASONING),
            strongest_rival="evaluation",
            rivals=weighed(
                ("evaluation", 6.8, "An evaluation repeats its questions; these never recur."),
                ("one_organisation", 9.4, "An agency's bots serve customers; these have none."),
            ),
        ),
        Factor(
            name="unsanctioned",
            probability=0.972,
            prior_bits=-2.3,
            evidence=observed("C1", "unsanctioned", WITHOUT_LEAVE),
            strongest_rival="one_organisation",
            rivals=weighed(("one_organisation", 5.1, "A customer with a contract needs no 38 payment cards.")),
        ),
    ]


def factors_two() -> list[Factor]:
    return [
        Factor(
            name="one_hand",
            probability=0.93,
            prior_bits=-16.0,
            evidence=observed("C2", "one_hand", LOCKSTEP),
            strongest_rival="cohort_event",
            rivals=weighed(("cohort_event", 3.7, "A course would end with its term; this did not.")),
        ),
        Factor(
            name="extraction",
            probability=0.88,
            prior_bits=-6.5,
            evidence=observed("C2", "extraction", CODING),
            strongest_rival="popular_artefact",
            rivals=weighed(("popular_artefact", 2.9, "Users of the open pipeline keep its default seeds.")),
        ),
        Factor(
            name="unsanctioned",
            probability=0.95,
            prior_bits=-2.3,
            evidence=observed("C2", "unsanctioned", STOLEN),
            strongest_rival="evaluation",
            rivals=weighed(("evaluation", 4.3, "Nobody evaluates with another's key.")),
        ),
    ]
