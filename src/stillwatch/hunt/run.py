"""One hunt over a scan's result: the seed, what stands near it, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stillwatch.enrich import Gear
from stillwatch.hunt.expand import Expansion, Reason, expand, prior_bits, reasons
from stillwatch.hunt.links import Held, Links, read_links
from stillwatch.hunt.seeds import Seed, seed_of
from stillwatch.store.key import FILE, read_key

# Of accounts that are not likely, as many as a reader compares; further down is chance.
NEAREST = 10
# Pools of some thousand accounts were found whole in two to four rounds on the worlds looked at while building; a hunt
# that is still growing then follows something that is common to many.
ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Why:
    """One value that an account shares with those found. found of of_found, and holders of known accounts, hold it;
    through: the one found first of them."""

    kind: str
    view: str
    value: str
    bits: float
    statement: str
    through: str
    holders: int
    known: int
    found: int
    of_found: int
    explained_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Near:
    """An account and how near it stands. round: in which it was found, 0 for what the seed stands for, None where it
    was not. probability: that it is under one hand with the rest, from stated priors. explained_by: rivals that every
    reason would be as likely under. The scan's own finding is repeated."""

    account_id: str
    round: int | None
    bits: float
    probability: float
    why: tuple[Why, ...]
    explained_by: tuple[str, ...]
    verdict: str
    scan_probability: float
    campaign_id: str | None


@dataclass(frozen=True, slots=True)
class Hunt:
    """What came of a hunt. near: those found, the nearest first, those of the seed among them. next: the nearest of
    those that are not likely. known: of how many accounts a value as the seed is known, 0 where it is none."""

    seed: str
    what: str
    known: int
    accounts: int
    prior_bits: float
    rounds: int
    stopped: str
    near: tuple[Near, ...]
    next: tuple[Near, ...]

    @property
    def begun(self) -> int:
        """How many accounts the seed stands for."""
        return sum(n.round == 0 for n in self.near)


def hunt(
    folder: Path, subject: str, *, rounds: int = ROUNDS, key_file: Path | None = None, store: Path | None = None
) -> Hunt:
    """Expand from `subject` over the result in `folder`.

    key_file, store: where the key of the scan's sketch lies, needed to find a value by its clear form where the scan
    had a secret one. Raises InputError where folder, key or subject are of no use.
    """
    links = read_links(folder)
    where = key_file or (store / FILE if store else None)
    seed = seed_of(links, folder, subject, Gear.from_key(read_key(where)) if where else Gear.from_key())
    begun = np.zeros(len(links.accounts), np.bool_)
    begun[seed.accounts] = True
    return _told(links, seed, expand(links.held, begun, rounds))


def _told(links: Links, seed: Seed, made: Expansion) -> Hunt:
    found = made.found >= 0
    ranked = np.lexsort((np.arange(len(found)), -made.weighed.odds))
    order = np.empty(len(found), np.int64)
    # Whom an account is said to be joined through: one of the earliest round, the nearest of these.
    order[np.lexsort((-made.weighed.odds, np.where(found, made.found, len(found))))] = np.arange(len(found))
    near = [n for n in ranked if found[n]]
    others = [n for n in ranked if not found[n] and made.weighed.bits[n] > 0][:NEAREST]
    tell = {int(n): _near(links, made, found, order, int(n)) for n in [*near, *others]}
    return Hunt(
        seed.id,
        seed.what,
        seed.known,
        len(found),
        prior_bits(len(found)),
        int(made.found.max()),
        made.stopped,
        tuple(tell[int(n)] for n in near),
        tuple(tell[int(n)] for n in others),
    )


def _near(links: Links, made: Expansion, found: np.ndarray, order: np.ndarray, number: int) -> Near:
    given = reasons(links.held, found, order, number)
    standing = links.accounts[number]
    why = tuple(_why(links, links.held[r.kind], r) for r in given)
    odds = float(made.weighed.odds[number])
    all_explain = set.intersection(*(set(w.explained_by) for w in why)) if why else set()
    return Near(
        standing.account_id,
        int(made.found[number]) if made.found[number] >= 0 else None,
        round(float(made.weighed.bits[number]), 3),
        round(1 / (1 + 2.0**-odds), 6),
        why,
        tuple(sorted(all_explain)),
        standing.verdict,
        standing.probability,
        standing.campaign_id,
    )


def _why(links: Links, held: Held, reason: Reason) -> Why:
    holders = int(held.holders[reason.value])
    return Why(
        held.trace.name,
        held.trace.view,
        held.names[reason.value],
        round(reason.bits, 3),
        f"{reason.found:,} of the other {reason.of_found:,} found hold it, {holders:,} of {held.known:,} in all",
        links.accounts[reason.through].account_id,
        holders,
        held.known,
        reason.found,
        reason.of_found,
        tuple(sorted(held.trace.explained_by)),
    )
