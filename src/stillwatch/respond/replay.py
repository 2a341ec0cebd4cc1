"""A policy over past traffic, on paper: scans as the days pass, a cycle after each, and nobody touched.

Each scan sees what was known by the end of its day and nothing later, and the cycle is the one that runs live, on a
state that is thrown away. All is judged once a day, where the service judges every minute, mostly what came last. What
is past was not changed by measures: accounts go on as they did, so what a measure would have stopped is what was sent
in spite of it, and whether it would have moved elsewhere is not known.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.evaluate.known import as_of, read_known
from stillwatch.evaluate.sent import Progress, read_sent, silent
from stillwatch.evaluate.timeline import MICROSECONDS_A_DAY, by_day
from stillwatch.evaluate.truth import read_truth
from stillwatch.respond.addresses import addresses_of
from stillwatch.respond.cycle import Applied, run_cycle
from stillwatch.respond.decision import Measure
from stillwatch.respond.found import read_found
from stillwatch.respond.harm import Account, Course, Harm, accounts_of, courses_of, harm_of
from stillwatch.respond.policy import Policy, as_toml
from stillwatch.respond.schema import EPOCH
from stillwatch.respond.state import State
from stillwatch.scan import Request, scan
from stillwatch.settings import Settings


@dataclass(frozen=True, slots=True)
class Cycle:
    """One cycle: what the scan before it found, and what it changed. under: accounts under a measure after it, by
    measure; keys: stopped keys."""

    day: str
    campaigns: int
    suspects: int
    decisions: int
    ended: int
    under: dict[str, int]
    keys: int
    addresses: int
    waits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """The whole replay. accounts: everybody who was touched. campaigns: the true ones, where the traffic is labelled.
    cases: how many questions were put to people, by kind."""

    traffic: str
    every: int
    policy: dict[str, Any]
    accounts_seen: int
    cycles: list[Cycle]
    accounts: list[Account]
    campaigns: list[Course]
    harm: Harm
    cases: dict[str, int]

    def document(self) -> dict[str, Any]:
        """For programs: text, numbers, lists, objects and nulls."""
        return asdict(self)


def replay(traffic: Path, policy: Policy, settings: Settings, *, every: int = 1, progress: Progress = silent) -> Replay:
    """Play a policy over a folder of past traffic, with a cycle at the end of every `every`-th day and of the last.

    The traffic by day, a store and the state lie in a scratch folder (in the settings' work_dir, else the system's).
    Raises what a scan raises.
    """
    sent = read_sent(traffic, progress)
    if not len(sent.time_us):
        raise InputError(f"{traffic}: no exchange to play over")
    truth = read_truth(traffic) if (traffic / "truth_accounts.parquet").exists() else None
    with tempfile.TemporaryDirectory(prefix="stillwatch-replay.", dir=settings.work_dir) as scratch:
        play = _Play(traffic, policy, settings, every, Path(scratch), progress)
        state = State.open(Path(scratch) / "state.db")
        try:
            with state.changing("replay", EPOCH) as change:
                change.adopt(as_toml(policy), "played over past traffic")
            cycles = list(play.cycles(state))
            kept = state.history()
            cases = [case.kind for case in state.cases()]
        finally:
            state.close()
    last = _moment(int(sent.time_us.max()) // MICROSECONDS_A_DAY + 1)
    accounts = accounts_of(kept, policy, sent, last, truth)
    on = {k.decision.subject for k in kept if k.decision.subject_kind == "address"}
    return Replay(
        str(traffic),
        every,
        policy.model_dump(mode="json"),
        len(np.unique(sent.account)),
        cycles,
        accounts,
        courses_of(accounts, truth, sent) if truth is not None else [],
        harm_of(accounts, policy, labelled=truth is not None, addresses=len(on)),
        {kind: cases.count(kind) for kind in sorted(set(cases))},
    )


@dataclass(frozen=True, slots=True)
class _Play:
    """One replay. scratch: a folder for the traffic by day, the store and the findings."""

    traffic: Path
    policy: Policy
    settings: Settings
    every: int
    scratch: Path
    progress: Progress

    def cycles(self, state: State) -> Iterator[Cycle]:
        """Scan as the days pass, and run a cycle after each scan."""
        known = read_known(self.traffic)
        later, store, out = (self.scratch / name for name in ("later", "store", "out"))
        by_day(self.traffic, later, self.progress)
        days = sorted(int(part.name) for part in later.iterdir())
        chosen = sorted({*range(days[0] + self.every - 1, days[-1] + 1, self.every), days[-1]})
        for number, day in enumerate(chosen, 1):
            new = self.scratch / f"until-{day}"
            new.mkdir()
            for part in [p for p in later.iterdir() if int(p.name) <= day]:
                part.rename(new / part.name)
            if not any(new.iterdir()):
                continue  # nobody sent anything on these days
            at = _moment(day + 1)
            then = as_of(known, at)
            then.write(new)
            label = f"Cycle {number} of {len(chosen)}, end of {_day(day)}"
            scan(Request((str(new),), out, store=store), self.settings, partial(_said, self.progress, label))
            found = read_found(out, then.accounts)
            suspects = [s.account for s in found.suspects]
            if suspects and self.policy.addresses.act:
                days_back = self.policy.addresses.seen_days
                found = replace(found, addresses=addresses_of(store, suspects, at, days_back, self.settings))
            yield _told(state, at, run_cycle(state, found, at), len(found.campaigns), len(suspects))


def _told(state: State, at: datetime, applied: Applied, campaigns: int, suspects: int) -> Cycle:
    """What stands after a cycle."""
    _, standing = state.standing(at)
    of_accounts = [d for d in standing if d.subject_kind == "account"]
    return Cycle(
        day=_day((at - EPOCH).days - 1),
        campaigns=campaigns,
        suspects=suspects,
        decisions=len(applied.plan.decisions),
        ended=len(applied.plan.ended),
        under={m.text: sum(d.measure is m for d in of_accounts) for m in list(Measure)[1:]},
        keys=sum(d.subject_kind == "key" for d in standing),
        addresses=sum(d.subject_kind == "address" for d in standing),
        waits=applied.plan.notes,
    )


def _said(progress: Progress, label: str, _stage: str, done: int, total: int | None) -> None:
    progress(label, done, total)


def _moment(day: int) -> datetime:
    return EPOCH + timedelta(days=day)


def _day(day: int) -> str:
    return _moment(day).date().isoformat()


def write_replay(replayed: Replay, path: Path) -> None:
    """Write every figure into a file; raises EnvironmentFailure where that cannot be."""
    try:
        path.write_text(json.dumps(replayed.document(), ensure_ascii=False, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise EnvironmentFailure(f"{path}: cannot be written: {error.strerror}") from error
