"""Who of a group's accounts one hand runs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stillwatch.evidence import Link, Trait
from stillwatch.evidence.links import others_of
from stillwatch.evidence.weigh import JOINING_LIFT, Integers, Observation, Weighed, clusters
from stillwatch.pools.mixture import SETTLED, Mix
from stillwatch.pools.parts import MAIN

Floats = npt.NDArray[np.float64]
Edges = tuple[Integers, Integers]
Counted = npt.NDArray[Any]

# Turns of asking whom links join to the hand and whom the hand runs: it settles in two or three.
ROUNDS = 4
# Only accounts that are likelier than not run by the hand speak for others; else strangers would speak for each other.
LIKELY_HOLDER = 0.5
# Where the search begins: those already known or linked are nearly sure, the rest nearly not.
BEFORE = (0.9, 0.1)


# An account's exchanges are not independent draws of its jobs: they count as four at most, and content moves membership
# by no more than six bits (64 to 1), so that it never decides alone what the links contradict. Of an account that was
# already found to be the hand's it takes three at most, since a hand may well give some accounts jobs of their own.
DRAWS, CONTENT_BITS, AGAINST_KNOWN = 4.0, 6.0, 3.0
# Content alone accuses an account only where it runs at least three jobs that hardly anybody but the pool runs (19 in
# 20 of the others who run them are linked), and they are most of what it does. One such job may be a public pipeline
# of several steps that few use; a stranger who runs three of a pool's own jobs is not met.
PRIVATE, LEAST_PRIVATE, MAIN_BUSINESS = 0.95, 3, 0.5
# Of three jobs that eight and more others run, nine in ten of them linked, that is said by so many that they need not
# be most of what it does, only more than in passing: relayed customers and the holder of a stolen key have business of
# their own. On 27 worlds looked at while building this held of 30 accounts of the campaign, of 5 whose key was stolen,
# and of nobody else whom the links did not speak against.
MANY, NEARLY_ALL = 8, 0.9
# An account that gives the group's jobs less than one exchange in ten runs them in passing. Pools that relay customers
# still give their jobs about half (the disclosed mixtures), so members hardly ever do; of strangers nothing is known.
IN_PASSING, STRANGERS_IN_PASSING = 0.1, 0.5
# The links of one account to the hand must be worth a bit (2 to 1) in sum to count as joining it: less is what an hour
# or a block is worth that outsiders share as well.
JOINED_BITS = 1.0
# A job tells something of whoever runs it where it is a main one of a quarter of the others, so that those who met some
# of its text by chance do not hide whose job it is.
MAINLY = 0.25
# The most that the machine holds of an account that only a person may accuse: short of likelier than not.
FOR_A_PERSON = 0.49


@dataclass(frozen=True, slots=True)
class _Told:
    """Whom a view joins to the hand.

    flags: for each member 1 (joined), 0, or -1 without data. outsiders: who else would be joined, of so many with data.
    """

    flags: npt.NDArray[np.int8]
    outsiders: Integers
    of: int

    @property
    def rate(self) -> float:
        """The rate at which outsiders would be joined (Jeffreys' estimate)."""
        return (len(self.outsiders) + 0.5) / (self.of + 1.0)

    def either(self, other: _Told) -> _Told:
        """Joined by one or the other."""
        return _Told(
            np.maximum(self.flags, other.flags), np.union1d(self.outsiders, other.outsiders), max(self.of, other.of)
        )

    def tells(self, r: Floats) -> float:
        """Bits, on the mean, by which it tells an account that the hand runs from an outsider (Kullback and Leibler
        1951), if the hand runs each member with probability r."""
        known = (self.flags >= 0) & (r >= LIKELY_HOLDER)
        share = ((self.flags[known] == 1).sum() + 1.0) / (known.sum() + 2.0)
        if share <= self.rate:
            return 0.0
        return float(share * np.log2(share / self.rate) + (1 - share) * np.log2((1 - share) / (1 - self.rate)))


class _Ties:
    """Whom one kind of link joins to the hand in a group: what stays the same while the hand is looked for, and what
    does not.

    owner: a number for each member's declared owner.
    """

    def __init__(self, group: Weighed, kind: str, owner: Integers) -> None:
        held = group.held[kind]
        self._row, joining = held.reach.joining(held.members)
        self._members, self._known = group.members, held.reach.everybody
        self._holder, self._ends = held.reach.by_value
        self._data = group.hits[kind] >= 0
        self._of_row = owner[self._row]
        self._values, self._value = np.unique(joining, return_inverse=True)
        # A pair of value and owner as one number: sorting pairs as such takes much longer.
        self._pair = np.unique(self._value * (int(owner.max(initial=0)) + 1) + self._of_row, return_inverse=True)[1]
        self._owner = owner
        everywhere = np.diff(self._ends, prepend=0)[self._values]
        self._outside = everywhere - np.bincount(self._value, minlength=len(self._values))
        self._met: dict[bytes, Integers] = {}

    def joined(self, r: Floats) -> tuple[_Told, Edges]:
        """Whom the link joins, if the hand runs each member with probability r; and the edges that join (members' rows
        and values, numbered from 0).

        A value joins an account to the hand where the hand's other accounts hold it `JOINING_LIFT` times as often as
        all others do; the account itself is left out on both sides, so that members and outsiders are held to one
        standard. Accounts of one declared owner do not speak for each other: what an organisation openly shares joins
        it to nobody.
        """
        row, value = self._row, self._value
        weight = np.where(r[row] >= LIKELY_HOLDER, r[row], 0.0)
        hand = np.bincount(value, weights=weight, minlength=len(self._values))
        others = np.bincount(value, weights=1 - weight, minlength=len(self._values)) + self._outside
        likely = np.where(r >= LIKELY_HOLDER, r, 0.0) * self._data
        run = float(likely.sum())
        theirs = np.bincount(self._owner, weights=likely)[self._of_row]
        same = np.bincount(self._pair, weights=weight)[self._pair] if len(row) else weight
        rest = self._known - run + 1
        kept = _telling(hand[value] - same, np.maximum(1.0, run - theirs), others[value] - (1 - weight), rest)
        flags = np.where(self._data, 0, -1).astype(np.int8)
        flags[row[kept]] = 1
        # All outsiders who hold a value are alike: none of them is the hand's, each is its own owner.
        met = self._outsiders(_telling(hand, max(1.0, run), others - 1, rest) & (self._outside > 0))
        return _Told(flags, met, self._known - int(self._data.sum())), (row[kept], value[kept])

    def _outsiders(self, values: npt.NDArray[np.bool_]) -> Integers:
        """Who else holds some of the values."""
        asked = values.tobytes()
        if asked not in self._met:
            self._met[asked] = others_of(self._values[values], self._ends, self._holder, self._members)
        return self._met[asked]


def _telling(hand: Counted, of_hand: Counted | float, others: Counted, rest: float) -> npt.NDArray[np.bool_]:
    """Values that the hand's other accounts hold `JOINING_LIFT` times as often as all others do."""
    lift = (hand / of_hand) / ((others + 0.5) / rest)
    return np.asarray((hand > 0) & (lift >= JOINING_LIFT))


def _views(group: Weighed, owner: Integers) -> list[list[tuple[Observation, _Ties]]]:
    """The links of each view, those with the most bits first."""
    views: dict[str, list[tuple[Observation, _Ties]]] = defaultdict(list)
    for seen in sorted(group.observations, key=lambda o: (-o.bits, o.kind.name)):
        if isinstance(seen.kind, Link):
            views[seen.kind.view].append((seen, _Ties(group, seen.kind.name, owner)))
    return [views[view] for view in sorted(views)]


def _told(group: Weighed, views: list[list[tuple[Observation, _Ties]]], r: Floats, *, sure: bool) -> list[_Told]:
    """Whom the group's views join to the hand, if the hand runs each member with probability r.

    Kinds of one view depend on each other (an address lies in its block), so a view speaks once: an account is joined
    by it where one of its kinds joins it, and a kind that would mostly add outsiders is left out. Where members are
    known (sure) a kind must join them; else the group as a whole must show it, which is no guide where most of it may
    be strangers. Content has a term of its own in `membership`.
    """
    found = []
    for kinds in views:
        best: _Told | None = None
        for seen, ties in kinds:
            joined, _ = ties.joined(r)
            known = joined.flags[(r >= LIKELY_HOLDER) & (joined.flags >= 0)]
            share = ((known == 1).sum() + 1.0) / (len(known) + 2.0)
            if not (np.log2(share / joined.rate) > JOINED_BITS if sure else seen.bits > 0):
                continue
            both = joined if best is None else best.either(joined)
            if best is None or both.tells(r) > best.tells(r):
                best = both
        if best is not None:
            found.append(best)
    if not sure:
        for seen in group.observations:
            if isinstance(seen.kind, Trait) and seen.bits > 0:
                outsiders = np.arange(seen.counts["outsiders_hit"])
                found.append(_Told(group.hits[seen.kind.name], outsiders, seen.counts["outsiders"]))
    return found


@dataclass(frozen=True, slots=True)
class Business:
    """What a group's members do: who sends how much of which of the group's jobs.

    row, job, exchanges: aligned, one entry a member (its row) and job (numbered from 0). everything: exchanges of each
    member in all. contracted: members that have a contract. owner: a number for each member's declared organisation,
    one of its own where it declares none. known: members that the hand was already found to run.
    """

    row: Integers
    job: Integers
    exchanges: Floats
    everything: Integers
    contracted: npt.NDArray[np.bool_]
    owner: Integers
    known: npt.NDArray[np.bool_]

    def _by_member(self, values: Floats) -> Floats:
        return np.asarray(np.bincount(self.row, weights=values, minlength=len(self.everything)), np.float64)

    def _by_job(self, values: Floats) -> Floats:
        return np.asarray(np.bincount(self.job, weights=values), np.float64)

    def in_passing(self) -> npt.NDArray[np.bool_]:
        """Members of whose exchanges fewer than `IN_PASSING` are the group's jobs."""
        return np.asarray(self._by_member(self.exchanges) < IN_PASSING * self.everything)

    def mix(self) -> Mix:
        """What of this content is asked of."""
        total = self._by_member(self.exchanges)
        return Mix(
            np.ascontiguousarray(self.row, np.int64),
            np.ascontiguousarray(self.job, np.int64),
            np.ascontiguousarray(self.exchanges, np.float64),
            int(self.job.max(initial=0)) + 1,
            total,
            np.minimum(total, DRAWS),
            self._by_member(self._told().astype(np.float64)),
            -np.where(self.known, AGAINST_KNOWN, CONTENT_BITS) * np.log(2),
            CONTENT_BITS * np.log(2),
        )

    def _told(self) -> npt.NDArray[np.bool_]:
        """Entries whose job is a main one of `MAINLY` of the others that run it. What others send in passing is mostly
        text met by chance, and says nothing of who sends it as well."""
        main = (self.exchanges >= MAIN * self._by_member(self.exchanges)[self.row]).astype(np.float64)
        others = self._by_job(np.ones(len(self.row)))[self.job] - 1
        return np.asarray((others > 0) & (self._by_job(main)[self.job] - main >= MAINLY * others))

    def runs_their_own(self, linked: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Members that run `LEAST_PRIVATE` jobs or more that only linked accounts run beside them: mainly those, or,
        where many run each, not just in passing."""
        one = np.ones(len(self.row))
        joined = linked[self.row].astype(np.float64)
        others = self._by_job(one)[self.job] - 1
        theirs = (self._by_job(joined)[self.job] - joined) * self._told()
        found = np.zeros(len(self.everything), np.bool_)
        for private, share in (
            ((others > 0) & (theirs >= PRIVATE * others), MAIN_BUSINESS),
            ((others >= MANY) & (theirs >= NEARLY_ALL * others), IN_PASSING),
        ):
            enough = self._by_member(self.exchanges * private) >= share * self.everything
            found |= (self._by_member(one * private) >= LEAST_PRIVATE) & enough
        return found


def hands(group: Weighed) -> list[Integers]:
    """The clusters of two or more accounts that links join, the largest first: each may be a hand of its own.

    Only links with positive bits join; of equal clusters the one with the earlier account comes first.
    """
    everyone = np.ones(len(group.members))
    rows, values, start = [], [], 0
    for seen in group.observations:
        if isinstance(seen.kind, Link) and seen.bits > 0:
            _, (row, value) = _Ties(group, seen.kind.name, np.arange(len(group.members))).joined(everyone)
            # Values of different kinds must not meet: each kind's are numbered on from the last one's.
            rows.append(row)
            values.append(value + start)
            start += int(value.max(initial=-1)) + 1
    if not sum(map(len, rows)):
        return []
    joined, label = clusters(group.members[np.concatenate(rows)], np.concatenate(values))
    found = [joined[label == n] for n in np.unique(label)]
    return sorted((c for c in found if len(c) > 1), key=lambda c: (-len(c), tuple(c)))


def _start(group: Weighed, known: npt.NDArray[np.bool_]) -> Floats:
    """Where the search for members begins: with those already known, else with the largest cluster, else with all."""
    clusters_found = hands(group)
    if not known.any() and not clusters_found:
        return np.full(len(group.members), 0.5)
    first = known if known.any() else np.isin(group.members, clusters_found[0])
    return np.where(first, *BEFORE)


def membership(group: Weighed, business: Business) -> Floats:
    """For each of the group's members, the probability that the hand runs it, given that a hand runs some of them.

    A mixture of two classes (Dempster, Laird and Rubin 1977): accounts that the hand runs are hit by each kind of
    evidence at a rate of their own, strangers who carry the same job at the outsiders' rate. Both the share of run
    accounts and their rates are estimated, from a uniform prior. An account without data for a kind is not moved by it.
    Whom a link joins depends on whom the hand runs, so both are found by turns.

    Content is hardly ever enough by itself: an account that the links do not join is held below likely unless it
    runs several of the pool's own jobs; and so is every contracted account, of which a person decides.
    Shape: aligned with members.
    """
    r = _start(group, business.known)
    views = _views(group, np.unique(business.owner, return_inverse=True)[1])
    mix, in_passing = business.mix(), business.in_passing()
    for turn in range(ROUNDS):
        told = _told(group, views, r, sure=bool(business.known.any()))
        if not told:
            return np.ones(len(group.members)) if not turn else r
        before = r
        flags = np.stack([*(t.flags for t in told), np.where(in_passing, 0, 1).astype(np.int8)])
        r, linked = mix.settled(flags, np.array([*(t.rate for t in told), STRANGERS_IN_PASSING]), r)
        by_links = linked >= JOINED_BITS * np.log(2)
        held = ~(by_links | business.runs_their_own(by_links)) | business.contracted
        r = np.where(held, np.minimum(r, FOR_A_PERSON), r)
        if np.abs(r - before).max() < SETTLED:
            break
    return r
