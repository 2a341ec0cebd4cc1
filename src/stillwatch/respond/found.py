"""What a scan found, as the policy asks it: who takes part with which probability, through which keys and addresses."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import InputError
from stillwatch.findings import Findings
from stillwatch.respond.looks import findings_of
from stillwatch.tables import IN_PART, OUT_ACCOUNTS, OUT_EVIDENCE, OUT_IN_PART, OUT_MEMBERSHIPS, Table


@dataclass(frozen=True, slots=True)
class Suspect:
    """One account's part in one campaign.

    probability: that its holder takes part; of a victim, that what came through its keys is the campaign's. keys: those
    that sent the campaign's exchanges. evidence: ids of what speaks about this account.
    """

    account: str
    campaign: str
    probability: float
    victim: bool = False
    keys: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Customer:
    """What the provider knows of an account that a policy asks for."""

    verification: str | None = None
    plan: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One scan's findings.

    digest: of the findings, so that a cycle is known again. accounts: how many were seen in the traffic. campaigns: the
    probability of each; evidence: the ids of what speaks about it; statements: of each id
    what it says, and its bits. cleared: accounts that were looked at and are not
    accused. addresses: for each address that a suspect used, every account seen on it; None where it was not asked.
    whole: whether all traffic was judged, so that it also counts who is not named. in_part: accounts of which not all
    was judged. read_at: when the traffic was read that was judged; what was decided since rests on more.
    unread: how many rows of the accounts file could not be used, so that who is in none of `customers` may be.
    """

    digest: str
    as_of: datetime
    accounts: int
    campaigns: Mapping[str, float]
    suspects: tuple[Suspect, ...]
    evidence: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    statements: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    cleared: frozenset[str] = frozenset()
    customers: Mapping[str, Customer] = field(default_factory=dict)
    addresses: Mapping[str, frozenset[str]] | None = None
    whole: bool = True
    in_part: frozenset[str] = frozenset()
    read_at: datetime | None = None
    unread: int = 0

    def members(self, campaign: str) -> frozenset[str]:
        """The accounts that take part in a campaign, victims left out."""
        return frozenset(s.account for s in self.suspects if s.campaign == campaign and not s.victim)


def read_found(folder: Path, customers: pa.Table | None = None) -> Found:
    """The findings in a result folder of a scan.

    customers: the accounts table that the scan was given. Raises InputError where the folder is no result.
    """
    findings = findings_of(folder)
    by_subject: dict[str, list[str]] = defaultdict(list)
    statements: dict[str, tuple[str, float]] = {}
    for row in _rows(folder, "evidence", OUT_EVIDENCE):
        campaign, _, rest = row["evidence_id"].partition(":")
        account = row["subject"] if row["subject"] != campaign else ""
        by_subject[f"{campaign}:{account}"].append(f"{campaign}:{rest}")
        statements[f"{campaign}:{rest}"] = row["statement"], row["bits"]
    campaigns = {c.id: c.probability for c in findings.campaigns}
    accounts = _rows(folder, "accounts", OUT_ACCOUNTS)
    suspects = [
        *_members(_rows(folder, "memberships", OUT_MEMBERSHIPS), by_subject),
        *_victims(findings, accounts, by_subject),
    ]
    return Found(
        digest=hashlib.sha256(findings.model_dump_json().encode()).hexdigest(),
        as_of=findings.as_of,
        accounts=findings.traffic.accounts,
        campaigns=campaigns,
        suspects=tuple(suspects),
        evidence={c: tuple(by_subject[f"{c}:"]) for c in campaigns},
        statements=statements,
        cleared=frozenset(r["account_id"] for r in accounts if r["verdict"] == "cleared"),
        customers=customers_of(customers),
        in_part=_in_part(folder),
    )


def customers_of(accounts: pa.Table | None) -> dict[str, Customer]:
    """Verification and plan of each account of an accounts table."""
    if accounts is None:
        return {}
    rows = accounts.select(["account_id", "verification", "plan"]).to_pylist()
    return {row["account_id"]: Customer(_level(row["verification"]), row["plan"]) for row in rows}


def _level(verification: str | None) -> str | None:
    return verification.strip().lower() or None if verification is not None else None


def _in_part(folder: Path) -> frozenset[str]:
    if not (folder / f"{IN_PART}.parquet").exists():
        return frozenset()
    return frozenset(row["account_id"] for row in _rows(folder, IN_PART, OUT_IN_PART))


def _rows(folder: Path, name: str, table: Table) -> list[dict[str, Any]]:
    path = folder / f"{name}.parquet"
    try:
        rows: list[dict[str, Any]] = pq.read_table(path, columns=table.names, partitioning=None).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: not of a whole result of scan; scan again") from error
    return rows


def _members(rows: list[dict[str, Any]], evidence: Mapping[str, list[str]]) -> list[Suspect]:
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    probability: dict[tuple[str, str], float] = {}
    for row in rows:
        if row["campaign_id"] is None:
            continue
        part = row["account_id"], row["campaign_id"]
        probability[part] = max(probability.get(part, 0.0), row["probability"])
        if row["key_id"] is not None:
            keys[part].add(row["key_id"])
    return [
        Suspect(
            account,
            campaign,
            probability[account, campaign],
            keys=tuple(sorted(keys[account, campaign])),
            evidence=tuple(evidence.get(f"{campaign}:{account}", ())),
        )
        for account, campaign in sorted(probability)
    ]


def _victims(findings: Findings, accounts: list[dict[str, Any]], evidence: Mapping[str, list[str]]) -> list[Suspect]:
    """Victims with the keys that the document lists; one that it leaves out for its length has none."""
    keys = {(m.account_id, c.id): tuple(m.keys) for c in findings.campaigns for m in c.members if m.role == "victim"}
    for row in accounts:
        if row["verdict"] == "victim" and row["campaign_id"] is not None:
            keys.setdefault((row["account_id"], row["campaign_id"]), ())
    probability = {c.id: c.probability for c in findings.campaigns}
    return [
        Suspect(
            account,
            campaign,
            probability[campaign],
            victim=True,
            keys=own,
            evidence=tuple(evidence.get(f"{campaign}:{account}", ())),
        )
        for (account, campaign), own in sorted(keys.items())
    ]
