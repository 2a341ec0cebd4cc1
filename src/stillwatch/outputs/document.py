"""The findings document: what was found, in the words of `findings.py`."""

from __future__ import annotations

import re

import pyarrow as pa

from stillwatch import __version__
from stillwatch.campaigns.calibration import calibration
from stillwatch.engine import Engine
from stillwatch.enrich import Gear
from stillwatch.evidence import Link
from stillwatch.findings import (
    Campaign,
    Cleared,
    DayCount,
    Factor,
    Findings,
    Flow,
    Mark,
    Passage,
    Pool,
    Traffic,
    Workload,
)
from stillwatch.outputs.assembled import Assembled, NamedGroup, NamedWorkload
from stillwatch.outputs.cleared import cleared_part
from stillwatch.outputs.factors import factor_part
from stillwatch.outputs.members import linked_by, member_part
from stillwatch.outputs.moments import day_text, moment
from stillwatch.report.wording import percent
from stillwatch.settings import Settings
from stillwatch.sources import Inputs, Rejects
from stillwatch.workloads.text import SharedText

# What the page and a reader can take in; memberships.parquet has every account.
MEMBERS_LISTED = 5_000
WORKLOADS_LISTED = 24
PASSAGES_LISTED = 6
CLEARED_LISTED = 60
MARKS_LISTED = 60
# A gateway may write a model's name differently each time.
TARGETS_LISTED = 60
# Where a scan runs decides nothing that it finds, and the properties of Spark may hold passwords.
SAID_NOWHERE = {"work_dir", "sketch_key_file", *(n for n in Settings.model_fields if n.startswith("spark_"))}


# Of each campaign and passage that is listed: accounts, exchanges, and accounts outside.
Carried = dict[tuple[int, int], tuple[int, int, int]]


def _carried(engine: Engine, found: Assembled) -> Carried:
    """Who carries the passages that are listed."""
    listed = {
        (number, text.passage)
        for number, group in enumerate(found.campaigns)
        for workload in group.workloads[:WORKLOADS_LISTED]
        for text in workload.texts[:PASSAGES_LISTED]
    }
    columns = {"campaign_no": [n for n, _ in sorted(listed)], "passage": [p for _, p in sorted(listed)]}
    engine.register("listed", pa.table(columns, schema=pa.schema([(name, pa.int64()) for name in columns])))
    rows = engine.query(
        "SELECT l.campaign_no, l.passage, count(DISTINCT c.account_no) AS accounts, count(*) AS exchanges, "
        "count(DISTINCT CASE WHEN m.account_no IS NULL THEN c.account_no END) AS outside "
        "FROM listed AS l JOIN carried AS c ON c.passage = l.passage LEFT JOIN campaign_members AS m "
        "ON m.account_no = c.account_no AND m.campaign_no = l.campaign_no GROUP BY l.campaign_no, l.passage"
    ).to_pylist()
    return {(r["campaign_no"], r["passage"]): (r["accounts"], r["exchanges"], r["outside"]) for r in rows}


def _workload(engine: Engine, campaign_no: int, number: int, workload: NamedWorkload, carried: Carried) -> Workload:
    where = f"FROM campaign_traffic WHERE campaign_no = {campaign_no} AND workload_no = {number}"
    totals = engine.query(
        "SELECT count(*) AS exchanges, count(DISTINCT account_no) AS accounts, count(DISTINCT prompt_hash) AS prompts "
        + where
    ).to_pylist()[0]
    models = engine.query(
        f"SELECT coalesce(model, 'unknown') AS model, count(*) AS exchanges {where} "
        "GROUP BY model ORDER BY exchanges DESC, model LIMIT 20"
    ).to_pylist()
    return Workload(
        id=workload.id,
        title=workload.title,
        intents=list(workload.intents),
        models={m["model"]: m["exchanges"] for m in models},
        accounts=totals["accounts"],
        exchanges=totals["exchanges"],
        distinct_prompts=totals["prompts"],
        passages=[_passage(carried[campaign_no, t.passage], t) for t in workload.texts[:PASSAGES_LISTED]],
    )


def _passage(carried: tuple[int, int, int], text: SharedText) -> Passage:
    accounts, exchanges, outside = carried
    return Passage(
        id=f"{text.passage:016x}", text=text.text, accounts=accounts, exchanges=exchanges, accounts_outside=outside
    )


def _days(engine: Engine, sql: str) -> list[DayCount]:
    return [DayCount(day=day_text(r["day"]), exchanges=r["exchanges"]) for r in engine.query(sql).to_pylist()]


def _hours(engine: Engine, table: str) -> list[list[int]]:
    grid = [[0] * 24 for _ in range(7)]
    for row in engine.query(
        f"SELECT hour_of_week, count(*) AS exchanges FROM {table} GROUP BY hour_of_week"
    ).to_pylist():
        grid[row["hour_of_week"] // 24][row["hour_of_week"] % 24] = row["exchanges"]
    return grid


def _marks(engine: Engine, campaign_no: int, first_us: int, last_us: int, targets: list[str]) -> list[Mark]:
    marks = [
        Mark(time=moment(r["released_us"]), kind="release", label=r["model"])
        for r in engine.query(
            f"SELECT model, released_us FROM models WHERE released_us BETWEEN {first_us} AND {last_us} "
            "ORDER BY released_us, model"
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
    weak = sum(1 for m in group.members if m.role == "member" and not linked_by(group, m.account_no))
    if weak:
        said.append(f"{weak} of the accounts are joined to the others by the job alone.")
    return said


def _volume_others(engine: Engine, campaign_no: int) -> list[DayCount]:
    """What the members send besides, by day."""
    return _days(
        engine,
        "SELECT t.day, count(*) AS exchanges FROM traffic AS t "
        f"JOIN campaign_members AS m ON m.account_no = t.account_no AND m.campaign_no = {campaign_no} "
        f"LEFT JOIN campaign_traffic AS c ON c.campaign_no = {campaign_no} AND c.exchange_no = t.exchange_no "
        "WHERE c.exchange_no IS NULL GROUP BY t.day ORDER BY t.day",
    )


def _summary(group: NamedGroup, workloads: list[Workload], accounts: int, total: dict[str, int]) -> str:
    jobs = ", ".join(dict.fromkeys(w.title.lower() for w in workloads[:3]))
    return (
        f"{accounts:,} accounts run {len(group.workloads)} recurring job{'s' if len(group.workloads) > 1 else ''} "
        f"({jobs}) as one: {total['exchanges']:,} exchanges from {moment(total['first']):%-d %B %Y} to "
        f"{moment(total['last']):%-d %B %Y}, {total['tokens']:,} tokens collected. "
        f"The probability that this is distillation nobody sanctioned is put at "
        f"{percent(group.candidate.judgement.probability)}; it is a finding for a person to check, not a verdict."
    )


def _campaign(
    engine: Engine,
    number: int,
    group: NamedGroup,
    found: Assembled,
    *,
    ordinary: list[list[int]],
    carried: Carried,
    loss: str,
) -> Campaign:
    subject = group.campaign_id or ""
    where = f"campaign_traffic WHERE campaign_no = {number}"
    total = engine.query(
        "SELECT count(*) AS exchanges, CAST(sum(coalesce(output_tokens, 0)) AS BIGINT) AS tokens, "
        f"min(time_us) AS first, max(time_us) AS last FROM {where}"
    ).to_pylist()[0]
    models = engine.query(
        f"SELECT model, count(*) AS n FROM {where} AND model IS NOT NULL GROUP BY model "
        f"ORDER BY n DESC, model LIMIT {TARGETS_LISTED}"
    )
    targets = models["model"].to_pylist()
    numbers = {w.id: n for n, w in enumerate(found.workloads)}
    factors = [factor_part(f, subject) for f in group.candidate.judgement.factors]
    workloads = [_workload(engine, number, numbers[w.id], w, carried) for w in group.workloads[:WORKLOADS_LISTED]]
    workloads = [w for w in workloads if w.exchanges]
    accounts = sum(m.role == "member" for m in group.members)
    weighed = group.candidate.weighed
    stake = {"output_tokens": total["tokens"], "exchanges": total["exchanges"], "accounts": accounts}[loss]
    links = {o.kind.name: o.counts["hit"] for o in weighed.observations if isinstance(o.kind, Link) and o.bits > 0}
    return Campaign(
        id=subject,
        title=workloads[0].title if workloads else "A recurring instruction",
        probability=group.candidate.judgement.probability,
        summary=_summary(group, workloads, accounts, total),
        accounts=accounts,
        victims=len(group.members) - accounts,
        exchanges=total["exchanges"],
        output_tokens=total["tokens"],
        at_stake=stake,
        expected_loss=round(stake * group.candidate.judgement.probability, 3),
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
        volume_others=_volume_others(engine, number),
        marks=_marks(engine, number, total["first"], total["last"], targets),
        hours_of_week=_hours(engine, where),
        members=[member_part(group, m, found.account_ids[m.account_no]) for m in group.members[:MEMBERS_LISTED]],
        against=_against(group, factors),
        ordinary_hours_of_week=ordinary,
    )


def _headline(found: Assembled, cleared: list[Cleared], *, exchanges: int, accounts: int, taken: int) -> list[str]:
    """What was found in three sentences. taken: exchanges that belong to any campaign."""
    campaigns = found.campaigns
    looked = (
        f"{exchanges:,} exchange{'' if exchanges == 1 else 's'} of {accounts:,} account{'' if accounts == 1 else 's'} "
        f"{'was' if exchanges == 1 else 'were'} read."
    )
    spared = sum(c.verdict == "cleared" for c in cleared)
    open_ones = len(cleared) - spared
    alike = "1 group that looks alike was" if spared == 1 else f"{spared:,} groups that look alike were"
    alike += " considered and cleared" + (f", and {open_ones:,} left open." if open_ones else ".")
    if not campaigns:
        return ["No campaign was found and nobody is accused.", alike, looked]
    members = len({m.account_no for c in campaigns for m in c.members if m.role == "member"})
    one = len(campaigns) == 1
    were = "1 campaign was" if one else f"{len(campaigns)} campaigns were"
    return [
        f"{were} found: {members:,} accounts that sent {taken:,} exchanges, {taken / exchanges:.0%} of all, as "
        f"{'one job' if one else 'jobs'} under common control.",
        alike,
        looked,
    ]


def _notes(absent: tuple[str, ...], has_accounts: bool) -> list[str]:
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
    engine: Engine,
    found: Assembled,
    *,
    settings: Settings,
    gear: Gear,
    inputs: Inputs,
    rejects: Rejects,
    absent: tuple[str, ...],
) -> Findings:
    """Build the document of one scan from what was assembled and the tables in the engine."""
    total = engine.query(
        "SELECT count(*) AS exchanges, count(DISTINCT account_no) AS accounts, min(time_us) AS first, "
        "max(time_us) AS last FROM traffic"
    ).to_pylist()[0]
    ordinary = _hours(engine, "traffic")
    carried = _carried(engine, found)
    campaigns = [
        _campaign(engine, n, g, found, ordinary=ordinary, carried=carried, loss=settings.loss)
        for n, g in enumerate(found.campaigns)
    ]
    # Where no exchange tells its tokens, all losses are nought, and exchanges decide.
    campaigns.sort(key=lambda c: (-c.expected_loss, -c.probability * c.exchanges))
    cleared = [cleared_part(g) for g in found.others]
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
        capped_sketches=engine.scalar("SELECT CAST(sum(capped) AS BIGINT) FROM exchanges"),
        has_accounts=has_accounts,
        has_models=inputs.models is not None,
        volume=_days(engine, "SELECT day, count(*) AS exchanges FROM traffic GROUP BY day ORDER BY day"),
        absent_columns=list(absent),
    )
    return Findings(
        stillwatch_version=__version__,
        as_of=moment(total["last"]),
        headline=_headline(
            found,
            cleared,
            exchanges=total["exchanges"],
            accounts=total["accounts"],
            taken=engine.scalar("SELECT count(DISTINCT exchange_no) FROM campaign_traffic"),
        ),
        traffic=traffic,
        campaigns=campaigns,
        cleared=cleared[:CLEARED_LISTED],
        settings=settings.model_dump(mode="json", exclude=SAID_NOWHERE) | {"calibration_slope": calibration().slope},
        sketch_key="published" if gear.published else "secret",
        notes=[*_notes(absent, has_accounts), *rejects.warnings],
    )
