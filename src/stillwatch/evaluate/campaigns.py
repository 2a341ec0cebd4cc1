"""True campaigns beside found ones: how much of each was found, as what, and what was found that is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.evaluate.found import Found
from stillwatch.evaluate.measures import Ints, ratio
from stillwatch.evaluate.overlap import contingency, jaccard
from stillwatch.evaluate.truth import Truth

Pairs = tuple[Ints, Ints]


@dataclass(frozen=True, slots=True)
class Groups:
    """True and found campaigns as pairs of item and campaign's number, of accounts and of exchanges.

    Numbers are places in true_names and found_names. Accounts are members, not victims.
    """

    true_names: list[str]
    found_names: list[str]
    true_accounts: Pairs
    found_accounts: Pairs
    true_exchanges: Pairs
    found_exchanges: Pairs


@dataclass(frozen=True, slots=True)
class TrueCampaign:
    """How one true campaign was found.

    accused: its members that are accused, of whatever. found: its exchanges in any found campaign. best: the found
    campaign whose exchanges overlap it best (its accounts, where it has no exchanges), with the Jaccard of both; the
    best for accounts may be another. volume_error: exchanges of `best` against its own, -1 where nothing was found.
    """

    campaign: str
    members: int
    accused: int
    recall: float | None
    victims: int
    victims_named: int
    exchanges: int
    found: int
    best: str | None
    jaccard_exchanges: float
    jaccard_accounts: float
    volume: int
    volume_error: float | None


@dataclass(frozen=True, slots=True)
class FoundCampaign:
    """What one found campaign is in truth.

    right: accused who are members of any true campaign. false_group: more than half of the accused are not. members:
    its accused by true campaign. merges: the true campaigns, where two or more have most of their accused here.
    """

    campaign: str
    probability: float
    accused: int
    right: int
    false_group: bool
    exchanges: int
    right_exchanges: int
    members: dict[str, int]
    merges: list[str]


def true_campaigns(truth: Truth, found: Found, groups: Groups) -> list[TrueCampaign]:
    """One entry a true campaign, by name."""
    by_accounts, by_exchanges = _shared(groups)
    jaccard_accounts = jaccard(by_accounts, *_sizes(groups.true_accounts, groups.found_accounts, groups))
    true_sizes, found_sizes = _sizes(groups.true_exchanges, groups.found_exchanges, groups)
    jaccard_exchanges = jaccard(by_exchanges, true_sizes, found_sizes)
    in_any = np.unique(groups.found_exchanges[0])
    accused = frozenset().union(*found.accused.values())
    listed = []
    for n, name in enumerate(groups.true_names):
        members = {a for a in truth.campaigns[name] if truth.roles[a] == "member"}
        victims = truth.campaigns[name] - members
        own = groups.true_exchanges[0][groups.true_exchanges[1] == n]
        best = _best(jaccard_exchanges[n], jaccard_accounts[n])
        volume = int(found_sizes[best]) if best is not None else 0
        listed.append(
            TrueCampaign(
                name,
                len(members),
                len(members & accused),
                ratio(len(members & accused), len(members)),
                len(victims),
                sum(found.verdict.get(a) == "victim" for a in victims),
                len(own),
                int(np.isin(own, in_any, assume_unique=True).sum()),
                groups.found_names[best] if best is not None else None,
                float(jaccard_exchanges[n].max(initial=0.0)),
                float(jaccard_accounts[n].max(initial=0.0)),
                volume,
                ratio(volume - len(own), len(own)),
            )
        )
    return listed


def found_campaigns(truth: Truth, found: Found, groups: Groups) -> list[FoundCampaign]:
    """One entry a found campaign, the most probable first."""
    by_accounts, _ = _shared(groups)
    guilty = truth.with_role("member")
    is_true = np.unique(groups.true_exchanges[0])
    homes: dict[int, list[str]] = {}
    for n, name in enumerate(groups.true_names):
        if by_accounts[n].any():
            homes.setdefault(int(by_accounts[n].argmax()), []).append(name)
    listed = []
    for n, name in enumerate(groups.found_names):
        accused = found.accused[name] & truth.roles.keys()
        right = len(accused & guilty)
        own = groups.found_exchanges[0][groups.found_exchanges[1] == n]
        of = {groups.true_names[t]: int(k) for t, k in enumerate(by_accounts[:, n]) if k}
        merges = homes.get(n, [])
        listed.append(
            FoundCampaign(
                name,
                found.campaigns[name],
                len(accused),
                right,
                2 * right < len(accused),
                len(own),
                int(np.isin(own, is_true, assume_unique=True).sum()),
                of,
                merges if len(merges) > 1 else [],
            )
        )
    return sorted(listed, key=lambda c: (-c.probability, c.campaign))


def _shared(groups: Groups) -> tuple[Ints, Ints]:
    shape = (len(groups.true_names), len(groups.found_names))
    return (
        contingency(groups.found_accounts, groups.true_accounts, shape),
        contingency(groups.found_exchanges, groups.true_exchanges, shape),
    )


def _sizes(true: Pairs, found: Pairs, groups: Groups) -> tuple[Ints, Ints]:
    return (
        np.bincount(true[1], minlength=len(groups.true_names)),
        np.bincount(found[1], minlength=len(groups.found_names)),
    )


def _best(by_exchanges: np.ndarray, by_accounts: np.ndarray) -> int | None:
    for row in (by_exchanges, by_accounts):
        if row.any():
            return int(row.argmax())
    return None
