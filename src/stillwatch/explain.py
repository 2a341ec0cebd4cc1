"""Everything a result says of one id, evidence by evidence."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pydantic import ValidationError

from stillwatch.errors import InputError
from stillwatch.findings import SCHEMA_VERSION, Campaign, Evidence, Findings, Member, Workload
from stillwatch.report import Explanation


def load(folder: Path) -> Findings:
    """The findings of a result folder."""
    path = folder / "findings.json"
    try:
        raw = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{folder} is not a result of scan: {path.name} is missing") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version != SCHEMA_VERSION:
        raise InputError(f"{path}: schema version {version}, this program reads {SCHEMA_VERSION}; scan again")
    try:
        return Findings.model_validate(raw)
    except ValidationError as error:
        fault = error.errors()[0]
        raise InputError(f"{path}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from error


def explain(folder: Path, subject: str) -> Explanation:
    """What the result in `folder` says of an account, exchange, pool, workload or campaign.

    Raises InputError where the folder is no whole result or knows nothing by that id.
    """
    findings = load(folder)
    try:
        found = _find(findings, folder, subject)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{folder} is not a whole result of scan: {' '.join(str(error).split())}; scan again"
        ) from error
    if found is None:
        raise InputError(
            f"{subject or 'an empty id'}: no account, exchange, pool, workload or campaign of this name in {folder} "
            "(of exchanges it holds those of campaigns)"
        )
    return found


def _find(findings: Findings, folder: Path, subject: str) -> Explanation | None:
    for campaign in findings.campaigns:
        if campaign.id == subject:
            return _campaign(campaign)
        for pool in campaign.pools:
            if pool.id == subject:
                return _pool(campaign, subject)
        for workload in campaign.workloads:
            if workload.id == subject:
                return _workload(campaign, workload)
    return (
        _cleared(findings, folder, subject)
        or _account(findings, folder, subject)
        or _exchange(findings, folder, subject)
    )


def _factors(campaign: Campaign) -> list[Evidence]:
    return [e for f in campaign.factors for e in f.evidence]


def _campaign(campaign: Campaign) -> Explanation:
    facts = [("probability", f"{campaign.probability:.1%}")]
    facts += [
        (
            f.name.replace("_", " "),
            f"{f.probability:.1%}, weighed against {f.strongest_rival.replace('_', ' ')} "
            f"(prior {f.prior_bits:+.1f} bits)",
        )
        for f in campaign.factors
    ]
    facts += [
        ("accounts", f"{campaign.accounts:,} and {campaign.victims:,} victims"),
        ("exchanges", f"{campaign.exchanges:,}, {campaign.output_tokens:,} tokens out"),
        ("time", f"{campaign.first:%Y-%m-%d %H:%M} to {campaign.last:%Y-%m-%d %H:%M} UTC"),
        ("models", ", ".join(campaign.targets[:6]) or "unknown"),
        ("pools", ", ".join(p.id for p in campaign.pools)),
        ("workloads", ", ".join(w.id for w in campaign.workloads)),
        ("look first at", ", ".join(m.account_id for m in campaign.members[:5])),
    ]
    return Explanation(campaign.id, "campaign", campaign.title, facts, _factors(campaign), list(campaign.against))


def _pool(campaign: Campaign, subject: str) -> Explanation:
    pool = next(p for p in campaign.pools if p.id == subject)
    facts = [("campaign", campaign.id), ("accounts", f"{pool.accounts:,}"), ("one hand", f"{pool.probability:.1%}")]
    facts += [(kind.replace("_", " "), f"joins {n:,} accounts") for kind, n in pool.links.items()]
    evidence = [e for f in campaign.factors if f.name == "one_hand" for e in f.evidence]
    return Explanation(subject, "pool", f"the accounts of {campaign.id}", facts, evidence, [])


def _workload(campaign: Campaign, workload: Workload) -> Explanation:
    facts = [
        ("campaign", campaign.id),
        ("asks for", ", ".join(workload.intents).replace("_", " ") or "nothing that is recognised"),
        ("accounts", f"{workload.accounts:,}"),
        ("exchanges", f"{workload.exchanges:,}, {workload.distinct_prompts:,} different prompts"),
        ("models", ", ".join(f"{m} ({n:,})" for m, n in list(workload.models.items())[:6])),
    ]
    notes = [
        f"{p.accounts:,} accounts share ({p.accounts_outside:,} of them outside): {p.text}" for p in workload.passages
    ] or ["No text is shown: too few parties share it."]
    evidence = [e for f in campaign.factors if f.name == "extraction" for e in f.evidence]
    return Explanation(workload.id, "workload", workload.title, facts, evidence, notes)


def _cleared(findings: Findings, folder: Path, subject: str) -> Explanation | None:
    group = next((c for c in findings.cleared if subject in (c.id, c.pool_id, c.workload_id)), None)
    if group is None:
        return _row_of(folder, subject)
    facts = [
        ("verdict", group.verdict),
        ("accounts", f"{group.accounts:,}"),
        ("exchanges", f"{group.exchanges:,}"),
        ("explained by", group.explanation.replace("_", " ")),
    ]
    facts += [(name.replace("_", " "), f"{p:.1%}") for name, p in group.probabilities.items()]
    notes = [group.reason] + ([f"What would decide it: {group.would_decide}"] if group.would_decide else [])
    return Explanation(subject, "group considered", group.title, facts, [], notes)


def _row_of(folder: Path, subject: str) -> Explanation | None:
    """A pool or workload that the document leaves out, from its table."""
    for name, what in (("pools", "pool"), ("workloads", "workload")):
        rows = pq.read_table(folder / f"{name}.parquet", filters=pc.field(f"{what}_id") == subject).to_pylist()
        if rows:
            facts = [(k.replace("_", " "), str(v)) for k, v in rows[0].items() if v is not None]
            return Explanation(subject, what, str(rows[0].get("title") or "considered"), facts, [], [])
    return None


def _parts(findings: Findings, account: str) -> list[tuple[Campaign, Member]]:
    return [(c, m) for c in findings.campaigns for m in c.members if m.account_id == account]


def _account(findings: Findings, folder: Path, account: str) -> Explanation | None:
    rows = pq.read_table(folder / "accounts.parquet", filters=pc.field("account_id") == account).to_pylist()
    if not rows:
        return None
    facts = [("verdict", str(rows[0]["verdict"])), ("probability", f"{rows[0]['probability'] or 0.0:.1%}")]
    evidence: list[Evidence] = []
    notes = []
    for campaign, member in _parts(findings, account):
        facts += [
            (campaign.id, f"{member.role}, {member.probability:.1%}"),
            ("exchanges", f"{member.exchanges:,} of the campaign, {member.other_exchanges:,} others"),
            ("keys", ", ".join(member.keys) or "unknown"),
            ("time", f"{member.first:%Y-%m-%d %H:%M} to {member.last:%Y-%m-%d %H:%M} UTC"),
        ]
        evidence += member.evidence
        notes += [
            member.reason[0].upper() + member.reason[1:] + ".",
            f"See also: stillwatch explain {folder} {campaign.id}",
        ]
    if not notes:
        notes.append(
            "Nothing was found against this account."
            if rows[0]["verdict"] == "none"
            else "It was considered with a group that was not accused; the groups are in findings.json under cleared."
        )
    return Explanation(account, "account", str(rows[0]["verdict"]), facts, evidence, notes)


def _exchange(findings: Findings, folder: Path, exchange: str) -> Explanation | None:
    if not any((folder / "exchanges").rglob("*.parquet")):
        return None
    table = ds.dataset(folder / "exchanges", format="parquet", partitioning="hive")
    rows = table.to_table(filter=pc.field("exchange_id") == exchange).to_pylist()
    if not rows:
        return None
    facts = []
    evidence: list[Evidence] = []
    for row in rows:
        facts += [
            ("campaign", row["campaign_id"]),
            ("workload", row["workload_id"]),
            ("probability", f"{row['probability']:.1%}"),
            ("time", f"{row['time']:%Y-%m-%d %H:%M:%S} UTC"),
        ]
        for campaign in findings.campaigns:
            if campaign.id == row["campaign_id"]:
                evidence += [e for f in campaign.factors if f.name == "extraction" for e in f.evidence]
    notes = ["It carries the text of the workload, or goes on with a conversation that does."]
    return Explanation(exchange, "exchange", "part of a campaign", facts, evidence, notes)
