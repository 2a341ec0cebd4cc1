"""The text of a passage that k parties share, from one exchange alone.

A passage's text is what the exchanges of k parties have in common around it. Where only some of these are at hand (the
others came on days whose traffic is gone), one of them tells it too: each of its passages is a run of text of its own,
of which it is known how many parties carry it, and a shared text is covered by its passages without a gap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.engine import Engine
from stillwatch.enrich import Gear
from stillwatch.enrich.sketch import locate

# Who counts as one of the k that must share a text: a payer or an organisation where that is known, else an account.
# In SQL, of `known_accounts` as k; the table of accounts is to be named where it goes in.
PARTY = "coalesce(k.payment_fingerprint, k.organization_id, CAST({of}.account_no AS VARCHAR))"


def covered(engine: Engine, places: pa.Table, batches: Iterable[pa.RecordBatch], gear: Gear, k: int) -> dict[int, str]:
    """Around each passage, the folded text of which every byte lies in a passage that k parties share.

    places: passage, exchange_no, at (which exchange of the batches that is). The engine holds `carried` and
    `known_accounts`.
    """
    shared = _shared(engine, places["exchange_no"], k)
    passages: dict[int, list[int]] = defaultdict(list)
    for passage, at in zip(places["passage"].to_pylist(), places["at"].to_pylist(), strict=True):
        passages[at].append(passage)
    found: dict[int, str] = {}
    first, last = 0, max(passages, default=-1)
    for batch in batches:
        for at in sorted(n for n in passages if first <= n < first + batch.num_rows):
            for part in ("system_prompt", "prompt"):
                if text := batch.column(part)[at - first].as_py():
                    folded, stands = locate(text, gear)
                    runs = _runs([span for passage, span in stands.items() if passage in shared])
                    for passage in set(passages[at]) & stands.keys() & shared:
                        start, end = next(run for run in runs if run[0] <= stands[passage][0] < run[1])
                        found.setdefault(passage, folded[start:end].decode("utf-8", errors="ignore").strip())
        first += batch.num_rows
        if first > last:
            break
    return found


def _shared(engine: Engine, exchanges: pa.ChunkedArray, k: int) -> set[int]:
    """Of the passages of some exchanges those that k parties carry: payers or organisations, else accounts."""
    engine.register("looked_at", pa.table({"exchange_no": pc.unique(exchanges)}))
    found = engine.query(f"""
        SELECT c.passage
        FROM carried AS c
        JOIN (
          SELECT DISTINCT o.passage FROM carried AS o JOIN looked_at AS l ON l.exchange_no = o.exchange_no
        ) AS p ON p.passage = c.passage
        LEFT JOIN known_accounts AS k ON k.account_no = c.account_no
        GROUP BY c.passage
        HAVING count(DISTINCT {PARTY.format(of="c")}) >= {k}
    """)
    return set(found["passage"].to_pylist())


def _runs(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that touch or overlap, joined."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined
