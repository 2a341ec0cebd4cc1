"""A verdict ought to rest on what it cites: without those exchanges, scanned again, it should fall."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch import sources
from stillwatch.errors import InputError
from stillwatch.evaluate.found import Found, cited_rows, read_found
from stillwatch.evaluate.known import Known, read_known
from stillwatch.evaluate.sent import Progress, silent
from stillwatch.scan import Request, scan
from stillwatch.settings import Settings
from stillwatch.tables import EXCHANGES


@dataclass(frozen=True, slots=True)
class Deleted:
    """A found campaign before and after the exchanges that it cites were removed.

    together_after: the most of its accused that one found campaign accuses after; probability_after: that campaign's.
    falls: fewer than two of its accused are accused together after, so that no campaign of them is left.
    """

    campaign: str
    removed: int
    probability: float
    accused: int
    accused_after: int
    together_after: int
    probability_after: float | None
    falls: bool


def delete_cited(world: Path, folder: Path, settings: Settings, progress: Progress = silent) -> list[Deleted]:
    """For every campaign of the result in `folder`, scan `world` without the exchanges that the campaign cites.

    These are its rows of `exchanges/` and the ids that its evidence names. Raises what a scan raises.
    """
    before = read_found(folder)
    again = _Again(world, read_known(world), settings, progress)
    results = []
    for number, campaign in enumerate(before.campaigns, 1):
        rows = before.exchanges.filter(pc.equal(before.exchanges["campaign_id"], campaign))
        cited = pa.array(sorted({*rows["exchange_id"].to_pylist(), *cited_rows(folder, campaign)}), pa.string())
        after, removed = again.without(cited, f"what {campaign} cites, {number} of {len(before.campaigns)}")
        results.append(_beside(campaign, removed, before, after))
    return results


def _beside(campaign: str, removed: int, before: Found, after: Found | None) -> Deleted:
    accused = before.accused[campaign]
    left = {name: len(group & accused) for name, group in after.accused.items()} if after else {}
    most = max(sorted(left), key=lambda name: left[name], default=None)
    together = left[most] if most is not None else 0
    return Deleted(
        campaign,
        removed,
        before.campaigns[campaign],
        len(accused),
        len(accused & frozenset().union(*after.accused.values())) if after else 0,
        together,
        after.campaigns[most] if after and most is not None and together else None,
        together < 2,
    )


@dataclass(frozen=True, slots=True)
class _Again:
    """A world to be scanned again without some of its exchanges."""

    world: Path
    known: Known
    settings: Settings
    progress: Progress

    def without(self, cited: pa.Array, label: str) -> tuple[Found | None, int]:
        """What a scan finds without the cited exchanges (None where no other is left), and how many they were."""
        with tempfile.TemporaryDirectory(prefix="stillwatch-cited.", dir=self.settings.work_dir) as scratch:
            left, out = Path(scratch) / "world", Path(scratch) / "out"
            left.mkdir()
            self.known.write(left)
            kept, removed = self._copy(left / "exchanges.parquet", cited, f"Removing {label}")
            if not removed and len(cited):
                raise InputError(f"{self.world}: holds no exchange that the result cites: is it a scan of this world?")
            if not kept:
                return None, removed
            said = f"Scanning without {label}"
            scan(Request((str(left),), out), self.settings, lambda _, done, total: self.progress(said, done, total))
            return read_found(out), removed

    def _copy(self, path: Path, cited: pa.Array, label: str) -> tuple[int, int]:
        """Write the exchanges that are not cited; how many were written, and how many were not."""
        rejects = sources.Rejects(None)
        kept = removed = 0
        with pq.ParquetWriter(path, EXCHANGES.schema, compression="zstd") as writer:
            for batch in sources.read(sources.discover((str(self.world),), rejects=rejects), rejects=rejects):
                rest = batch.filter(pc.invert(pc.is_in(batch["exchange_id"], value_set=cited)))
                writer.write_batch(rest)
                kept, removed = kept + rest.num_rows, removed + batch.num_rows - rest.num_rows
                self.progress(label, kept + removed, None)
        return kept, removed
