"""The two ways in which a model is used: a person who chats and a program that calls."""

from __future__ import annotations

from typing import Any

from stillwatch.simulate.accounts import DAYS, TURNS, Account
from stillwatch.simulate.public import Public
from stillwatch.simulate.rhythm import ALWAYS, EVENING, OFFICE
from stillwatch.simulate.streams import Stream, Streams
from stillwatch.simulate.templates import instructions

# Volumes of accounts are log-normal; with this spread a tenth of the programs carries three quarters of their traffic.
# Assumption: providers publish no such figures. A person's spread is less.
SPREAD, PERSON_SPREAD = 2.0, 1.2
SECOND_KEY = 0.2  # share of programs with a second key, for staging or a second machine: assumption
APP_INTENTS = (
    "summary",
    "extraction",
    "support",
    "classification",
    "translation",
    "support",
    "coding",
    "grading",
    "reasoning",
    "tool_use",
    "generation",
)


def weight(s: Streams, factor: float, spread: float = SPREAD) -> float:
    """A relative volume; `factor` is the mean."""
    return factor * s.r.lognormvariate(-(spread**2) / 2, spread)


def own_system(s: Streams) -> str:
    """A system prompt that a developer wrote for themselves."""
    return instructions(s.r, s.r.choice(("support", "summary", "coding", "translation")), 1)[0]


def chat_wordings(s: Streams, p: Public, account: Account) -> list[int]:
    """How a person asks: bare, or through an open front end with its public system prompt, or with one of their own."""
    if not account.system and not account.tools:
        return [s.plain]
    u = s.r.random()
    if account.system and not account.tools and u < 0.6:
        return [s.r.choice(p.frontends)]
    return [s.wording("", "", own_system(s) if account.system else "", tools=account.tools, code=0.15)]


def life(s: Streams, account: Account, given: dict[str, Any]) -> dict[str, float]:
    """From when to when an account is in use: a quarter begin late and a quarter lose interest (assumption)."""
    r = s.r
    if "start" in given or "end" in given:
        return {"start": 0.0, "end": float(DAYS)}
    start = max(account.created, 0.0)
    if r.random() < 0.25:
        start = r.uniform(start, max(start, 45.0))
    return {"start": start, "end": r.uniform(min(start + 5, DAYS), DAYS) if r.random() < 0.25 else float(DAYS)}


def person_stream(s: Streams, p: Public, account: Account, **given: Any) -> Stream:
    """A person who chats."""
    r = s.r
    addresses = [s.addresses.residential() for _ in range(r.choice((1, 2, 2, 3)))]
    values: dict[str, Any] = life(s, account, given) | {
        "key": account.key,
        "weight": weight(s, 0.45, PERSON_SPREAD),
        "turns": r.choice(TURNS),
        "busy": r.randint(2, 40),
        "profile": EVENING,
        "hold": r.choice((0.5, 4.0, 20.0)),
        "addresses": addresses,
        "wordings": chat_wordings(s, p, account),
    }
    return s.add(Stream(account=account, **(values | given)))


def program_stream(s: Streams, account: Account, wordings: list[int], **given: Any) -> Stream:
    """A program that calls the model."""
    r = s.r
    addresses = [s.addresses.either() for _ in range(r.choice((1, 1, 2, 4)))]
    values: dict[str, Any] = life(s, account, given) | {
        "key": account.key,
        "weight": weight(s, 2.0),
        "turns": r.choice(TURNS),
        "busy": r.randint(5, DAYS),
        "gap": 15.0,
        "profile": r.choice((OFFICE, EVENING, ALWAYS, ALWAYS)),
        "hold": r.choice((0.1, 1.0, 30.0)),
        "addresses": addresses,
        "wordings": wordings,
    }
    stream = s.add(Stream(account=account, **(values | given)))
    if r.random() < SECOND_KEY:
        stream.weight *= 0.7
        other: dict[str, Any] = {"weight": stream.weight * 0.4, "addresses": [s.addresses.either()]}
        other["key"] = s.register.identifier("key_")
        s.add(Stream(account=account, **(values | given | other)))
    return stream
