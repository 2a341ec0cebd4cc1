"""One exchange in, one row without its text out: the only stage that reads prompts.

`enrich` is a pure function from an Arrow record batch to an Arrow record batch, so the same code runs in threads here
and inside an engine's own batch map elsewhere.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.enrich.clock import clock
from stillwatch.enrich.network import network
from stillwatch.enrich.sketch import Gear, hashed, sketch
from stillwatch.tables import ENRICHED

__all__ = ["Gear", "enrich"]


def _history(batch: pa.RecordBatch, gear: Gear) -> dict[str, pa.Array]:
    """Hashes of what was sent so far, by which conversations are followed from one exchange to the next.

    A chat turn sends every earlier message again, so the next turn's `history_before` equals this turn's `history`, and
    a later turn's `history_first` (or `history_second`, after a system prompt) the first turn's `opening`. Prefixes of
    fewer than three messages hold no answer of the model's and recur by themselves, so only openings are such.
    """
    lists = batch.column("history_hashes")
    sizes = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    flat = hashed(lists.flatten(), gear).to_numpy(zero_copy_only=False)
    ends = np.cumsum(sizes)
    starts = ends - sizes
    places = {
        "history": (ends - 1, sizes >= 3),
        "history_before": (ends - 3, sizes >= 5),
        "opening": (ends - 1, (sizes == 1) | (sizes == 2)),
        "history_first": (starts, sizes >= 3),
        "history_second": (starts + 1, sizes >= 3),
    }
    columns = {}
    for name, (at, known) in places.items():
        values = flat[np.where(known, at, 0)] if len(flat) else np.zeros(len(at))
        columns[name] = pa.array(np.where(known, values, 0).astype(np.int64), mask=~known)
    return columns


def _integers(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    """Numbers as int64 (temperature in thousandths, booleans as 0 and 1): floats do not enter SQL."""
    columns = {
        name: batch.column(name).cast(pa.int64())
        for name in (
            "messages",
            "max_tokens",
            "reasoning_budget",
            "n",
            "input_tokens",
            "output_tokens",
            "reasoning_tokens",
        )
    }
    scaled = pc.round(pc.multiply(batch.column("temperature"), 1000.0))
    finite = pc.and_(pc.is_finite(scaled), pc.less(pc.abs(scaled), 1e9))
    columns["temperature_milli"] = pc.if_else(finite, scaled, None).cast(pa.int64(), safe=False)
    for name in ("logprobs", "stream", "batch"):
        columns[name] = batch.column(name).cast(pa.int64())
    return columns


def enrich(batch: pa.RecordBatch, first_no: int, gear: Gear) -> pa.RecordBatch:
    """Make the `ENRICHED` rows of a batch of `EXCHANGES`.

    first_no: the number of the batch's first exchange in reading order, from which `exchange_no` counts on.
    """
    rows = batch.num_rows
    columns: dict[str, pa.Array] = {"exchange_no": pa.array(np.arange(first_no, first_no + rows, dtype=np.int64))}
    columns |= clock(batch.column("time")) | network(batch.column("ip")) | _history(batch, gear) | _integers(batch)
    capped = np.zeros(rows, np.bool_)
    for part in ("system_prompt", "prompt"):
        made = sketch(batch.column(part), gear)
        columns[f"{part}_hash"] = made.whole
        columns[f"{part}_passages"] = made.passages
        capped |= made.capped
    for part in ("system_prompt", "prompt", "response"):
        columns[f"{part}_bytes"] = pc.binary_length(batch.column(part)).cast(pa.int64())
    columns["capped"] = pa.array(capped.astype(np.int64))
    columns["tools_hash"] = hashed(pc.binary_join(batch.column("tools"), "\n"), gear)
    for name in (
        "exchange_id",
        "account_id",
        "key_id",
        "end_user_id",
        "conversation_id",
        "access_path",
        "user_agent",
        "tls_fingerprint",
        "model",
        "status",
    ):
        columns[name] = batch.column(name)
    return pa.RecordBatch.from_arrays([columns[c] for c in ENRICHED.names], schema=ENRICHED.schema)
