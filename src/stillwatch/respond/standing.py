"""What stands against whom, in memory: the one question that is asked at every request.

    standing = Standing.load(state)
    ...
    standing = standing.newer(state)            # every second or so: one small query, and what changed where it did
    decision = standing.look_up(account, key)

A snapshot never changes, so threads share it without locks, and replace it by assigning the newer one.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from stillwatch.respond.decision import Decision, Measure


@dataclass(frozen=True, slots=True)
class Turned:
    """What changed of what stood: decisions that stand now and did not, and the ids of those that stand no more."""

    version: int
    new: tuple[Decision, ...]
    gone: tuple[str, ...]


class Decided(Protocol):
    """Where decisions are kept: `stillwatch.respond.state.State`."""

    def version(self) -> int:
        """A number that grows with every change of what stands."""
        ...

    def standing(self, at: datetime) -> tuple[int, Iterable[Decision]]:
        """The version, and the decisions that were not ended and expire after `at`, dry runs among them."""
        ...

    def turned(self, version: int, since: datetime, at: datetime) -> Turned:
        """What `standing(at)` has beyond `standing(since)`, which gave this version, and what it has no more."""
        ...


# Ids that are sorted in one go of the interpreter: less than a millisecond.
PIECE = 1_024

Held = tuple[Decision, ...]
# What a decision is looked up by: an account, an account and a key of it, or an address.
Asked = str | tuple[str | None, str]


def _weight(decision: Decision) -> tuple[int, datetime, str]:
    return decision.measure, decision.expires, decision.decision_id


def _asked(decision: Decision) -> Asked:
    return (decision.account, decision.subject) if decision.subject_kind == "key" else decision.subject


def _in_order(decisions: Iterable[Decision]) -> Held:
    return tuple(sorted(decisions, key=_weight, reverse=True))


def _by(kind: str, decisions: Iterable[Decision]) -> dict[Asked, Held]:
    """Decisions of one kind of subject by what they are looked up by, the hardest first."""
    held: dict[Asked, list[Decision]] = defaultdict(list)
    for decision in decisions:
        if decision.subject_kind == kind:
            held[_asked(decision)].append(decision)
    return {subject: _in_order(of) for subject, of in held.items()}


class Standing:
    """All decisions that stand, looked up by whom they are about. Iterates over those that are no dry run, by id."""

    __slots__ = ("_accounts", "_addresses", "_at", "_by_id", "_keys", "_measures", "_ordered", "version")

    def __init__(self, version: int, decisions: Iterable[Decision], at: datetime | None = None) -> None:
        """version: of the state that these decisions are of; at: when they stood, now where it is not given."""
        every = {d.decision_id: d for d in decisions}
        real = [d for d in every.values() if not d.dry_run]
        self._set(version, at or datetime.now(UTC), every, [_by(kind, real) for kind in ("account", "key", "address")])
        self._measures = Counter(d.measure for d in real)

    def _set(self, version: int, at: datetime, every: dict[str, Decision], by: list[dict[Asked, Held]]) -> None:
        self.version, self._at, self._by_id = version, at, every
        self._accounts, self._keys, self._addresses = by
        self._ordered: dict[bool, Held] = {}

    @classmethod
    def load(cls, state: Decided, at: datetime | None = None) -> Standing:
        """What stands now (or at a time), from the state."""
        at = at or datetime.now(UTC)
        version, decisions = state.standing(at)
        return cls(version, decisions, at)

    def newer(self, state: Decided, at: datetime | None = None) -> Standing:
        """This snapshot where the state has not changed since, else a new one, of which only what changed is read.

        at: now, where it is not given.
        """
        version = state.version()
        if version == self.version:
            return self
        at = at or datetime.now(UTC)
        if version < self.version or at < self._at:  # another database, restored from an earlier copy; a clock set back
            return Standing.load(state, at)
        return self._after(state.turned(self.version, self._at, at), at)

    def _after(self, turned: Turned, at: datetime) -> Standing:
        """This snapshot with what changed. Tables are copied in one go of the interpreter (1 ms for 100,000), and then
        changed subject by subject."""
        gone = {one: held for one in turned.gone if (held := self._by_id.get(one)) is not None}
        new = {d.decision_id: d for d in turned.new if d.decision_id not in self._by_id}
        every = self._by_id.copy()
        for one in gone:
            del every[one]
        every |= new
        changed = [d for d in (*gone.values(), *new.values()) if not d.dry_run]
        by = [
            _with(held, [d for d in changed if d.subject_kind == kind], gone, new)
            for kind, held in (("account", self._accounts), ("key", self._keys), ("address", self._addresses))
        ]
        after = Standing.__new__(Standing)
        after._set(turned.version, at, every, by)
        after._measures = self._measures.copy()
        for decision in changed:
            after._measures[decision.measure] += -1 if decision.decision_id in gone else 1
        return after

    @property
    def measures(self) -> Mapping[Measure, int]:
        """How many decisions of each measure stand that are no dry run."""
        return self._measures

    def look_up(
        self, account: str | None, key: str | None = None, address: str | None = None, at: datetime | None = None
    ) -> Decision | None:
        """The hardest decision in force on the account or on this key of it; on the address, where no account is named.

        A named account has decisions of its own: what others did from its address is not held against it. None where
        none is in force; of equally hard ones, that which holds longest. Dry runs are never given: see `planned`.
        address: in the canonical text of `ipaddress`. at: now, where it is not given.
        """
        best: Decision | None = None
        for held in (
            (self._accounts.get(account), self._keys.get((account, key)) if key is not None else None)
            if account is not None
            else (self._addresses.get(address) if address is not None else None,)
        ):
            if held is None:
                continue
            at = at or datetime.now(UTC)
            for decision in held:
                if decision.created <= at < decision.expires:
                    if best is None or _weight(decision) > _weight(best):
                        best = decision
                    break
        return best

    def in_order(self, *, dry_run: bool = False) -> Held:
        """By id, for those who ask, which look-ups do not: those that are no dry run, or the dry runs alone."""
        if dry_run not in self._ordered:
            ids = [one for one, d in self._by_id.items() if d.dry_run is dry_run]
            # In pieces: sorting 100,000 at once would hold the interpreter's lock for 50 ms, and look-ups with it.
            pieces = [sorted(ids[at : at + PIECE]) for at in range(0, len(ids), PIECE)]
            self._ordered[dry_run] = tuple(self._by_id[one] for one in heapq.merge(*pieces))
        return self._ordered[dry_run]

    def __iter__(self) -> Iterator[Decision]:
        return iter(self.in_order())

    def __len__(self) -> int:
        """How many decisions stand that are no dry run, expired ones until the next load among them."""
        return self._measures.total()


def _with(
    held: dict[Asked, Held], changed: list[Decision], gone: Mapping[str, Decision], new: Mapping[str, Decision]
) -> dict[Asked, Held]:
    """A table without decisions that are gone, and with new ones; the table itself where nothing of it changed."""
    if not changed:
        return held
    after = held.copy()
    added: dict[Asked, list[Decision]] = defaultdict(list)
    for decision in changed:
        added[_asked(decision)] += [decision] if decision.decision_id in new else []
    for subject, fresh in added.items():
        kept = [d for d in held.get(subject, ()) if d.decision_id not in gone]
        after[subject] = _in_order([*kept, *fresh])
        if not after[subject]:
            del after[subject]
    return after
