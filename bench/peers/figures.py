"""A peer's figures: the setting and threshold chosen in its favour on tuning worlds, then counts on fresh worlds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from bench.peers.told import Told
from stillwatch.evaluate.measures import Bools, Floats, average_precision, curve, ratio, recall_at

# Of innocents, those who may be flagged where recall is given: issue and paper compare there.
FALSE_RATE = 0.001
# The false-positive rate at which the paper gives MMD's power by window.
WINDOW_FALSE_RATE = 0.003


@dataclass(frozen=True, slots=True)
class Labelled:
    """What a peer told of one world, beside its truth: every account once, guilty where it is a campaign's member."""

    accounts: list[str]
    guilty: Bools
    told: Told

    def scores(self, setting: str) -> Floats:
        """Aligned with the accounts; 0 where the peer said nothing of one."""
        of = self.told.settings[setting]
        return np.array([of.get(a, 0.0) for a in self.accounts])


def labelled(world: Path, told: Told) -> Labelled:
    """Put scores beside the truth of a world."""
    truth = pq.read_table(world / "truth_accounts.parquet", columns=["account_id", "role"]).to_pydict()
    return Labelled(truth["account_id"], np.array([role == "member" for role in truth["role"]]), told)


@dataclass(frozen=True, slots=True)
class Choice:
    """An operating point: accounts whose score is at least the threshold are accused. f1: what it had when chosen."""

    setting: str
    threshold: float
    f1: float


def pooled(worlds: Sequence[Labelled], setting: str) -> tuple[Floats, Bools]:
    """Scores and guilt of the accounts of several worlds."""
    return np.concatenate([w.scores(setting) for w in worlds]), np.concatenate([w.guilty for w in worlds])


def chosen(worlds: Sequence[Labelled]) -> Choice | None:
    """Setting and threshold with the greatest F1 over the worlds together; of equals the one that accuses fewest.

    None where no setting was finished in every world, or nobody is guilty.
    """
    best: tuple[float, int, str, float] | None = None
    for setting in finished(worlds):
        score, guilty = pooled(worlds, setting)
        levels, right, wrong = curve(score, guilty.astype(np.int64), (~guilty).astype(np.int64))
        f1 = 2 * right / np.maximum(right + wrong + guilty.sum(), 1)
        at = int(np.argmax(np.where(levels > 0, f1, -1)))  # 0: the peer knows nothing
        found = (float(f1[at]), -int(right[at] + wrong[at]), setting, float(levels[at]))
        if guilty.any() and (best is None or found[:2] > best[:2]):
            best = found
    return None if best is None else Choice(best[2], best[3], best[0])


def finished(worlds: Iterable[Labelled]) -> list[str]:
    """The settings that every world has, in the order of the first."""
    several = [w.told.settings for w in worlds]
    return [s for s in several[0] if all(s in other for other in several)] if several else []


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts and rates on the fresh worlds of one kind together; None where there is nothing to divide by."""

    accounts: int
    guilty: int
    accused: int
    wrongly: int
    precision: float | None
    recall: float | None
    average_precision: float | None
    recall_at: float | None


def figures(worlds: Sequence[Labelled], choice: Choice) -> Figures:
    """What the choice gives."""
    score, guilty = pooled(worlds, choice.setting)
    accused = score >= choice.threshold
    sides = guilty.astype(np.int64), (~guilty).astype(np.int64)
    return Figures(
        len(guilty),
        int(guilty.sum()),
        int(accused.sum()),
        int((accused & ~guilty).sum()),
        ratio(int((accused & guilty).sum()), int(accused.sum())),
        ratio(int((accused & guilty).sum()), int(guilty.sum())),
        average_precision(score, *sides),
        recall_at(score, *sides, FALSE_RATE),
    )


def window_rates(told: Sequence[Told], setting: str) -> dict[str, float]:
    """The share of windows above the threshold that one in 300 calibration windows exceeds, by share of a campaign."""
    flagged: dict[str, list[float]] = {}
    for one in told:
        by_share = one.windows[setting]
        bar = float(np.quantile(by_share["calibration"], 1 - WINDOW_FALSE_RATE, method="higher"))
        for share, scores in by_share.items():
            if share != "calibration":
                flagged.setdefault(share, []).append(float(np.mean(np.array(scores) > bar)))
    return {share: float(np.mean(rates)) for share, rates in flagged.items()}


def best_window(told: Sequence[Told]) -> str | None:
    """Of a peer's settings the one that flags most windows of campaigns, less what it flags of honest ones: chosen on
    the very windows that are reported, in the peer's favour."""
    settings = [s for s in (told[0].windows if told else {}) if all(s in t.windows for t in told)]

    def worth(setting: str) -> float:
        rates = window_rates(told, setting)
        return sum(r for share, r in rates.items() if share != "0") - 5 * rates["0"]  # of each of five shares

    return max(settings, key=worth, default=None)
