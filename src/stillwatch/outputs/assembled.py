"""Candidates put in order and given their ids: what tables, document and report are written from."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import pyarrow as pa

from stillwatch.campaigns import Candidate, Member, members
from stillwatch.campaigns.roles import (
    take_all_they_send,
    take_traffic,
    who_runs,
    with_exchanges,
    without_other_business,
)
from stillwatch.engine import Engine
from stillwatch.workloads import Jobs
from stillwatch.workloads.intents import title
from stillwatch.workloads.text import SharedText

# What accounts that do nothing but the campaign send in wordings that no other account has.
OWN_WORDINGS = "Requests in single accounts' own wordings"


@dataclass(frozen=True, slots=True)
class NamedWorkload:
    """A workload: its jobs, what they ask for and the text that k parties share."""

    id: str
    title: str
    jobs: tuple[int, ...]
    intents: tuple[str, ...]
    texts: tuple[SharedText, ...]


@dataclass(frozen=True, slots=True)
class NamedGroup:
    """A judged group with its ids, its size in traffic and its workloads; members where it is a campaign."""

    candidate: Candidate
    campaign_id: str | None
    pool_id: str
    exchanges: int
    workloads: tuple[NamedWorkload, ...]
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class Assembled:
    """All groups, campaigns first. workload_no in `campaign_traffic` indexes `workloads`."""

    campaigns: list[NamedGroup]
    others: list[NamedGroup]
    workloads: list[NamedWorkload]
    duplicates: int
    account_ids: dict[int, str]


@dataclass(frozen=True, slots=True)
class _Size:
    """Exchanges that carry a candidate's jobs, sent by accounts that run them; tokens they collected; the accounts."""

    exchanges: int = 0
    output_tokens: int = 0
    accounts: int = 0


def _sizes(engine: Engine, candidates: list[Candidate]) -> list[_Size]:
    rows = [(n, job) for n, c in enumerate(candidates) for job in c.jobs]
    engine.register(
        "candidate_jobs",
        pa.table(
            {"candidate": pa.array([n for n, _ in rows], pa.int64()), "job": pa.array([j for _, j in rows], pa.int64())}
        ),
    )
    counted = engine.query(
        "SELECT s.candidate, count(*) AS exchanges, CAST(sum(coalesce(t.output_tokens, 0)) AS BIGINT) AS output_tokens,"
        " count(DISTINCT t.account_no) AS accounts FROM ("
        "  SELECT DISTINCT c.candidate, j.exchange_no FROM candidate_jobs AS c JOIN job_traffic AS j ON j.job = c.job"
        "  JOIN account_jobs AS a ON a.job = j.job AND a.account_no = j.account_no"
        ") AS s JOIN traffic AS t ON t.exchange_no = s.exchange_no GROUP BY s.candidate"
    ).to_pylist()
    sizes = {row.pop("candidate"): _Size(**row) for row in counted}
    return [sizes.get(n, _Size()) for n in range(len(candidates))]


def _workloads(
    candidate: Candidate,
    *,
    group_of: dict[int, int],
    texts: dict[int, list[SharedText]],
    asked: dict[int, list[str]],
    size: dict[int, int],
    number: int,
) -> list[NamedWorkload]:
    """A candidate's jobs as workloads (jobs that the same accounts run), the largest first."""
    together: dict[int, list[int]] = defaultdict(list)
    for job in candidate.jobs:
        together[group_of[job]].append(job)
    ordered = sorted(together.values(), key=lambda js: (-sum(size.get(j, 0) for j in js), js[0]))
    made: list[NamedWorkload] = []
    for jobs in ordered:
        names = list(dict.fromkeys(n for j in jobs for n in asked.get(j, [])))
        shared = sorted(
            (t for j in jobs for t in texts.get(j, [])), key=lambda t: (-t.exchanges, -len(t.text), t.passage)
        )
        name = title(names, shared[0].text if shared else "")
        made.append(NamedWorkload(f"W-{number + len(made)}", name, tuple(jobs), tuple(names), tuple(shared)))
    return made


def assemble(
    engine: Engine,
    jobs: Jobs,
    candidates: list[Candidate],
    *,
    texts: list[SharedText],
    asked: dict[int, list[str]],
    duplicates: int,
    loss: str,
) -> Assembled:
    """Order the candidates (campaigns by expected loss, then the rest by size), and find their members.

    loss: what is at stake, output_tokens, exchanges or accounts.
    """
    candidates = with_exchanges(candidates, who_runs(engine))
    sizes = _sizes(engine, candidates)
    order = sorted(
        range(len(candidates)),
        key=lambda n: (
            candidates[n].verdict != "campaign",
            -candidates[n].judgement.probability * getattr(sizes[n], loss)
            if candidates[n].verdict == "campaign"
            else -sizes[n].exchanges,
            -sizes[n].exchanges,
            tuple(candidates[n].weighed.members[:1]),
        ),
    )
    group_of = dict(zip(jobs.groups["job"].to_pylist(), jobs.groups["group_no"].to_pylist(), strict=True))
    by_job: dict[int, list[SharedText]] = defaultdict(list)
    for text in texts:
        by_job[text.job].append(text)
    size: dict[int, int] = defaultdict(int)
    for job, count in zip(jobs.sent["job"].to_pylist(), jobs.sent["exchanges"].to_pylist(), strict=True):
        size[job] += count
    named: list[NamedGroup] = []
    workloads: list[NamedWorkload] = []
    for n in order:
        own = _workloads(
            candidates[n], group_of=group_of, texts=by_job, asked=asked, size=size, number=len(workloads) + 1
        )
        workloads += own
        campaign_id = f"C-{len(named) + 1}" if candidates[n].verdict == "campaign" else None
        named.append(NamedGroup(candidates[n], campaign_id, f"P-{len(named) + 1}", sizes[n].exchanges, tuple(own)))
    campaigns = [g for g in named if g.campaign_id]
    # A job may serve two campaigns; each has a workload of its own for it.
    numbers = {w.id: n for n, w in enumerate(workloads)}
    take_traffic(
        engine,
        [g.candidate for g in campaigns],
        [{j: numbers[w.id] for w in g.workloads for j in w.jobs} for g in campaigns],
    )
    found = members(engine)
    alone = without_other_business(engine, found)
    theirs = {
        n: NamedWorkload(f"W-{len(workloads) + i}", OWN_WORDINGS, (), (), ()) for i, n in enumerate(sorted(alone), 1)
    }
    found = take_all_they_send(engine, found, alone, {n: len(workloads) + i for i, n in enumerate(theirs)})
    workloads += theirs.values()
    campaigns = [
        replace(g, workloads=(*g.workloads, *([theirs[n]] if n in theirs else [])), members=tuple(found.get(n, [])))
        for n, g in enumerate(campaigns)
    ]
    ids = engine.query("SELECT account_no, account_id FROM parties").to_pydict()
    return Assembled(
        campaigns,
        [g for g in named if not g.campaign_id],
        workloads,
        duplicates,
        dict(zip(ids["account_no"], ids["account_id"], strict=True)),
    )


def renamed(found: Assembled, campaigns: list[int], pools: list[int], workloads: list[int]) -> Assembled:
    """The same under other numbers, each in the order of groups (campaigns first) and of their workloads."""
    pool, workload = iter(pools), iter(workloads)
    made: list[NamedGroup] = []
    by_id: dict[str, NamedWorkload] = {}
    for n, group in enumerate([*found.campaigns, *found.others]):
        own = tuple(replace(w, id=f"W-{next(workload)}") for w in group.workloads)
        by_id |= {old.id: new for old, new in zip(group.workloads, own, strict=True)}
        name = f"C-{campaigns[n]}" if n < len(campaigns) else None
        made.append(replace(group, campaign_id=name, pool_id=f"P-{next(pool)}", workloads=own))
    size = len(found.campaigns)
    # In the order that they had, by which exchanges name them.
    every = [by_id[w.id] for w in found.workloads]
    return replace(found, campaigns=made[:size], others=made[size:], workloads=every)
