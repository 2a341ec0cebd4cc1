"""The figures of one judged scan, or of several together: what the table, the JSON and the page tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from stillwatch import __version__
from stillwatch.evaluate import calibration
from stillwatch.evaluate.calibration import ACCUSED, Bin, Sums
from stillwatch.evaluate.campaigns import FoundCampaign, TrueCampaign
from stillwatch.evaluate.cited import Deleted
from stillwatch.evaluate.judged import Accounts, Exchanges, Judged
from stillwatch.evaluate.measures import Ints, average_precision, curve, ratio, recall_at, upper_bound
from stillwatch.evaluate.overlap import BCubed
from stillwatch.evaluate.timeline import Timeline

Interval = tuple[float, float] | None

# The rate of false positives at which recall is compared between detectors: one innocent in a thousand.
FALSE_RATE = 0.001
# A curve of 400 points is as smooth as a page shows it.
CURVE_POINTS = 400


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """Accounts at probability 0.5, and by rank."""

    judged: int
    unlabelled: int
    guilty: int
    accused: int
    right: int
    precision: float | None
    precision_interval: Interval
    recall: float | None
    recall_interval: Interval
    average_precision: float | None
    recall_at_one_in_a_thousand: float | None


@dataclass(frozen=True, slots=True)
class ExchangeFigures:
    """Exchanges at probability 0.5, and by rank; mixed: on accounts that send campaign and other traffic."""

    judged: int
    true: int
    found: int
    right: int
    precision: float | None
    recall: float | None
    average_precision: float | None
    mixed_accounts: int
    mixed_found: int
    mixed_right: int
    mixed_precision: float | None


@dataclass(frozen=True, slots=True)
class TheftFigures:
    """Stolen keys: their exchanges, and what became of their holders."""

    exchanges: int
    found: int
    share_found: float | None
    victims: int
    named: int
    share_named: float | None
    accused: int


@dataclass(frozen=True, slots=True)
class OverlapFigures:
    """Overlapping B-cubed of found and true groups."""

    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class FalseGroups:
    """Found campaigns of whose accused more than half are not guilty, and how many there might be at most.

    upper_bound: a one-sided 95% Clopper-Pearson limit, for each account looked at that is not guilty.
    """

    found: int
    false: int
    accounts: int
    upper_bound: float | None


@dataclass(frozen=True, slots=True)
class Population:
    """Accounts of one population and role, and how many of them are accused or named as victims."""

    population: str
    role: str
    accounts: int
    accused: int
    share_accused: float | None
    named_victims: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Whether the accounts' probabilities mean what they say.

    log_loss_ratio: against that of the best constant. reliability_error: the mean distance between probability and
    share of guilty over the bins, by accounts; of the accounts with a probability within 0.01 to 0.99.
    """

    log_loss: float | None
    constant_log_loss: float | None
    log_loss_ratio: float | None
    log_loss_ratio_interval: Interval
    reliability_error: float | None
    reliability_error_interval: Interval
    within: int
    bins: list[Bin]
    campaigns_drawn: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The whole document."""

    stillwatch_version: str
    worlds: list[str]
    accounts: AccountFigures
    exchanges: ExchangeFigures
    theft: TheftFigures
    overlap: dict[str, OverlapFigures]
    campaigns: list[TrueCampaign]
    found: list[FoundCampaign]
    false_groups: FalseGroups
    populations: list[Population]
    calibration: Calibration
    curves: dict[str, list[tuple[float, float]]]
    timeline: Timeline | None = None
    deleted: list[Deleted] | None = None
    notes: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return asdict(self)


def together(judged: Sequence[Judged]) -> Evaluation:
    """The figures of one world, or of several as if they were one: counts are summed, then divided.

    Where there are several, campaigns are named by world.
    """
    accounts, exchanges = _accounts(judged), _exchanges([j.exchanges for j in judged])
    names = sorted({name for j in judged for name in j.overlaps})
    overlaps = {n: sum((j.overlaps[n] for j in judged if n in j.overlaps), BCubed()) for n in names}
    found = [f for j in judged for f in _named(j, j.found, len(judged))]
    sums = calibration.figures(calibration.features(accounts.probability, accounts.guilty).sum(0))
    limits = calibration.intervals(accounts.probability, accounts.guilty, accounts.block, accounts.is_campaign)
    return Evaluation(
        __version__,
        [j.world for j in judged],
        _account_figures(accounts, sum(j.unlabelled for j in judged), sums, limits),
        _exchange_figures(exchanges),
        _theft(accounts, exchanges),
        {n: OverlapFigures(o.mean_precision, o.mean_recall, o.f1) for n, o in overlaps.items()},
        [c for j in judged for c in _named(j, j.campaigns, len(judged))],
        found,
        _false_groups(found, int((~accounts.guilty).sum())),
        _populations(accounts),
        _calibration(accounts, sums, limits),
        {
            "accounts": _curve(accounts.probability, *_sides(accounts)),
            "exchanges": _curve(exchanges.probability, exchanges.right, exchanges.wrong),
        },
        notes=[note for j in judged for note in j.notes],
    )


def _named(judged: Judged, campaigns: Sequence[Any], worlds: int) -> list[Any]:
    if worlds == 1:
        return list(campaigns)
    return [replace(c, campaign=f"{judged.world}/{c.campaign}") for c in campaigns]


def _accounts(judged: Sequence[Judged]) -> Accounts:
    parts = [j.accounts for j in judged]
    shift = np.cumsum([0, *(len(p.is_campaign) for p in parts)])
    return Accounts(
        np.concatenate([p.probability for p in parts]),
        np.concatenate([p.guilty for p in parts]),
        np.concatenate([p.victim for p in parts]),
        np.concatenate([p.named_victim for p in parts]),
        [name for p in parts for name in p.population],
        np.concatenate([p.block + s for p, s in zip(parts, shift, strict=False)]),
        np.concatenate([p.is_campaign for p in parts]),
    )


def _exchanges(parts: Sequence[Exchanges]) -> Exchanges:
    return Exchanges(
        np.concatenate([p.probability for p in parts]),
        np.concatenate([p.right for p in parts]),
        np.concatenate([p.wrong for p in parts]),
        *(
            sum(getattr(p, name) for p in parts)
            for name in ("mixed_accounts", "mixed_found", "mixed_right", "theft", "theft_found")
        ),
    )


def _sides(accounts: Accounts) -> tuple[Ints, Ints]:
    return accounts.guilty.astype(np.int64), (~accounts.guilty).astype(np.int64)


def _account_figures(accounts: Accounts, unlabelled: int, sums: Sums, limits: dict[str, Interval]) -> AccountFigures:
    accused = accounts.probability >= ACCUSED
    ranking = accounts.probability, *_sides(accounts)
    return AccountFigures(
        len(accounts.probability),
        unlabelled,
        int(accounts.guilty.sum()),
        int(accused.sum()),
        int((accused & accounts.guilty).sum()),
        _number(sums.precision),
        limits["precision"],
        _number(sums.recall),
        limits["recall"],
        average_precision(*ranking),
        recall_at(*ranking, FALSE_RATE),
    )


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _exchange_figures(e: Exchanges) -> ExchangeFigures:
    at = e.probability >= ACCUSED
    right, found = int(e.right[at].sum()), int((e.right + e.wrong)[at].sum())
    true = int(e.right.sum())
    return ExchangeFigures(
        true + int(e.wrong.sum()),
        true,
        found,
        right,
        ratio(right, found),
        ratio(right, true),
        average_precision(e.probability, e.right, e.wrong),
        e.mixed_accounts,
        e.mixed_found,
        e.mixed_right,
        ratio(e.mixed_right, e.mixed_found),
    )


def _theft(accounts: Accounts, exchanges: Exchanges) -> TheftFigures:
    victims, named = int(accounts.victim.sum()), int((accounts.victim & accounts.named_victim).sum())
    accused = int((accounts.victim & (accounts.probability >= ACCUSED)).sum())
    return TheftFigures(
        exchanges.theft,
        exchanges.theft_found,
        ratio(exchanges.theft_found, exchanges.theft),
        victims,
        named,
        ratio(named, victims),
        accused,
    )


def _false_groups(found: Sequence[FoundCampaign], accounts: int) -> FalseGroups:
    false = sum(c.false_group for c in found)
    return FalseGroups(len(found), false, accounts, upper_bound(false, accounts))


def _populations(accounts: Accounts) -> list[Population]:
    role = np.where(accounts.guilty, "member", np.where(accounts.victim, "victim", "innocent")).tolist()
    kinds = list(zip(accounts.population, role, strict=True))
    accused = Counter(k for k, p in zip(kinds, accounts.probability, strict=True) if p >= ACCUSED)
    named = Counter(k for k, n in zip(kinds, accounts.named_victim, strict=True) if n)
    listed = [
        Population(*kind, size, accused[kind], ratio(accused[kind], size), named[kind])
        for kind, size in Counter(kinds).items()
    ]
    return sorted(listed, key=lambda p: (("innocent", "victim", "member").index(p.role), -p.accused, p.population))


def _calibration(accounts: Accounts, sums: Sums, limits: dict[str, Interval]) -> Calibration:
    bins = calibration.bins(accounts.probability, accounts.guilty)
    return Calibration(
        _number(sums.log_loss),
        _number(sums.constant_log_loss),
        _number(sums.log_loss_ratio),
        limits["log_loss_ratio"],
        _number(sums.reliability_error),
        limits["reliability_error"],
        sum(b.accounts for b in bins),
        bins,
        int(accounts.is_campaign.sum()),
    )


def _curve(score: Any, positives: Ints, negatives: Ints) -> list[tuple[float, float]]:
    """Recall and precision at every distinct score above 0, from the highest; thinned where there are very many."""
    levels, right, wrong = curve(score, positives, negatives)
    some = levels > 0
    if not some.any() or not right[-1]:
        return []
    recall, precision = right[some] / right[-1], right[some] / (right + wrong)[some]
    keep = np.unique(np.linspace(0, len(recall) - 1, min(CURVE_POINTS, len(recall))).round().astype(int))
    return [(float(r), float(p)) for r, p in zip(recall[keep], precision[keep], strict=True)]
