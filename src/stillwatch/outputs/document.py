"""The findings document: what was found, in the words of `findings.py`."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, datetime

import numpy as np

from stillwatch import __version__
from stillwatch.campaigns.judgement import JudgedFactor
from stillwatch.campaigns.members import THEFT_BITS, Member
from stillwatch.engine import DuckDB
from stillwatch.enrich import Gear
from stillwatch.evidence import Link, Trait
from stillwatch.evidence.kind import view_bits
from stillwatch.evidence.weigh import Observation
from stillwatch.findings import (
    Campaign,
    Cleared,
    DayCount,
    Evidence,
    Factor,
    Findings,
    Flow,
    Mark,
    Passage,
    Pool,
    Rival,
    Traffic,
    Workload,
)
from stillwatch.findings import Member as MemberPart
from stillwatch.outputs.assembled import Assembled, NamedGroup, NamedWorkload
from stillwatch.settings import Settings
from stillwatch.sources import Inputs, Rejects

# What the page and a reader can take in; memberships.parquet has every account.
MEMBERS_LISTED = 5_000
WORKLOADS_LISTED = 24
PASSAGES_LISTED = 6
CLEARED_LISTED = 60
MARKS_LISTED = 60


def moment(us: int) -> datetime:
    """Microseconds since 1970 UTC as a datetime."""
    return datetime.fromtimestamp(us / 1e6, UTC)


def day_text(day: int) -> str:
    """Days since 1970 as YYYY-MM-DD."""
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")


def shares(factor: JudgedFactor) -> list[tuple[Observation, float]]:
    """Each observation's part of the bits against the factor's strongest rival; they add up to it with the prior.

    Within a view the mean of e-values is shared out by how much each adds to it; then all are scaled by the view's cap.
    """
    views: dict[str, list[tuple[Observation, float]]] = defaultdict(list)
    for seen, bits in factor.rivals[0].moved:
        views[f"{seen.kind.view} {seen.kind.name}" if seen.by_rival else seen.kind.view].append((seen, bits))
    parts = []
    for several in views.values():
        total = view_bits([b for _, b in several])
        weight = np.exp2(np.array([b for _, b in several]) - max(b for _, b in several))
        parts += [(seen, total * float(w) / float(weight.sum())) for (seen, _), w in zip(several, weight, strict=True)]
    return sorted(parts, key=lambda p: (-abs(p[1]), p[0].kind.name))


def _factor(factor: JudgedFactor, subject: str) -> Factor:
    strongest = factor.rivals[0]
    evidence = [
        Evidence(
            id=f"{subject}:{factor.name}:{seen.kind.name}",
            subject=subject,
            claim=factor.name,
            kind=seen.kind.name,
            view=seen.kind.view,
            bits=round(bits, 3),
            statement=seen.statement,
            technique=seen.kind.technique,
            benign_causes=list(seen.kind.benign_causes),
        )
        for seen, bits in shares(factor)
    ]
    rivals = [
        Rival(name=r.kind.name, bits=round(r.bits, 3), reason=r.kind.says[0].upper() + r.kind.says[1:])
        for r in factor.rivals
    ]
    return Factor(
        name=factor.name,
        probability=factor.probability,
        prior_bits=strongest.kind.prior_bits,
        evidence=evidence,
        rivals=rivals,
        strongest_rival=strongest.kind.name,
    )


def _linked_by(group: NamedGroup, account_no: int) -> list[str]:
    """The kinds of links that join one account to others of its group."""
    weighed = group.candidate.weighed
    place = int(np.searchsorted(weighed.members, account_no))
    told = [o for o in weighed.observations if isinstance(o.kind, Link | Trait) and o.bits > 0]
    return [o.kind.name for o in told if weighed.hits[o.kind.name][place] == 1]


def _member(group: NamedGroup, member: Member, name: str) -> MemberPart:
    weighed = group.candidate.weighed
    linked = _linked_by(group, member.account_no)
    place = int(np.searchsorted(weighed.members, member.account_no))
    evidence = []
    for seen in weighed.observations:
        if not isinstance(seen.kind, Link | Trait) or seen.bits <= 0:
            continue
        flag = int(weighed.hits[seen.kind.name][place])
        if flag < 0:
            continue
        inside = (seen.counts["hit"] + 1) / (seen.counts["members"] + 2)
        rate = weighed.rates[seen.kind.name]
        bits = np.log2(inside / rate) if flag else np.log2((1 - inside) / max(1e-9, 1 - rate))
        said = seen.kind.sees if flag else f"not {seen.kind.sees}"
        evidence.append(
            Evidence(
                id=f"{group.campaign_id}:{name}:{seen.kind.name}",
                subject=name,
                claim="membership",
                kind=seen.kind.name,
                view=seen.kind.view,
                bits=round(float(bits), 3),
                statement=said[0].upper() + said[1:],
                technique=seen.kind.technique,
                benign_causes=list(seen.kind.benign_causes),
            )
        )
    if member.theft:
        evidence.append(
            Evidence(
                id=f"{group.campaign_id}:{name}:theft",
                subject=name,
                claim="holder_takes_part",
                kind="stolen_key",
                view="infrastructure",
                bits=-THEFT_BITS,
                technique="AML.T0012",
                statement=f"The job began after {member.other} exchanges of the holder's own had begun, and "
                f"{member.places_shared} of its {member.exchanges} exchanges come from a place that the holder uses",
                benign_causes=["a holder who rents a second place to work from"],
            )
        )
    joined = ", ".join(k.replace("_", " ") for k in linked[:4])
    reason = f"{member.exchanges} of its {member.exchanges + member.other} exchanges are this job"
    reason += f"; joined to other members by {joined}" if joined else "; nothing but the job joins it to the others"
    if member.theft:
        reason = f"{member.exchanges} exchanges of this job came through its keys from places the holder never uses"
    return MemberPart(
        account_id=name,
        role=member.role,
        probability=round(member.probability, 6),
        exchanges=member.exchanges,
        other_exchanges=member.other,
        keys=[k for k, _ in member.keys],
        first=moment(member.first_us),
        last=moment(member.last_us),
        reason=reason,
        evidence=evidence,
    )


def _workload(engine: DuckDB, campaign_no: int, number: int, workload: NamedWorkload) -> Workload:
    where = f"FROM campaign_traffic WHERE campaign_no = {campaign_no} AND workload_no = {number}"
    totals = engine.query(
        f"SELECT count(*) AS exchanges, count(DISTINCT account_no) AS accounts, count(DISTINCT prompt_hash) AS prompts {where}"
    ).to_pylist()[0]
    models = engine.query(
        f"SELECT coalesce(model, 'unknown') AS model, count(*) AS exchanges {where} GROUP BY model ORDER BY exchanges DESC, model LIMIT 20"
    ).to_pylist()
    return Workload(
        id=workload.id,
        title=workload.title,
        intents=list(workload.intents),
        models={m["model"]: m["exchanges"] for m in models},
        accounts=totals["accounts"],
        exchanges=totals["exchanges"],
        distinct_prompts=totals["prompts"],
        passages=[_passage(engine, campaign_no, t.passage, t.text) for t in workload.texts[:PASSAGES_LISTED]],
    )


def _passage(engine: DuckDB, campaign_no: int, passage: int, text: str) -> Passage:
    row = engine.query(
        "SELECT count(DISTINCT c.account_no) AS accounts, count(DISTINCT c.exchange_no) AS exchanges, "
        "count(DISTINCT CASE WHEN m.account_no IS NULL THEN c.account_no END) AS outside "
        f"FROM carried AS c LEFT JOIN campaign_members AS m ON m.account_no = c.account_no AND m.campaign_no = {campaign_no} "
        f"WHERE c.passage = {passage}"
    ).to_pylist()[0]
    return Passage(
        id=f"{passage:016x}",
        text=text,
        accounts=row["accounts"],
        exchanges=row["exchanges"],
        accounts_outside=row["outside"],
    )


def _days(engine: DuckDB, sql: str) -> list[DayCount]:
    return [DayCount(day=day_text(r["day"]), exchanges=r["exchanges"]) for r in engine.query(sql).to_pylist()]


def _hours(engine: DuckDB, table: str) -> list[list[int]]:
    grid = [[0] * 24 for _ in range(7)]
    for row in engine.query(
        f"SELECT hour_of_week, count(*) AS exchanges FROM {table} GROUP BY hour_of_week"
    ).to_pylist():
        grid[row["hour_of_week"] // 24][row["hour_of_week"] % 24] = row["exchanges"]
    return grid


def _marks(engine: DuckDB, campaign_no: int, first_us: int, last_us: int, targets: list[str]) -> list[Mark]:
    marks = [
        Mark(time=moment(r["released_us"]), kind="release", label=r["model"])
        for r in engine.query(
            f"SELECT model, released_us FROM models WHERE released_us BETWEEN {first_us} AND {last_us} ORDER BY released_us, model"
        ).to_pylist()
        if r["model"] in targets
    ]
    bans = engine.query(
        "SELECT k.status_changed_us // 86400000000 AS day, count(*) AS banned FROM campaign_members AS m "
        "JOIN known_accounts AS k ON k.account_no = m.account_no "
        f"WHERE m.campaign_no = {campaign_no} AND k.status = 'banned' AND k.status_changed_us IS NOT NULL "
        f"AND k.status_changed_us <= {last_us} GROUP BY day ORDER BY day LIMIT {MARKS_LISTED}"
    ).to_pylist()
    marks += [
        Mark(
            time=moment(b["day"] * 86_400_000_000),
            kind="ban",
            label=f"{b['banned']} account{'s' if b['banned'] > 1 else ''} banned",
        )
        for b in bans
    ]
    return sorted(marks, key=lambda m: (m.time, m.label))


def _against(group: NamedGroup, factors: list[Factor]) -> list[str]:
    said = [
        f"{e.statement[0].upper()}{e.statement[1:]} ({e.bits:+.1f} bits on {f.name.replace('_', ' ')})."
        for f in factors
        for e in f.evidence
        if e.bits <= -0.5
    ]
    for factor in factors:
        rival = factor.rivals[0]
        if rival.bits < 4:
            said.append(
                f"{rival.reason} would explain much of it as well: only {rival.bits:.1f} bits stand against that."
            )
    weak = sum(1 for m in group.members if m.role == "member" and not _linked_by(group, m.account_no))
    if weak:
        said.append(f"{weak} of the accounts are joined to the others by the job alone.")
    return said


def _campaign(engine: DuckDB, number: int, group: NamedGroup, found: Assembled, ordinary: list[list[int]]) -> Campaign:
    subject = group.campaign_id or ""
    where = f"campaign_traffic WHERE campaign_no = {number}"
    total = engine.query(
        "SELECT count(*) AS exchanges, CAST(sum(coalesce(output_tokens, 0)) AS BIGINT) AS tokens, min(time_us) AS first, "
        f"max(time_us) AS last FROM {where}"
    ).to_pylist()[0]
    models = engine.query(
        f"SELECT model, count(*) AS n FROM {where} AND model IS NOT NULL GROUP BY model ORDER BY n DESC, model"
    )
    targets = models["model"].to_pylist()
    numbers = {w.id: n for n, w in enumerate(found.workloads)}
    factors = [_factor(f, subject) for f in group.candidate.judgement.factors]
    workloads = [_workload(engine, number, numbers[w.id], w) for w in group.workloads[:WORKLOADS_LISTED]]
    workloads = [w for w in workloads if w.exchanges]
    victims = sum(m.role == "victim" for m in group.members)
    accounts = len(group.members) - victims
    weighed = group.candidate.weighed
    links = {o.kind.name: o.counts["hit"] for o in weighed.observations if isinstance(o.kind, Link) and o.bits > 0}
    probability = group.candidate.judgement.probability
    jobs = ", ".join(dict.fromkeys(w.title.lower() for w in workloads[:3]))
    title = workloads[0].title if workloads else "A recurring instruction"
    summary = (
        f"{accounts:,} accounts run {len(group.workloads)} recurring job{'s' if len(group.workloads) > 1 else ''} "
        f"({jobs}) as one: {total['exchanges']:,} exchanges from {moment(total['first']):%-d %B %Y} to "
        f"{moment(total['last']):%-d %B %Y}, {total['tokens']:,} tokens collected. "
        f"The probability that this is distillation nobody sanctioned is put at {probability:.0%}; it is a finding for "
        "a person to check, not a verdict."
    )
    others = (
        "SELECT t.day, count(*) AS exchanges FROM traffic AS t JOIN campaign_members AS m ON m.account_no = t.account_no "
        f"AND m.campaign_no = {number} LEFT JOIN campaign_traffic AS c ON c.campaign_no = {number} "
        "AND c.exchange_no = t.exchange_no WHERE c.exchange_no IS NULL GROUP BY t.day ORDER BY t.day"
    )
    return Campaign(
        id=subject,
        title=title,
        probability=probability,
        summary=summary,
        accounts=accounts,
        victims=victims,
        exchanges=total["exchanges"],
        output_tokens=total["tokens"],
        first=moment(total["first"]),
        last=moment(total["last"]),
        targets=targets,
        factors=factors,
        pools=[Pool(id=group.pool_id, accounts=accounts, probability=factors[0].probability, links=links)],
        workloads=workloads,
        flows=[
            Flow(pool_id=group.pool_id, workload_id=w.id, accounts=w.accounts, exchanges=w.exchanges) for w in workloads
        ],
        volume=_days(engine, f"SELECT day, count(*) AS exchanges FROM {where} GROUP BY day ORDER BY day"),
        volume_others=_days(engine, others),
        marks=_marks(engine, number, total["first"], total["last"], targets),
        hours_of_week=_hours(engine, where),
        members=[_member(group, m, found.account_ids[m.account_no]) for m in group.members[:MEMBERS_LISTED]],
        against=_against(group, factors),
        ordinary_hours_of_week=ordinary,
    )


EXPLAINED = {
    "popular_artefact": "Strangers who use the same public prompt or tool",
    "cohort_event": "A class, a workshop or a launch",
    "application": "An application that serves its own users",
    "evaluation": "A test suite or benchmark",
    "reseller": "An intermediary with all sorts of customers",
    "contract": "Use that was agreed",
    "one_organisation": "One organisation that uses its accounts openly",
}


def _cleared(group: NamedGroup) -> Cleared:
    judged = group.candidate.judgement
    weakest = judged.weakest
    rival = weakest.rivals[0]
    seen = "; ".join(o.statement for o in _told(weakest)) or "nothing but the recurring text joins the accounts"
    title = group.workloads[0].title if group.workloads else "A recurring instruction"
    undetermined = group.candidate.verdict == "undetermined"
    return Cleared(
        id=group.pool_id,
        title=title,
        verdict="undetermined" if undetermined else "cleared",
        explanation=rival.kind.name,
        reason=f"{EXPLAINED.get(rival.kind.name, rival.kind.name)}: {seen}.",
        would_decide=_would_decide(weakest.name) if undetermined else "",
        accounts=len(group.candidate.weighed.members),
        exchanges=group.exchanges,
        probabilities={f.name: round(f.probability, 4) for f in judged.factors},
        workload_id=group.workloads[0].id if group.workloads else None,
        pool_id=group.pool_id,
    )


# What a reader takes as a sign of one hand, the plainest first.
PLAIN = ("shared_payment", "shared_exit", "continued_conversation", "shared_device", "shared_block", "signup_burst")


def _told(factor: JudgedFactor) -> list[Observation]:
    """Two observations that say best why the strongest rival is believed: those against, the plainest first."""
    moved = [(o, bits) for o, bits in factor.rivals[0].moved if bits < 1]
    place = {name: n for n, name in enumerate(PLAIN)}
    return [o for o, _ in sorted(moved, key=lambda m: (m[1] > -1.5, place.get(m[0].kind.name, 99), m[1]))][:2]


def _would_decide(factor: str) -> str:
    return {
        "one_hand": "Payment, device or sign-up data of these accounts, or the addresses behind their gateway.",
        "extraction": "What the accounts do with the answers: ask one of them, or look at a sample with their consent.",
        "unsanctioned": "Whether a contract or a programme covers this use.",
    }[factor]


def _headline(campaigns: list[Campaign], cleared: list[Cleared], exchanges: int, accounts: int) -> list[str]:
    looked = f"{exchanges:,} exchanges of {accounts:,} accounts were read."
    spared = sum(c.verdict == "cleared" for c in cleared)
    open_ones = len(cleared) - spared
    alike = f"{spared:,} groups that look alike were considered and cleared" + (
        f", and {open_ones:,} left open." if open_ones else "."
    )
    if not campaigns:
        return [looked, "No campaign was found and nobody is accused.", alike]
    members = len({m.account_id for c in campaigns for m in c.members if m.role == "member"})
    total = sum(c.exchanges for c in campaigns)
    one = len(campaigns) == 1
    return [
        looked,
        f"{len(campaigns)} campaign{'' if one else 's'} {'was' if one else 'were'} found: {members:,} accounts that sent "
        f"{total:,} exchanges, {total / exchanges:.0%} of all, as {'one job' if one else 'jobs'} under common control.",
        alike,
    ]


def _notes(absent: tuple[str, ...], has_accounts: bool, group_names: list[str]) -> list[str]:
    notes = [
        "Probabilities come from stated priors and measured evidence; they have not been calibrated on this traffic."
    ]
    if not has_accounts:
        notes.append(
            "There was no accounts file: payment, sign-up and standing could not be seen, and whether the use was "
            "sanctioned rests on a stated prior of 4 to 1."
        )
    if "ip" in absent:
        notes.append("No exchange has an address: the strongest evidence of common control is silent.")
    if {"prompt", "system_prompt"} <= set(absent):
        notes.append("No exchange has text: recurring jobs cannot be seen, so nothing can be found.")
    return notes


def document(
    engine: DuckDB,
    found: Assembled,
    settings: Settings,
    gear: Gear,
    inputs: Inputs,
    rejects: Rejects,
    absent: tuple[str, ...],
) -> Findings:
    """Build the document of one scan from what was assembled and the tables in the engine."""
    total = engine.query(
        "SELECT count(*) AS exchanges, count(DISTINCT account_no) AS accounts, min(time_us) AS first, max(time_us) AS last FROM traffic"
    ).to_pylist()[0]
    ordinary = _hours(engine, "traffic")
    campaigns = [_campaign(engine, n, g, found, ordinary) for n, g in enumerate(found.campaigns)]
    cleared = [_cleared(g) for g in found.others]
    cleared.sort(key=lambda c: (c.verdict == "cleared", -c.exchanges, int(re.sub(r"\D", "", c.id))))
    has_accounts = inputs.accounts is not None
    traffic = Traffic(
        exchanges=total["exchanges"],
        accounts=total["accounts"],
        first=moment(total["first"]),
        last=moment(total["last"]),
        rejected=rejects.count,
        duplicates=found.duplicates,
        rejected_by_reason=dict(sorted(rejects.by_reason.items())),
        formats=dict(sorted(inputs.formats.items())),
        capped_sketches=engine.scalar("SELECT sum(capped) FROM exchanges"),
        has_accounts=has_accounts,
        has_models=inputs.models is not None,
        volume=_days(engine, "SELECT day, count(*) AS exchanges FROM traffic GROUP BY day ORDER BY day"),
        absent_columns=list(absent),
    )
    return Findings(
        stillwatch_version=__version__,
        as_of=moment(total["last"]),
        headline=_headline(campaigns, cleared, total["exchanges"], total["accounts"]),
        traffic=traffic,
        campaigns=campaigns,
        cleared=cleared[:CLEARED_LISTED],
        settings=settings.model_dump(mode="json", exclude={"work_dir", "sketch_key_file"}),
        sketch_key="published" if gear.published else "secret",
        notes=[*_notes(absent, has_accounts, []), *rejects.warnings],
    )
