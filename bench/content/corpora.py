"""Texts of honest senders and of campaigns, from whole sources that nothing here was tuned on.

Every detector gets the same texts. Tuned on: the world `mixture` of seed 1001 as its own grammar writes it, alone.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import sources
from stillwatch.simulate import simulate

TUNED_ON = "tuned on"
# A text is the system prompt and the last message of one exchange.
Text = tuple[str, str]
# Honest exchanges, and exchanges of campaigns, that are drawn from a source: ten windows' worth, and in texts of
# campaigns fifteen times what a window of 10% holds. The sentence encoder reads some twenty texts a second on a core.
HONEST, CAMPAIGN = 5_000, 750


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts of one source."""

    name: str
    honest: list[Text]
    campaign: list[Text]


def _drawn(name: str, rows: Sequence[Text], guilty: np.ndarray) -> Corpus:
    """So many of each, by lot."""
    rng = np.random.default_rng(0)
    honest, campaign = (rng.permutation(np.flatnonzero(side)) for side in (~guilty, guilty))
    return Corpus(name, [rows[i] for i in honest[:HONEST]], [rows[i] for i in campaign[:CAMPAIGN]])


def _texts(table: pa.Table) -> list[Text]:
    pairs = zip(table["system_prompt"].to_pylist(), table["prompt"].to_pylist(), strict=True)
    return [(system or "", prompt or "") for system, prompt in pairs]


def of_world(name: str, world: str, seed: int, source: Path | None) -> Corpus:
    """A simulated world whose payloads are the lines of one file; its templates are drawn afresh from the seed."""
    with tempfile.TemporaryDirectory() as folder:
        made, text = Path(folder) / "world", Path(folder) / "text"
        text.mkdir()
        if source is not None:
            (text / source.name).symlink_to(source)
        simulate(made, world=world, exchanges=20_000, seed=seed, text=text if source else None)
        table = pq.read_table(made / "exchanges.parquet", columns=["exchange_id", "system_prompt", "prompt"])
        guilty = set(pq.read_table(made / "truth_exchanges.parquet")["exchange_id"].to_pylist())
    return _drawn(name, _texts(table), np.array([x in guilty for x in table["exchange_id"].to_pylist()]))


def of_capture(name: str, folder: Path) -> Corpus:
    """A real proxy's log: accounts that run distilabel's pipelines between them, against all others."""
    with (folder / "truth.csv").open(encoding="utf-8") as file:
        guilty = {row["account_id"] for row in csv.DictReader(file) if row["campaign"]}
    with sources.Rejects(None) as rejects:
        inputs = sources.discover((str(folder / "standard_logging_payload.jsonl.gz"),), rejects=rejects)
        table = pa.Table.from_batches(list(sources.read(inputs, rejects=rejects)))
    return _drawn(name, _texts(table), np.array([a in guilty for a in table["account_id"].to_pylist()]))


def corpora(data: Path) -> dict[str, Callable[[], Corpus]]:
    """The sources by name, each made when it is asked for. data: the folder of data beside the project."""
    camel, arena = data / "text" / "camel_ai_society_tasks.txt.gz", data / "text" / "arena_hard_prompts.jsonl.gz"

    def world(name: str, kind: str, seed: int, source: Path | None) -> tuple[str, Callable[[], Corpus]]:
        return name, lambda: of_world(name, kind, seed, source)

    return dict(
        (
            world("mixture, CAMEL", "mixture", 2001, camel),
            world("february-2026, CAMEL", "february-2026", 2002, camel),
            world("mixture, Arena-Hard", "mixture", 2003, arena),
            world("february-2026, Arena-Hard", "february-2026", 2004, arena),
            ("LiteLLM capture", lambda: of_capture("LiteLLM capture", data / "litellm_capture")),
            world(f"mixture, grammar ({TUNED_ON})", "mixture", 1001, None),
        )
    )
