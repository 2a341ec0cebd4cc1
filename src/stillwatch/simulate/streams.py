"""Streams: one account's traffic of one sort, and the collection of everything that a world is made of.

A stream has one account, one key and one way of asking; its rows are made later, all streams at once. An account may
have several: a stolen key's holder goes on as before in one while the thief uses another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from stillwatch.simulate.accounts import DAYS, Account, Register
from stillwatch.simulate.addresses import Addresses
from stillwatch.simulate.rhythm import EVENING
from stillwatch.simulate.templates import QUOTED_TEXTS, TOOL_SETS, Wording, instructions, response_form

# A Monday, so that weekends fall on days 5 and 6 of each week; the two months before the disclosure of February 2026.
START = datetime(2025, 12, 1, tzinfo=UTC)
# Requests of a job that rewords sensitive questions are refused more often: brought about by what it asks. Assumption.
REFUSED_SENSITIVE = 0.15


@dataclass(frozen=True, slots=True)
class Cost:
    """What one evasion costs an adversary, against the same campaign without it."""

    evasion: str
    accounts: int  # that it takes on top
    money_usd: float
    throughput_share: float  # of useful requests that are left to accounts of the same number, in the same time


@dataclass(frozen=True, slots=True)
class Asked:
    """What a world is asked to hold; what is None is the world's own choice."""

    exchanges: int  # rows in all
    attackers: float | None = None  # share of accounts
    extraction: float | None = None  # share of an attacking account's exchanges
    evasions: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class SharedPayloads:
    """Payloads that several parties send: a benchmark's questions, a class's homework, a suite's cases."""

    number: int
    size: int
    share: float  # of a stream's opening messages that come from it


@dataclass(slots=True)
class Stream:
    """One account's traffic of one sort."""

    account: Account
    key: str
    wordings: Sequence[int]
    addresses: Sequence[int]
    weight: float = 1.0  # relative number of rows
    rows: int = 0  # set beforehand, it is kept; otherwise dealt out by weight
    campaign: int = -1
    pool: str = ""  # under whose control the stream is sent: told in the truth alone
    start: float = 0.0
    end: float = float(DAYS)
    profile: int = EVENING
    turns: float = 1.0
    gap: float = 60.0  # median seconds between the turns of a conversation
    busy: int = 30  # distinct days of activity
    hold: float = 30.0  # days for which an address is kept
    payloads: SharedPayloads | None = None
    own_topic: bool = False
    end_users: int | None = None  # own customers passed on; None as the account does
    new_model_share: float = 0.0  # of requests after the release, on top of the account's own habit
    only_new_model: bool = False
    language: int = -1  # of payloads; the account's where negative
    handover: int = 0  # streams of one number continue one another's conversations; 0 for none


class Streams:
    """What a world is made of, as it is being put together."""

    def __init__(self, seed: int, world: str, start: datetime = START) -> None:
        self.start = start
        self.costs: list[Cost] = []
        secret = f"stillwatch/{world}/{seed}"
        self.r = Random(secret)
        self.register = Register(self.r, secret)
        self.addresses = Addresses(self.r)
        self.streams: list[Stream] = []
        self.pieces: list[str] = ["", *QUOTED_TEXTS]
        self.wordings: list[Wording] = []
        self._payloads = 0
        self._groups = 0
        self.plain = self.wording("", "", "", code=0.12)

    def wording(
        self,
        before: str,
        after: str,
        system: str,
        *,
        response: str = "",
        tools: int = 0,
        code: float = 0.15,
        refused: float | None = None,
        workload: str = "",
        every_turn: bool = False,
    ) -> int:
        """Keep a wording and give its number."""
        self.wordings.append(Wording(before, after, system, response, tools, code, refused, workload, every_turn))
        return len(self.wordings) - 1

    def handover_group(self) -> int:
        """A new number for streams that continue one another's conversations."""
        self._groups += 1
        return self._groups

    def shared_payloads(self, size: int, share: float) -> SharedPayloads:
        """A new list of payloads that more than one may send."""
        self._payloads += 1
        return SharedPayloads(self._payloads, size, share)

    def job(
        self,
        intent: str,
        count: int,
        *,
        chinese: bool = False,
        system: bool | None = None,
        tools: int | None = None,
        code: float | None = None,
        workload: str = "",
        refused: float | None = None,
    ) -> list[int]:
        """The wordings of one new job: where they stand, in what form answers come, which tools are offered.

        Half of all jobs, whoever runs them, put the instruction into the system prompt, and a third offer tools.
        """
        r = self.r
        in_system = r.random() < 0.5 if system is None else system
        after = r.random() < 0.4
        tool_set = (r.randrange(1, len(TOOL_SETS)) if r.random() < 0.35 else 0) if tools is None else tools
        share = code if code is not None else (0.6 if intent in ("coding", "tool_use") else r.choice((0.0, 0.05, 0.3)))
        response = response_form(r, intent)
        if refused is None and intent == "rewording":
            refused = REFUSED_SENSITIVE
        given = {"response": response, "tools": tool_set, "code": share, "refused": refused, "workload": workload}
        numbers = []
        for text in instructions(r, intent, count, chinese=chinese):
            if in_system:
                numbers.append(self.wording("", "", text, **given))  # type: ignore[arg-type]
            elif after:
                numbers.append(self.wording("", "\n\n" + text, "", **given))  # type: ignore[arg-type]
            else:
                numbers.append(self.wording(text + "\n\n", "", "", **given))  # type: ignore[arg-type]
        return numbers

    def add(self, stream: Stream, notices: tuple[float, float] = (0.05, 3.0)) -> Stream:
        """Keep a stream, within its account's life. A closed account knocks on for `notices` days, drawn between."""
        a = stream.account
        stream.start = max(stream.start, a.created + 0.01)
        if a.closed is not None:
            stream.end = min(stream.end, a.closed + self.r.uniform(*notices))
        stream.start = min(max(stream.start, 0.0), DAYS - 0.5)
        stream.end = min(max(stream.end, stream.start + 0.2), float(DAYS))
        self.streams.append(stream)
        return stream
