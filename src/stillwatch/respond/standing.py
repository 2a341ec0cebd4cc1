"""What stands against whom, in memory: the one question that is asked at every request.

    standing = Standing.load(state)
    ...
    standing = standing.newer(state)            # every second or so: one small query, a new load only where needed
    decision = standing.look_up(account, key, address)

A snapshot never changes, so threads share it without locks, and replace it by assigning the newer one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from stillwatch.respond.decision import Decision


class Decided(Protocol):
    """Where decisions are kept: `stillwatch.respond.state.State`."""

    def version(self) -> int:
        """A number that grows with every change of what stands."""
        ...

    def standing(self, at: datetime) -> tuple[int, Iterable[Decision]]:
        """The version, and the decisions that were not ended and expire after `at`, dry runs among them."""
        ...


Held = tuple[Decision, ...]


def _weight(decision: Decision) -> tuple[int, datetime, str]:
    return decision.measure, decision.expires, decision.decision_id


def _by(kind: str, decisions: Iterable[Decision]) -> dict[str | tuple[str | None, str], Held]:
    """Decisions of one kind of subject by what they are looked up by, the hardest first."""
    held: dict[str | tuple[str | None, str], list[Decision]] = defaultdict(list)
    for decision in decisions:
        if decision.subject_kind == kind:
            held[(decision.account, decision.subject) if kind == "key" else decision.subject].append(decision)
    return {subject: tuple(sorted(of, key=_weight, reverse=True)) for subject, of in held.items()}


class Standing:
    """All decisions that stand, looked up by whom they are about. Iterates over those that are no dry run."""

    __slots__ = ("_accounts", "_addresses", "_keys", "_planned", "_real", "version")

    def __init__(self, version: int, decisions: Iterable[Decision]) -> None:
        """version: of the state that these decisions are of."""
        self.version = version
        every = sorted(decisions, key=lambda d: d.decision_id)
        self._planned = tuple(d for d in every if d.dry_run)
        self._real = tuple(d for d in every if not d.dry_run)
        self._accounts = _by("account", self._real)
        self._keys = _by("key", self._real)
        self._addresses = _by("address", self._real)

    @classmethod
    def load(cls, state: Decided, at: datetime | None = None) -> Standing:
        """What stands now (or at a time), from the state."""
        version, decisions = state.standing(at or datetime.now(UTC))
        return cls(version, decisions)

    def newer(self, state: Decided) -> Standing:
        """This snapshot where the state has not changed since, else a new one."""
        return self if state.version() == self.version else Standing.load(state)

    def look_up(
        self, account: str, key: str | None = None, address: str | None = None, at: datetime | None = None
    ) -> Decision | None:
        """The hardest decision in force on the account, on this key of it, or on the address; None where none is.

        Of equally hard ones, that which holds longest. Dry runs are never given: see `planned`. address: in the
        canonical text of `ipaddress`. at: now, where it is not given.
        """
        best: Decision | None = None
        for held in (
            self._accounts.get(account),
            self._keys.get((account, key)) if key is not None else None,
            self._addresses.get(address) if address is not None else None,
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

    def planned(self) -> Standing:
        """The dry runs as if they were real: what `look_up` would say, had dry run been off."""
        return Standing(self.version, [replace(d, dry_run=False) for d in self._planned])

    def __iter__(self) -> Iterator[Decision]:
        return iter(self._real)

    def __len__(self) -> int:
        """How many decisions stand that are no dry run, expired ones until the next load among them."""
        return len(self._real)
