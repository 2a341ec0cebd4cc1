"""The text of shared passages, fetched by where they stand, and only once `k` parties share it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from stillwatch.engine import Engine
from stillwatch.enrich import Gear
from stillwatch.enrich.sketch import locate
from stillwatch.store.passages import PARTY

# Passages read of one job: the commonest stand for it; a job's passages mostly cover the same run of text.
PASSAGES_A_JOB = 6
# Jobs whose text is read, the largest first: what an analyst would look at, and it bounds the second reading.
JOBS_READ = 400
# Of jobs that fewer than k parties share no text is kept, and only what they ask for is told: of ten times as many,
# from two passages of each, so that this second reading costs what the other does.
JOBS_ASKED = 4_000
PASSAGES_ASKED = 2
# What one party alone sends says nothing of a job that recurs.
LEAST_PARTIES = 2
# What is shown of one passage, in characters: enough for a long system prompt's gist.
SHOWN = 1_200


@dataclass(frozen=True, slots=True)
class SharedText:
    """Text that at least k parties share: the job and passage it belongs to and the folded text itself."""

    job: int
    passage: int
    text: str
    accounts: int
    exchanges: int


def wanted(engine: Engine, k: int) -> pa.Table:
    """job, passage, exchange_no, accounts, exchanges: for the commonest passages of the largest jobs, one exchange of
    each of k parties. A party is a payer or an organisation where that is known, else an account."""
    return engine.query(f"""
        WITH chosen AS (
          SELECT j.job, j.passage, r.accounts, r.exchanges,
            row_number() OVER (PARTITION BY j.job ORDER BY r.exchanges DESC, j.passage) AS place
          FROM job_passages AS j JOIN recurring AS r ON r.passage = j.passage
          WHERE r.accounts >= {k} AND j.job IN (
            SELECT job FROM account_jobs GROUP BY job ORDER BY sum(exchanges) DESC, job LIMIT {JOBS_READ}
          )
        ), stands AS (
          SELECT c.job, c.passage, c.accounts, c.exchanges, o.exchange_no,
            {PARTY.format(of="o")} AS party
          FROM chosen AS c
          JOIN carried AS o ON o.passage = c.passage
          LEFT JOIN known_accounts AS k ON k.account_no = o.account_no
          WHERE c.place <= {PASSAGES_A_JOB}
        ), firsts AS (
          SELECT job, passage, accounts, exchanges, party, min(exchange_no) AS exchange_no
          FROM stands GROUP BY job, passage, accounts, exchanges, party
        ), numbered AS (
          SELECT *, row_number() OVER (PARTITION BY job, passage ORDER BY exchange_no) AS nth,
            count(*) OVER (PARTITION BY job, passage) AS parties
          FROM firsts
        )
        SELECT job, passage, exchange_no, accounts, exchanges FROM numbered
        WHERE nth <= {k} AND parties >= {k} ORDER BY job, passage, nth
    """)


def untold(engine: Engine, told: set[int]) -> pa.Table:
    """job, passage, exchange_no: for the commonest passages of the largest jobs without text that is told, one exchange
    each, where at least two parties share them. told: the jobs of which there is text."""
    engine.register("told_jobs", pa.table({"job": pa.array(sorted(told), pa.int64())}))
    return engine.query(f"""
        WITH largest AS (
          SELECT a.job FROM account_jobs AS a LEFT JOIN told_jobs AS t ON t.job = a.job WHERE t.job IS NULL
          GROUP BY a.job ORDER BY sum(a.exchanges) DESC, a.job LIMIT {JOBS_ASKED}
        ), chosen AS (
          SELECT j.job, j.passage, row_number() OVER (PARTITION BY j.job ORDER BY r.exchanges DESC, j.passage) AS place
          FROM job_passages AS j
          JOIN recurring AS r ON r.passage = j.passage
          JOIN largest AS l ON l.job = j.job
        )
        SELECT c.job, c.passage, min(o.exchange_no) AS exchange_no
        FROM chosen AS c
        JOIN carried AS o ON o.passage = c.passage
        LEFT JOIN known_accounts AS k ON k.account_no = o.account_no
        WHERE c.place <= {PASSAGES_ASKED}
        GROUP BY c.job, c.passage
        HAVING count(DISTINCT {PARTY.format(of="o")}) >= {LEAST_PARTIES}
        ORDER BY c.job, c.passage
    """)


def _common(texts: list[bytes], at: list[tuple[int, int]]) -> bytes:
    """The longest run around the aligned grams on which all texts agree."""
    left = 0
    while all(s - left > 0 for s, _ in at) and len({t[s - left - 1] for t, (s, _) in zip(texts, at, strict=True)}) == 1:
        left += 1
    right = 0
    while (
        all(e + right < len(t) for t, (_, e) in zip(texts, at, strict=True))
        and len({t[e + right] for t, (_, e) in zip(texts, at, strict=True)}) == 1
    ):
        right += 1
    start, end = at[0]
    return texts[0][start - left : end + right]


def read_texts(places: pa.Table, batches: Iterable[pa.RecordBatch], gear: Gear, k: int) -> list[SharedText]:
    """Read the traffic once more, up to the last exchange wanted, and keep what the k texts of a passage share.

    places: as `wanted` gives. batches: the same traffic in the same order as at first.
    """
    numbers = set(places["exchange_no"].to_pylist())
    texts: dict[int, list[tuple[bytes, dict[int, tuple[int, int]]]]] = defaultdict(list)
    first, last = 0, max(numbers, default=-1)
    for batch in batches:
        if first > last:
            break
        for number in sorted(n for n in numbers if first <= n < first + batch.num_rows):
            for part in ("system_prompt", "prompt"):
                text = batch.column(part)[number - first].as_py()
                if text:
                    texts[number].append(locate(text, gear))
        first += batch.num_rows
    found: dict[tuple[int, int], list[tuple[bytes, tuple[int, int]]]] = defaultdict(list)
    counts = {}
    for row in places.to_pylist():
        key = (row["job"], row["passage"])
        counts[key] = (row["accounts"], row["exchanges"])
        for folded, stands in texts[row["exchange_no"]]:
            if row["passage"] in stands:
                found[key].append((folded, stands[row["passage"]]))
                break
    shared = []
    for (job, passage), where in found.items():
        if len(where) >= k:
            run = _common([t for t, _ in where], [p for _, p in where])
            text = run.decode("utf-8", errors="ignore").strip()[:SHOWN]
            shared.append(SharedText(job, passage, text, *counts[job, passage]))
    return _distinct(shared)


def _distinct(texts: list[SharedText]) -> list[SharedText]:
    """Without those that stand inside another text of the same job."""
    kept: list[SharedText] = []
    for text in sorted(texts, key=lambda t: (t.job, -len(t.text), t.passage)):
        if not any(k.job == text.job and text.text in k.text for k in kept):
            kept.append(text)
    return kept
