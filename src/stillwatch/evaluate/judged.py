"""One scan beside the truth of its world, as arrays and sums that those of other worlds can be added to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.errors import InputError
from stillwatch.evaluate.calibration import ACCUSED
from stillwatch.evaluate.campaigns import FoundCampaign, Groups, TrueCampaign, found_campaigns, true_campaigns
from stillwatch.evaluate.found import Found, read_found
from stillwatch.evaluate.measures import Bools, Floats, Ints
from stillwatch.evaluate.overlap import BCubed, bcubed
from stillwatch.evaluate.sent import Progress, Sent, read_sent, silent
from stillwatch.evaluate.truth import Truth, read_truth


@dataclass(frozen=True, slots=True)
class Accounts:
    """The labelled accounts, one entry each, in the order of their names.

    block: the number of the account's campaign, true or else found, or one of its own; is_campaign: by block, whether
    it is a true campaign. Blocks are what an interval draws.
    """

    probability: Floats
    guilty: Bools
    victim: Bools
    named_victim: Bools
    population: list[str]
    block: Ints
    is_campaign: Bools


@dataclass(frozen=True, slots=True)
class Exchanges:
    """Exchanges by their probability: how many of each are true ones and how many are not.

    mixed_*: on accounts that send both. theft_*: true ones that victims' keys sent.
    """

    probability: Floats
    right: Ints
    wrong: Ints
    mixed_accounts: int
    mixed_found: int
    mixed_right: int
    theft: int
    theft_found: int


@dataclass(frozen=True, slots=True)
class Judged:
    """A world's figures before they are divided. overlaps: accounts, exchanges, and pools and workloads where known."""

    world: str
    accounts: Accounts
    unlabelled: int
    exchanges: Exchanges
    overlaps: dict[str, BCubed]
    campaigns: list[TrueCampaign]
    found: list[FoundCampaign]
    notes: list[str]


def judge(world: Path, folder: Path, progress: Progress = silent) -> Judged:
    """Judge the scan in `folder` by the truth of `world`.

    Raises InputError where either is none, or where they have no account or no exchange in common.
    """
    truth, found = read_truth(world), read_found(folder)
    return beside(world.name, truth, found, read_sent(world, progress), f"is {folder} a scan of {world}?")


def beside(name: str, truth: Truth, found: Found, sent: Sent, question: str = "are they of one world?") -> Judged:
    """Put findings beside the truth; `question` ends the error for a pair that does not belong together."""
    unlabelled = len(found.probability.keys() - truth.roles.keys())
    if unlabelled == len(found.probability):
        raise InputError(f"no account of the result is in truth_accounts.parquet: {question}")
    labels, notes = _labels(truth, found, sent, question)
    if unlabelled:
        notes.append(f"{unlabelled:,} accounts have no label and are left out.")
    groups = _groups(truth, found, labels)
    return Judged(
        name,
        _accounts(truth, found),
        unlabelled,
        _exchanges(labels),
        _overlaps(truth, found, sent, groups, labels),
        true_campaigns(truth, found, groups),
        found_campaigns(truth, found, groups),
        notes,
    )


def _accounts(truth: Truth, found: Found) -> Accounts:
    ids = sorted(truth.roles)
    role = np.array([truth.roles[a] for a in ids])
    # members of two campaigns are drawn with the first by name
    home = {a: f"true {name}" for name in reversed(truth.campaigns) for a in truth.campaigns[name]}
    for name in sorted(found.accused, reverse=True):
        for account in found.accused[name]:
            if not home.get(account, "").startswith("true "):
                home[account] = f"found {name}"
    names, block = np.unique([home.get(a, f"own {a}") for a in ids], return_inverse=True)
    return Accounts(
        np.array([found.probability.get(a, 0.0) for a in ids]),
        role == "member",
        role == "victim",
        np.array([found.verdict.get(a) == "victim" for a in ids]),
        [truth.populations[a] for a in ids],
        block.astype(np.int64),
        np.char.startswith(names, "true "),
    )


@dataclass(frozen=True, slots=True)
class _Labels:
    """Every exchange of the traffic by its number, and the rows of truth and findings that name one.

    account, victim: its account's number, and by account whether it is a victim. counts: whether it is judged.
    probability: that it belongs to a campaign, 0 where it was not found. true_rows, found_rows: rows of the truth's and
    the findings' exchanges that count, with the exchange's number in true_item and found_item.
    """

    account: Ints
    victim: Bools
    counts: Bools
    is_true: Bools
    probability: Floats
    true_rows: Ints
    true_item: Ints
    found_rows: Ints
    found_item: Ints


def _labels(truth: Truth, found: Found, sent: Sent, question: str) -> tuple[_Labels, list[str]]:
    """The labels of the traffic, and notes on rows that name no exchange of it."""
    notes: list[str] = []
    true_place = _place(truth.exchanges, sent, "truth_exchanges.parquet", question, notes)
    found_place = _place(found.exchanges, sent, "the result's exchanges", question, notes)
    true_rows = np.flatnonzero(true_place >= 0)
    is_true = np.zeros(len(sent.account), np.bool_)
    is_true[true_place[true_rows]] = True
    # an unlabelled account's exchange counts only where it is itself labelled
    counts = np.array([a in truth.roles for a in sent.accounts], np.bool_)[sent.account] | is_true
    said = found.exchanges["probability"].fill_null(0.0).to_numpy()
    kept = found_place >= 0
    kept[kept] = counts[found_place[kept]]
    probability = np.zeros(len(sent.account))
    np.maximum.at(probability, found_place[kept], said[kept])
    found_rows = np.flatnonzero(kept & (said >= ACCUSED))
    labels = _Labels(
        sent.account,
        np.array([truth.roles.get(a) == "victim" for a in sent.accounts], np.bool_),
        counts,
        is_true,
        probability,
        true_rows,
        true_place[true_rows],
        found_rows,
        found_place[found_rows],
    )
    return labels, notes


def _place(rows: pa.Table, sent: Sent, what: str, question: str, notes: list[str]) -> Ints:
    """The number of the exchange that each row names, -1 where it names none, which a note then says."""
    place = sent.places(rows["exchange_id"])
    absent = int((place < 0).sum())
    if absent and absent == len(place):
        raise InputError(f"no exchange of {what} is in the world's traffic: {question}")
    if absent:
        notes.append(f"{absent:,} rows of {what} name no exchange of the traffic and are left out.")
    return place


def _exchanges(labels: _Labels) -> Exchanges:
    levels, place = np.unique(labels.probability[labels.counts], return_inverse=True)
    is_true = labels.is_true[labels.counts]
    right = np.bincount(place[is_true], minlength=len(levels))
    wrong = np.bincount(place[~is_true], minlength=len(levels))
    accounts = len(labels.victim)
    guilty = np.bincount(labels.account[labels.is_true], minlength=accounts)
    mixed = (guilty > 0) & (np.bincount(labels.account, minlength=accounts) > guilty)
    found = labels.counts & (labels.probability >= ACCUSED)
    on_mixed = found & mixed[labels.account]
    theft = labels.is_true & labels.victim[labels.account]
    return Exchanges(
        levels,
        right.astype(np.int64),
        wrong.astype(np.int64),
        int(mixed.sum()),
        int(on_mixed.sum()),
        int((on_mixed & labels.is_true).sum()),
        int(theft.sum()),
        int((theft & found).sum()),
    )


def _groups(truth: Truth, found: Found, labels: _Labels) -> Groups:
    """Campaigns as pairs of item and campaign number, of accounts (members, not victims) and of exchanges."""
    true_names, found_names = list(truth.campaigns), sorted(found.campaigns)
    ids = sorted(truth.roles)
    members = truth.with_role("member")
    true_column = truth.exchanges["campaign"].take(pa.array(labels.true_rows))
    found_column = found.exchanges["campaign_id"].take(pa.array(labels.found_rows))
    return Groups(
        true_names,
        found_names,
        _pairs(ids, [truth.campaigns[n] & members for n in true_names]),
        _pairs(ids, [found.accused[n] for n in found_names]),
        _distinct(labels.true_item, _numbers(true_column, true_names)),
        _distinct(labels.found_item, _numbers(found_column, found_names)),
    )


def _pairs(ids: Sequence[str], groups: Sequence[Iterable[str]]) -> tuple[Ints, Ints]:
    number = {name: n for n, name in enumerate(ids)}
    pairs = [(number[a], g) for g, names in enumerate(groups) for a in names if a in number]
    both = np.array(sorted(pairs), np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _numbers(column: pa.ChunkedArray, names: Sequence[str]) -> Ints:
    return np.asarray(pc.index_in(column, value_set=pa.array(names, pa.string())).fill_null(-1).to_numpy(), np.int64)


def _distinct(item: Ints, group: Ints) -> tuple[Ints, Ints]:
    pairs = np.unique(np.stack([item, group])[:, group >= 0], axis=1)
    return pairs[0], pairs[1]


def _overlaps(truth: Truth, found: Found, sent: Sent, groups: Groups, labels: _Labels) -> dict[str, BCubed]:
    ids = sorted(truth.roles)
    overlaps = {
        "accounts": bcubed(groups.found_accounts, groups.true_accounts, len(ids)),
        "exchanges": bcubed(groups.found_exchanges, groups.true_exchanges, len(labels.account)),
    }
    if truth.pools is not None:
        in_pool = truth.pools.to_pylist()
        names = sorted({row["pool"] for row in in_pool})
        true = [[row["account_id"] for row in in_pool if row["pool"] == name] for name in names]
        overlaps["pools"] = bcubed(
            _pairs(ids, [found.pools[n] for n in sorted(found.pools)]), _pairs(ids, true), len(ids)
        )
    if truth.workloads is not None:
        place = sent.places(truth.workloads["exchange_id"])
        jobs = found.exchanges["workload_id"].take(pa.array(labels.found_rows))
        true_jobs = truth.workloads["workload"]
        overlaps["workloads"] = bcubed(
            _distinct(labels.found_item, _numbers(jobs, jobs.unique().drop_null().to_pylist())),
            _distinct(place[place >= 0], _numbers(true_jobs, true_jobs.unique().to_pylist())[place >= 0]),
            len(labels.account),
        )
    return overlaps
