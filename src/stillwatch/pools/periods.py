"""Campaigns of one pool that its accounts ran apart for a time: told by when each account turned to which job.

Organisations that share a pool run through the same accounts in the end, so accounts and jobs alone join them. One that
moved there, or came later, was run apart before: then jobs and accounts fall into parts that have nothing in common.
That may be chance, where few were at work. If one hand gave its accounts the jobs of both parts, it does not matter
when an account did which: shuffling the times of what each account sent leaves the parts apart as often. If that joins
them, they were kept apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.evidence.weigh import Integers
from stillwatch.pools.parts import LEAST_ACCOUNTS, MAIN, Part, tied

# A pool's traffic is looked at in as many slices as shows a move to a twelfth of it: every period that begins with the
# first slice or ends with the last.
SLICES = 12
# Times are shuffled so often, which tells the chance that an account joins two parts to within a tenth.
SHUFFLES = 40
# Two parts were kept apart where shuffled times would leave them so in one of a thousand pools at most, for all periods
# looked at together (Bonferroni).
CHANCE = 0.001
# The shuffles' own draws; the same traffic and seed give the same campaigns.
SEED = 1

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sent:
    """What a pool's accounts send of its jobs: aligned, one entry an account, job and hour. main: whether the job is
    one of the account's `main_jobs`."""

    account: Integers
    job: Integers
    hour: Integers
    exchanges: Integers
    main: Flags

    def of(self, chosen: Flags) -> Sent:
        """The entries chosen."""
        return Sent(
            self.account[chosen], self.job[chosen], self.hour[chosen], self.exchanges[chosen], self.main[chosen]
        )


def run_apart(sent: Sent) -> list[Part]:
    """The campaigns of a pool that were run apart for a time: accounts and jobs of each, ascending, the largest first;
    one where none were.

    Of all periods the one counts that sets most exchanges apart from its largest part. An account may be of several.
    """
    accounts, row = np.unique(sent.account, return_inverse=True)
    jobs, column = np.unique(sent.job, return_inverse=True)
    whole = [(accounts, jobs)]
    if len(accounts) < 2 * LEAST_ACCOUNTS:
        return whole
    here = Sent(row, column, sent.hour, sent.exchanges, sent.main)
    when = _slices(here)
    best: list[Integers] = []
    most = 0
    for inside in [when < n for n in range(1, SLICES)] + [when >= n for n in range(1, SLICES)]:
        several = _kept_apart(here, inside)
        sizes = [int(here.exchanges[inside & np.isin(here.job, own)].sum()) for own in several]
        if sum(sizes) - max(sizes, default=0) > most:
            best, most = several, sum(sizes) - max(sizes)
    if not best:
        return whole
    return [(accounts[members], jobs[own]) for members, own in _dealt(here, when, best)]


def _slices(sent: Sent) -> Integers:
    """For each entry the slice of the pool's traffic, in order of time, that it is in."""
    _, which = np.unique(sent.hour, return_inverse=True)
    in_hour = np.bincount(which, weights=sent.exchanges).astype(np.int64)
    before = np.cumsum(in_hour) - in_hour
    return np.asarray((before * SLICES // in_hour.sum())[which], np.int64)


def _kept_apart(sent: Sent, inside: Flags) -> list[Integers]:
    """The jobs of each part of a period that can be told from the others by more than chance."""
    found = [own for _, own in tied(sent.account, sent.job, sent.main & inside)]
    label = np.arange(len(found))
    for a in range(len(found)):
        for b in range(a):
            apart = label[a] != label[b]
            if apart and _by_chance(sent, inside, found[a], found[b]) > CHANCE / (2 * SLICES - 2):
                label[label == max(label[a], label[b])] = min(label[a], label[b])
    return [np.concatenate([found[n] for n in np.flatnonzero(label == one)]) for one in np.unique(label)]


def _by_chance(sent: Sent, inside: Flags, first: Integers, second: Integers) -> float:
    """The probability that no account would join two parts of a period (their jobs) if each did jobs of both in any
    order: accounts are shuffled each by itself, so it is the product of their chances."""
    theirs = sent.main & np.isin(sent.job, np.concatenate([first, second]))
    here = sent.of(theirs)
    of_second = np.isin(here.job, second)
    joins = np.zeros(int(sent.account.max()) + 1)
    for chosen in _shuffled(here, inside[theirs]):
        runs = np.zeros((len(joins), 2), np.bool_)
        runs[here.account[chosen], of_second[chosen].astype(np.int8)] = True
        joins += runs.all(axis=1)
    return float(np.prod(1 - np.minimum(joins / SHUFFLES, 1 - 0.5 / SHUFFLES)))


def _shuffled(sent: Sent, inside: Flags) -> Iterator[Flags]:
    """Which entries stand in a period once each account's entries are dealt its own times in another order."""
    draw = np.random.default_rng(SEED)
    place = np.argsort(sent.account, kind="stable")
    account = sent.account[place]
    for _ in range(SHUFFLES):
        there = np.empty(len(inside), np.bool_)
        there[place[np.lexsort((draw.random(len(place)), account))]] = inside[place]
        yield there


def _dealt(sent: Sent, when: Integers, found: list[Integers]) -> list[Part]:
    """All jobs and accounts dealt out to parts that were told apart in one period.

    Another job goes to the part whose jobs the same accounts send at the same times: by the likelihood of the slices in
    which each account sends it, given those in which the account sends the part's jobs. Each slice counts once, as what
    is sent within one hangs together.
    """
    size, jobs = int(sent.account.max()) + 1, int(sent.job.max()) + 1
    part_of = np.full(jobs, -1)
    for number, own in enumerate(found):
        part_of[own] = number
    part = part_of[sent.job]
    fit = np.zeros((jobs, len(found)))
    account, job, at = np.unique(np.stack([sent.account, sent.job, when]), axis=1)
    _, once = np.unique(np.stack([account, job]), axis=1, return_index=True)
    for number in range(len(found)):
        there = np.zeros((size, SLICES))
        there[sent.account[part == number], when[part == number]] = 1.0
        runs = there.any(axis=1)
        who = np.log((runs + 0.5) / (runs.sum() + 0.5 * size))
        slices = np.log((there + 0.5) / (there.sum(axis=1, keepdims=True) + 0.5 * SLICES))
        np.add.at(fit[:, number], job, slices[account, at])
        np.add.at(fit[:, number], job[once], who[account[once]])
    part_of = np.where(part_of >= 0, part_of, fit.argmax(axis=1))
    total = np.zeros((size, len(found)))
    np.add.at(total, (sent.account, part_of[sent.job]), sent.exchanges)
    runs = total >= MAIN * np.maximum(total.sum(axis=1, keepdims=True), 1)
    several = [(np.flatnonzero(runs[:, n]), np.flatnonzero(part_of == n)) for n in range(len(found))]
    return sorted(several, key=lambda one: (-len(one[0]), tuple(one[0])))
