"""From a few accounts to those that stand near them: rounds of asking what joins an account to those found so far.

What a value that somebody found already holds says of another account that holds it is a likelihood ratio in bits: how
much commoner the value is among those found than among everybody else, the account itself left out on both sides
(Laplace's rule inside, Jeffreys' outside). So a popular value is worth little without any list of them; and the more
accounts are found, the less a value is worth that only one of them holds, which keeps a hunt from wandering off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.evidence.kind import VIEW_CAP
from stillwatch.evidence.weigh import JOINING_LIFT, Integers
from stillwatch.hunt.links import Bools, Held
from stillwatch.pools.communities import JOINING, LIKELY_POOL
from stillwatch.pools.membership import CONTENT_BITS, JOINED_BITS

Floats = npt.NDArray[np.float64]
# What moves many strangers at once (a launch, a class, a public pipeline) moves content, registration, timing and
# adaptation together. In sum they give no more than content does elsewhere, and at most half of what is needed: the
# rest must come from views that name a hand by themselves.
ACCOMPANYING = 0.5
# Families, offices and chance share one thing; whoever is joined by one view alone is named among the next.
VIEWS = 2


@dataclass(frozen=True, slots=True)
class Reason:
    """One value that joins an account to those found: kind and value index the links; found of so many found hold it,
    holders of known accounts do."""

    account: int
    kind: int
    value: int
    bits: float
    found: int
    of_found: int
    through: int


@dataclass(frozen=True, slots=True)
class Weighed:
    """Every account against a set of accounts: bits in all, those of views that can join, how many views speak for it,
    and log2 odds."""

    bits: Floats
    joining: Floats
    views: Integers
    odds: Floats

    @property
    def near(self) -> Bools:
        """Accounts likelier than not under the set's hand, by more than what accompanies a hand."""
        return np.asarray((self.odds >= 0) & (self.joining >= JOINED_BITS) & (self.views >= VIEWS))


def prior_bits(accounts: int) -> float:
    """What must be overcome: log2 odds against any one account of so many."""
    return float(np.log2(max(2.0, accounts / LIKELY_POOL)))


def value_bits(held: Held, found: Bools) -> Floats:
    """Bits of each row of `held` for its account standing with those found; 0 where the value joins nobody."""
    inside = found[held.account].astype(np.int64)
    with_data = int(found[np.unique(held.account)].sum())
    carriers = np.bincount(held.value, weights=inside, minlength=len(held.holders))[held.value]
    others = held.holders[held.value] - carriers - (1 - inside)
    strangers = (others + 0.5) / np.maximum(held.known - with_data - (1 - inside) + 1.0, 1.0)
    hand = (carriers - inside + 1.0) / (with_data - inside + 2.0)
    bits = np.where(carriers - inside > 0, np.log2(hand / np.minimum(strangers, 1.0)), 0.0)
    return np.where(bits >= np.log2(JOINING_LIFT), np.minimum(bits, VIEW_CAP), 0.0)


def kind_bits(held: Held, found: Bools) -> Floats:
    """Bits of each account from all its values of a kind: the mean of their e-values, since whoever holds many values
    has as many chances to share one; values that join nobody add nothing to the mean."""
    bits = value_bits(held, found)
    e = np.where(bits > 0, np.exp2(bits), 0.0) / held.values
    mean = np.bincount(held.account, weights=e, minlength=len(found))
    return np.log2(np.maximum(mean, 1.0))


def weighed(held: Sequence[Held], found: Bools) -> Weighed:
    """Weigh every account against those found. Of a view the mean of its kinds' e-values counts, as kinds of a view
    depend on each other (Vovk and Wang 2021); views add."""
    e: dict[str, Floats] = {}
    told: dict[str, Floats] = {}
    for one in held:
        if one.trace.view:
            data = np.zeros(len(found))
            data[one.account] = 1.0
            e[one.trace.view] = e.get(one.trace.view, 0.0) + data * np.exp2(kind_bits(one, found))
            told[one.trace.view] = told.get(one.trace.view, 0.0) + data
    views = {v: np.log2(np.maximum(e[v] / np.maximum(told[v], 1.0), 1.0)) for v in e}
    nothing = np.zeros(len(found))
    joining = sum((bits for view, bits in views.items() if view in JOINING), nothing)
    others = sum((bits for view, bits in views.items() if view not in JOINING), nothing)
    several = sum(((bits >= JOINED_BITS).astype(np.int64) for bits in views.values()), np.zeros(len(found), np.int64))
    prior = prior_bits(len(found))
    total = joining + np.minimum(others, min(CONTENT_BITS, ACCOMPANYING * prior))
    return Weighed(total, joining, several, total - prior)


def reasons(held: Sequence[Held], found: Bools, order: Integers, account: int) -> list[Reason]:
    """What joins one account to those found, the most telling value of each kind, most bits first.

    order: by account, a rank in which those found earlier come first; the first holder is named.
    """
    given = []
    for kind, one in enumerate(held):
        rows = np.flatnonzero(one.account == account)
        if not one.trace.view or not len(rows):
            continue
        bits = value_bits(one, found)[rows]
        if bits.max() <= 0:
            continue
        at = rows[int(np.argmax(bits))]
        holders = one.account[one.value == one.value[at]]
        holders = holders[found[holders] & (holders != account)]
        others = found & (np.arange(len(found)) != account)
        given.append(
            Reason(
                account,
                kind,
                int(one.value[at]),
                float(bits.max()),
                len(holders),
                int(others[np.unique(one.account)].sum()),
                int(holders[np.argmin(order[holders])]),
            )
        )
    return sorted(given, key=lambda r: (-r.bits, r.kind))


@dataclass(frozen=True, slots=True)
class Expansion:
    """found: round in which each account was found, 0 for those begun with, -1 for the rest. weighed: every account
    against all that were found, itself left out. stopped: why it ended."""

    found: Integers
    weighed: Weighed
    stopped: str


def core(held: Sequence[Held], begun: Bools) -> Bools:
    """Of the accounts begun with, those that stand near another of them; all where none does, or where there is one."""
    if begun.sum() < 2:
        return begun
    near = weighed(held, begun).near & begun
    return near if near.any() else begun


def expand(held: Sequence[Held], begun: Bools, rounds: int) -> Expansion:
    """Begin with some accounts and add, round by round, those likelier than not under the same hand.

    It ends with the round that changes nobody, or after so many rounds.
    """
    number = np.where(begun, 0, -1)
    found = core(held, begun)
    given = found
    stopped = f"after {rounds} rounds, as was asked"
    for turn in range(1, rounds + 1):
        grown = found | weighed(held, found).near
        # Whom the others found since do not bear out stood near one of them by accident.
        kept = grown & (given | weighed(held, grown).near)
        if (kept == found).all():
            stopped = f"round {turn} changed nobody"
            break
        number[kept & (number < 0)] = turn
        found = kept
    number[~found & ~begun] = -1
    return Expansion(number, weighed(held, found | begun), stopped)
