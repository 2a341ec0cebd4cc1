"""What a hunt begins from: an id or a value in clear, and the accounts that it stands for."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.enrich import Gear
from stillwatch.errors import InputError
from stillwatch.evidence.weigh import Integers
from stillwatch.hunt.links import Held, Links
from stillwatch.outputs.links import Keyed


@dataclass(frozen=True, slots=True)
class Seed:
    """accounts: numbers of those begun with. what: an account, a campaign, or the kind of value that was given.
    known: of how many accounts any such value is known; 0 where that has no meaning."""

    id: str
    what: str
    accounts: Integers
    known: int = 0


def seed_of(links: Links, folder: Path, subject: str, gear: Gear) -> Seed:
    """Find what is meant: an account, campaign, pool or workload, the hash of a value, or a value in clear.

    Raises InputError where the result knows nothing by that name.
    """
    number = links.number(subject)
    if number is not None:
        return Seed(subject, "account", np.array([number]))
    found = _named(links, folder, subject) or _by_hash(links, subject) or _in_clear(links, subject, gear)
    if found is not None:
        return found
    why = ""
    if links.key != Keyed(gear).id:
        why = "; its values are hashed with a secret key: give --store or --sketch-key-file to find one in clear"
    raise InputError(
        f"{subject or 'an empty seed'}: no account, campaign, pool, workload, passage or value of this name in "
        f"{folder} (of what an account may have many of, such as addresses, it holds those of two accounts and more)"
        + why
    )


def _named(links: Links, folder: Path, subject: str) -> Seed | None:
    what = {"C": "campaign", "P": "pool", "W": "workload"}.get(subject[:1], "")
    if re.fullmatch(r"[CPW]-\d+", subject):
        rows = pq.read_table(folder / "memberships.parquet", filters=pc.field(f"{what}_id") == subject)
        members = set(rows["account_id"].to_pylist())
        numbers = [
            n
            for n, a in enumerate(links.accounts)
            if a.account_id in members or (what != "workload" and subject in (a.campaign_id, a.pool_id))
        ]
        if numbers:
            return Seed(subject, what, np.array(numbers, np.int64))
    return None


def _by_hash(links: Links, subject: str) -> Seed | None:
    return _first(subject, ((held, subject.lower()) for held in links.held)) if len(subject) == 16 else None


def _in_clear(links: Links, subject: str, gear: Gear) -> Seed | None:
    keyed = Keyed(gear)
    return _first(subject, ((held, keyed(held.trace.name, v)) for v in _spellings(subject) for held in links.held))


def _first(subject: str, places: Iterator[tuple[Held, str]]) -> Seed | None:
    for held, name in places:
        accounts = held.of(name)
        if len(accounts):
            return Seed(subject, held.trace.name, np.unique(accounts), held.known)
    return None


def _spellings(subject: str) -> list[str]:
    """The value as it was given, and as the scan writes an address or a block."""
    spelt = [subject]
    for read in (ipaddress.ip_address, ipaddress.ip_network):
        try:
            spelt.append(str(read(subject.strip())))
        except ValueError:
            continue
    return spelt
