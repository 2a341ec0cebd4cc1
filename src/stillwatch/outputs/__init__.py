"""The results of a scan: tables, document and page, written into one folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.campaigns.search import LIKELY
from stillwatch.engine import Engine
from stillwatch.enrich import Gear
from stillwatch.enrich.clock import MICROSECONDS_A_DAY
from stillwatch.findings import Findings
from stillwatch.outputs.assembled import Assembled
from stillwatch.outputs.document import document
from stillwatch.outputs.links import write_links
from stillwatch.report import render_report
from stillwatch.settings import Settings
from stillwatch.sources import Inputs, Rejects
from stillwatch.tables import (
    OUT_ACCOUNTS,
    OUT_CAMPAIGNS,
    OUT_EVIDENCE,
    OUT_EXCHANGES,
    OUT_MEMBERSHIPS,
    OUT_POOLS,
    OUT_WORKLOADS,
    Table,
)

__all__ = ["HandOn", "write_results"]

# Told of findings, and of the folder that holds what decisions are made from, before the rest of it is written.
HandOn = Callable[[Findings, Path], None]

# Of a campaign's exchanges so many are held at a time: 100 MB.
EXCHANGES_AT_A_TIME = 1_000_000

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Verdicts on groups that an account is in without taking part, the gravest last.
VERDICTS = ("none", "cleared", "undetermined")
# Of a group that is likelier than this to be a campaign it is asked how likely each account belongs to it; below, the
# group's own probability stands for each: of thousands of groups that were cleared, asking took a minute and changed
# no verdict.
ASKED = 0.001


def _write(folder: Path, name: str, table: Table, rows: list[dict[str, object]]) -> None:
    made = pa.Table.from_pylist(rows, schema=pa.schema([pa.field(c.name, c.type) for c in table.columns]))
    pq.write_table(made, folder / f"{name}.parquet", compression="zstd")


@dataclass(slots=True)
class _Standing:
    """The strongest that was found of one account."""

    probability: float = 0.0
    verdict: str = "none"
    pool_id: str | None = None
    campaign_id: str | None = None


def _members(found: Assembled) -> dict[str, _Standing]:
    """Those who take part in campaigns, by name, the most probable part of each."""
    best: dict[str, _Standing] = {}
    for group in found.campaigns:
        for member in group.members:
            name = found.account_ids[member.account_no]
            if name not in best or member.probability > best[name].probability:
                best[name] = _Standing(member.probability, member.role, group.pool_id, group.campaign_id)
    return best


def _accounts(engine: Engine, found: Assembled) -> list[dict[str, object]]:
    """One row an account; whoever was looked at with a group and does not take part stays below the accused."""
    best = _members(found)
    of_number, probability, rank = _looked_at(found, best)
    besides = engine.query("SELECT account_no FROM cleared_unweighed")["account_no"].to_numpy()
    rank[besides] = np.maximum(rank[besides], VERDICTS.index("cleared"))
    for name, p, looked_at in zip(of_number, probability.tolist(), rank.tolist(), strict=True):
        best.setdefault(name, _Standing(p, VERDICTS[looked_at]))
    everyone = engine.query(
        "SELECT account_id FROM parties UNION SELECT account_id FROM account_file ORDER BY account_id"
    )
    return [{"account_id": n, **asdict(best.get(n, _Standing()))} for n in everyone["account_id"].to_pylist()]


def _looked_at(found: Assembled, taking_part: Container[str]) -> tuple[list[str], Floats, Integers]:
    """For every account its name, the likeliest that it was of any group, short of accused, and the gravest verdict on
    a group of its (its place in `VERDICTS`)."""
    names = [found.account_ids[n] for n in range(len(found.account_ids))]
    accused = np.array([name in taking_part for name in names], np.bool_)
    probability, rank = np.zeros(len(names)), np.zeros(len(names), np.int64)
    groups = [g.candidate for g in (*found.campaigns, *found.others)]
    for group in sorted(groups, key=lambda c: -c.judgement.probability):
        members = group.weighed.members
        verdict = {"campaign": "none", "cleared": "cleared"}.get(group.verdict, "undetermined")
        rank[members] = np.maximum(rank[members], VERDICTS.index(verdict))
        # Who belongs to it is asked only where it could be more than is known already, and where it matters.
        most = min(group.judgement.probability, LIKELY - 1e-6)
        if not (accused[members] | (probability[members] >= most)).all():
            likely = np.minimum(group.probabilities, most) if most >= ASKED else most
            probability[members] = np.maximum(probability[members], likely)
    return names, probability, rank


def _memberships(engine: Engine, found: Assembled) -> list[dict[str, object]]:
    rows = engine.query(
        "SELECT campaign_no, workload_no, account_no, key_id FROM campaign_traffic "
        "GROUP BY campaign_no, workload_no, account_no, key_id ORDER BY 1, 2, 3, 4 NULLS FIRST"
    ).to_pylist()
    probability = {(n, m.account_no): m.probability for n, g in enumerate(found.campaigns) for m in g.members}
    return [
        {
            "account_id": found.account_ids[r["account_no"]],
            "key_id": r["key_id"],
            "pool_id": found.campaigns[r["campaign_no"]].pool_id,
            "workload_id": found.workloads[r["workload_no"]].id,
            "campaign_id": found.campaigns[r["campaign_no"]].campaign_id,
            "probability": probability[r["campaign_no"], r["account_no"]],
        }
        for r in rows
        if probability[r["campaign_no"], r["account_no"]] >= LIKELY
    ]


def _exchanges(engine: Engine, found: Assembled, folder: Path) -> None:
    """exchanges/day=YYYY-MM-DD/: what belongs to a campaign, victims' stolen exchanges with it."""
    (folder / "exchanges").mkdir()
    workloads = pa.array([w.id for w in found.workloads], pa.string())
    campaigns = pa.array([g.campaign_id for g in found.campaigns], pa.string())
    writer, of_day = None, None
    rows = engine.batches(
        "SELECT e.exchange_id, c.time_us, c.campaign_no, c.workload_no, m.probability_ppm FROM campaign_traffic AS c "
        "JOIN exchanges AS e ON e.exchange_no = c.exchange_no "
        "JOIN campaign_members AS m ON m.campaign_no = c.campaign_no AND m.account_no = c.account_no "
        "ORDER BY c.time_us, e.exchange_id, c.campaign_no",
        EXCHANGES_AT_A_TIME,
    )
    try:
        for day, batch in (part for some in rows for part in _by_day(some)):
            if day != of_day:
                if writer is not None:
                    writer.close()
                place = folder / "exchanges" / f"day={np.datetime64(day, 'D')}"
                place.mkdir()
                writer, of_day = pq.ParquetWriter(place / "part-0.parquet", OUT_EXCHANGES.schema), day
            columns = {
                "exchange_id": batch["exchange_id"],
                "time": batch["time_us"].cast(pa.timestamp("us", tz="UTC")),
                "workload_id": pc.take(workloads, batch["workload_no"]),
                "campaign_id": pc.take(campaigns, batch["campaign_no"]),
                "probability": batch["probability_ppm"].to_numpy() / 1e6,
            }
            assert writer is not None
            writer.write_table(pa.table(columns, schema=OUT_EXCHANGES.schema))
    finally:
        if writer is not None:
            writer.close()


def _by_day(batch: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The stretches of rows in order of time that are of one day, each with its day since 1970."""
    days = batch["time_us"].to_numpy() // MICROSECONDS_A_DAY
    starts = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist()] if len(days) else []
    for start, end in pairwise([*starts, len(days)]):
        yield int(days[start]), batch.slice(start, end - start)


def _evidence(findings: Findings) -> list[dict[str, object]]:
    every = [e for c in findings.campaigns for f in c.factors for e in f.evidence]
    every += [e for c in findings.campaigns for m in c.members for e in m.evidence]
    return [
        {
            "evidence_id": e.id,
            "subject": e.subject,
            "claim": e.claim,
            "kind": e.kind,
            "bits": e.bits,
            "statement": e.statement,
            "rows": e.rows,
        }
        for e in every
    ]


def _first(engine: Engine, found: Assembled, findings: Findings, folder: Path) -> None:
    """What decisions are made from."""
    _write(folder, "accounts", OUT_ACCOUNTS, _accounts(engine, found))
    _write(folder, "memberships", OUT_MEMBERSHIPS, _memberships(engine, found))
    _write(folder, "evidence", OUT_EVIDENCE, _evidence(findings))
    (folder / "findings.json").write_text(
        json.dumps(findings.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n", "utf-8"
    )


def _tables(engine: Engine, found: Assembled, findings: Findings, folder: Path) -> None:
    _exchanges(engine, found, folder)
    groups = [*found.campaigns, *found.others]
    _write(
        folder,
        "pools",
        OUT_POOLS,
        [
            {
                "pool_id": g.pool_id,
                "campaign_id": g.campaign_id,
                "accounts": len(g.candidate.weighed.members),
                "probability": g.candidate.judgement.factors[0].probability,
            }
            for g in groups
        ],
    )
    counted = {w.id: w for c in findings.campaigns for w in c.workloads}
    _write(
        folder,
        "workloads",
        OUT_WORKLOADS,
        [
            {
                "workload_id": w.id,
                "campaign_id": g.campaign_id,
                "title": w.title,
                "accounts": counted[w.id].accounts if w.id in counted else len(g.candidate.weighed.members),
                "exchanges": counted[w.id].exchanges if w.id in counted else g.exchanges,
            }
            for g in groups
            for w in g.workloads
        ],
    )
    _write(
        folder,
        "campaigns",
        OUT_CAMPAIGNS,
        [
            {
                "campaign_id": c.id,
                "probability": c.probability,
                **{f.name: f.probability for f in c.factors},
                "accounts": c.accounts,
                "victims": c.victims,
                "exchanges": c.exchanges,
                "output_tokens": c.output_tokens,
                "expected_loss": c.expected_loss,
                "first": c.first,
                "last": c.last,
            }
            for c in findings.campaigns
        ],
    )


def write_results(
    folder: Path,
    engine: Engine,
    found: Assembled,
    *,
    settings: Settings,
    gear: Gear,
    inputs: Inputs,
    rejects: Rejects,
    absent: tuple[str, ...],
    hand_on: HandOn,
) -> Findings:
    """Write every output into `folder` and return the findings document.

    hand_on: called with the findings once all that decisions are made from is in `folder`, before what people and
    programs read at their leisure is.
    """
    findings = document(engine, found, settings=settings, gear=gear, inputs=inputs, rejects=rejects, absent=absent)
    _first(engine, found, findings, folder)
    hand_on(findings, folder)
    _tables(engine, found, findings, folder)
    write_links(engine, gear, folder, settings.k)
    (folder / "report.html").write_text(render_report(findings), "utf-8")
    return findings
