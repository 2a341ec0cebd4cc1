"""Passages -> templates -> jobs -> candidate groups of accounts that carry them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from stillwatch.engine import Engine
from stillwatch.store import LEAST_PROMPTS
from stillwatch.store.threads import in_threads
from stillwatch.workloads.overlaps import Sets

Integers = npt.NDArray[np.int64]

# Two passages belong to one template where they stand together in at least one of two exchanges of the commoner one.
TOGETHER = 2
# An account runs a job when it sends it at least twice: once may be a quotation.
LEAST_SENT = 2
# A job that fewer exchanges carry cannot be judged: below 20, not even a rate of nought is told from 15% (rule of
# three, Hanley and Lippman-Hand 1983).
LEAST_EXCHANGES = 20
# Templates are one job where as many of the rarer one's exchanges carry the commoner too, and one account in three
# carries both: the last keeps a job that rides on a popular agent's prompt apart from the agent.
SAME_JOB_ACCOUNTS = 1 / 3
# Jobs form one candidate group where their accounts overlap (Jaccard) by half, and again, more widely, by a fifth: an
# organisation that gives each account a few of its many jobs shows as one group only at the wider of the two.
SAME_GROUP = (0.5, 0.2)
# Runs of words that meet by chance turn up in the traffic of whoever sends a lot, and would join what has nothing in
# common. So groups are also made of each account's main jobs alone, those in one exchange of a hundred and more. Not
# instead: an organisation with very many wordings has no main ones.
MAIN_JOB = 0.01
# Passages to templates, where these stand, templates to jobs, where these stand, who runs them, and groups.
STEPS = 6


@dataclass(frozen=True, slots=True)
class Jobs:
    """The recurring jobs of the traffic.

    passages: job, passage. sent: job, account_no, exchanges (accounts that run it). groups: group_no, job (a job may
    stand in several groups).
    """

    passages: pa.Table
    sent: pa.Table
    groups: pa.Table


def _sql(name: str) -> str:
    return (files(__package__ or "stillwatch.workloads") / f"{name}.sql").read_text("utf-8")


def _components(size: int, a: Integers, b: Integers) -> Integers:
    graph = coo_matrix((np.ones(len(a), np.int8), (a, b)), (size, size))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _templates(engine: Engine) -> pa.Table:
    """template, passage: connected components of passages that stand together."""
    engine.create("recurring", _sql("recurring").format(least_prompts=LEAST_PROMPTS))
    engine.create("neighbours", _sql("neighbours"))
    hashes = engine.query("SELECT passage FROM recurring ORDER BY passage")["passage"].to_numpy()
    edges = engine.query(
        "SELECT n.a, n.b FROM neighbours AS n JOIN recurring AS x ON x.passage = n.a "
        "JOIN recurring AS y ON y.passage = n.b "
        f"WHERE n.together * {TOGETHER} >= x.exchanges AND n.together * {TOGETHER} >= y.exchanges ORDER BY a, b"
    )
    a, b = (np.searchsorted(hashes, edges[end].to_numpy()) for end in "ab")
    labels = _components(len(hashes), a, b)
    return pa.table({"template": labels, "passage": hashes})


def _same_job(engine: Engine, templates: int) -> Integers:
    """For every template the job that it belongs to."""
    carriers = engine.query("SELECT DISTINCT template, account_no FROM template_traffic ORDER BY 1, 2")
    by_account = Sets(carriers["template"].to_numpy(), carriers["account_no"].to_numpy(), templates)
    together = engine.query(
        "WITH size AS (SELECT template, count(*) AS exchanges FROM template_traffic GROUP BY template), "
        "pairs AS (SELECT x.template AS a, y.template AS b, count(*) AS together FROM template_traffic AS x "
        "JOIN template_traffic AS y ON y.exchange_no = x.exchange_no AND x.template < y.template "
        "GROUP BY x.template, y.template) "
        "SELECT p.a, p.b FROM pairs AS p JOIN size AS x ON x.template = p.a JOIN size AS y ON y.template = p.b "
        f"WHERE p.together * {TOGETHER} >= x.exchanges OR p.together * {TOGETHER} >= y.exchanges ORDER BY a, b"
    )
    a, b = together["a"].to_numpy(), together["b"].to_numpy()
    both, reach = by_account.common(a, b), by_account.sizes()
    near = both >= SAME_JOB_ACCOUNTS * (reach[a] + reach[b] - both)
    return _components(templates, a[near], b[near])


def find_jobs(engine: Engine, progress: Callable[[int, int], None] = lambda _, __: None) -> Jobs:
    """Find the recurring jobs, and leave `job_traffic` (job, exchange_no, account_no) and `account_jobs` (job,
    account_no, exchanges) in the engine. progress: told how many of how many steps are done."""
    progress(0, STEPS)
    templates = _templates(engine)
    progress(1, STEPS)
    engine.register("template_passages", templates)
    engine.create(
        "template_traffic",
        "SELECT DISTINCT p.template, c.exchange_no, c.account_no FROM carried AS c "
        "JOIN template_passages AS p ON p.passage = c.passage",
    )
    progress(2, STEPS)
    count = int(templates["template"].to_numpy().max(initial=-1)) + 1
    jobs = _same_job(engine, count)
    engine.register("template_jobs", pa.table({"template": np.arange(count), "job": jobs}))
    engine.create(
        "carrying",
        "SELECT DISTINCT j.job, t.exchange_no, t.account_no FROM template_traffic AS t "
        "JOIN template_jobs AS j ON j.template = t.template",
    )
    progress(3, STEPS)
    engine.create("job_traffic", _sql("conversations"))
    progress(4, STEPS)
    engine.create(
        "account_jobs",
        f"""
        WITH sent AS (
          SELECT job, account_no, count(*) AS exchanges FROM job_traffic GROUP BY job, account_no
          HAVING count(*) >= {LEAST_SENT}
        )
        SELECT job, account_no, exchanges FROM sent WHERE job IN (
          SELECT job FROM sent GROUP BY job HAVING count(*) >= 2 AND sum(exchanges) >= {LEAST_EXCHANGES}
        )
        """,
    )
    sent = engine.query("SELECT job, account_no, exchanges FROM account_jobs ORDER BY job, account_no")
    progress(5, STEPS)
    passages = pa.table({"job": jobs[templates["template"].to_numpy()], "passage": templates["passage"]})
    return Jobs(passages, sent, _groups(engine, sent))


def _groups(engine: Engine, sent: pa.Table) -> pa.Table:
    """group_no, job: jobs whose accounts overlap are one candidate, at every level of `SAME_GROUP`, of all jobs and of
    main jobs; each group once."""
    everything = engine.query("SELECT exchanges FROM parties ORDER BY account_no")["exchanges"].to_numpy()
    account = sent["account_no"].to_numpy()
    main = sent["exchanges"].to_numpy() >= MAIN_JOB * everything[account]
    groups: dict[tuple[int, ...], None] = {}
    for kept in (np.ones(len(account), np.bool_), main):
        job, rows = np.unique(sent["job"].to_numpy()[kept], return_inverse=True)
        sets = Sets(rows, account[kept], len(job))
        for labels in in_threads(len(SAME_GROUP), sets.near, SAME_GROUP):
            order = np.argsort(labels, kind="stable")
            _, first = np.unique(labels[order], return_index=True)
            for members in np.split(job[order], first[1:]) if len(job) else []:
                groups.setdefault(tuple(members.tolist()))
    numbers = np.repeat(np.arange(len(groups)), [len(g) for g in groups])
    return pa.table({"group_no": numbers, "job": np.array([j for g in groups for j in g], np.int64)})
