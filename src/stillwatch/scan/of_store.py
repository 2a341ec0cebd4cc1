"""A scan over all that a store holds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch import sources
from stillwatch.engine import Engine
from stillwatch.errors import InputError
from stillwatch.findings import Findings
from stillwatch.outputs import HandOn
from stillwatch.outputs.assembled import Assembled, renamed
from stillwatch.scan.request import Feed
from stillwatch.scan.stages import Read, Scan, rows_known
from stillwatch.store import ledger
from stillwatch.store.ingest import Given, ingest, told_apart
from stillwatch.store.kept import Store
from stillwatch.store.manifest import SCHEMAS, place_of
from stillwatch.store.newest import in_part, write_newest
from stillwatch.store.passages import covered
from stillwatch.tables import IN_PART, OUT_IN_PART
from stillwatch.workloads import Jobs
from stillwatch.workloads.text import SHOWN, SharedText, wanted
from stillwatch.workloads.text import _distinct as distinct

# What is told of a shared passage beside where it stands.
SHARED = ("passage", "accounts", "exchanges")


@dataclass(frozen=True, slots=True)
class StoreScan(Scan):
    """A scan over all that a store holds. given: the files of this run, once they were read. reading: what else decides
    how they are read. in_part: accounts of which not all was judged, where only what came last is."""

    kept: Store
    reading: str
    feed: Feed | None = None
    given: list[Given] = field(default_factory=list)
    in_part: list[pa.Table] = field(default_factory=list)

    def _batches(self, inputs: sources.Inputs, rejects: sources.Rejects) -> Iterator[pa.RecordBatch]:
        """The traffic, in the same order each time."""
        if self.feed is not None:
            return self.feed.batches(inputs, rejects)
        return Scan._batches(self, inputs, rejects)

    def _read(self, engine: Engine) -> Read:
        """Take what is new into the store, and show all its exchanges as `enriched` in the engine."""
        known, new = told_apart(self.kept, self.inputs)
        self.given.extend(known)
        if new and self.kept.grows:
            total = rows_known([n.file for n in new])
            self.progress("enrich", 0, total)
            self.given.extend(
                ingest(
                    self.kept,
                    self.inputs,
                    new,
                    lambda inputs: self._batches(inputs, self.rejects),
                    reading=self.reading,
                    rejects=self.rejects,
                    gear=self.gear,
                    threads=self.settings.threads,
                    some_known=any(given.source.rows for given in known),
                    progress=lambda done: self.progress("enrich", done, total),
                )
            )
        if self.settings.keep_days is not None and self.kept.grows:
            self.kept.expire(self.settings.keep_days)
        manifest = self.kept.manifest
        if not manifest.rows:
            raise InputError(f"{self.kept.folder}: no exchange in the store, and no usable one in this traffic")
        just_read = {given.source.number for given in self.given if given.new}
        for source in manifest.sources:
            for reason, count in source.rejected.items() if source.number not in just_read else ():
                self.rejects.count += count
                self.rejects.by_reason[reason] = self.rejects.by_reason.get(reason, 0) + count
        rows = self._show(engine)
        return Read(rows, manifest.absent, dict(Counter(source.format for source in manifest.sources)))

    def _show(self, engine: Engine) -> int:
        """Lay out what is to be judged of the store; how many exchanges that is."""
        newest, manifest = self.request.newest, self.kept.manifest
        if newest is None or manifest.rows <= newest:
            self.kept.link(self.work / "enriched")
            engine.register_parquet("enriched", self.work / "enriched")
            return manifest.rows
        (self.work / "enriched").mkdir()
        part = self.work / "enriched" / "newest.parquet"
        rows = write_newest(self.kept.folder, manifest, newest, part)
        self.rejects.note(f"Of {manifest.rows:,} exchanges in the store, the {rows:,} that came last were judged.")
        engine.register_parquet("enriched", self.work / "enriched")
        self.in_part.append(in_part(self.kept.folder, manifest, part))
        return rows

    def run(self, folder: Path, hand_on: HandOn) -> Findings:
        """Read, judge, and write the results into `folder`."""

        def with_parts(findings: Findings, written: Path) -> None:
            for accounts in self.in_part:
                pq.write_table(accounts.cast(OUT_IN_PART.schema), written / f"{IN_PART}.parquet")
            hand_on(findings, written)

        return Scan.run(self, folder, with_parts)

    def _texts(self, engine: Engine, read: Read) -> list[SharedText]:  # noqa: ARG002
        """What k parties share: as the store keeps it, else as this run's traffic has it, which is kept then."""
        self.progress("passages", 0, None)
        k = self.settings.k
        places = wanted(engine, k)
        kept = {row["passage"]: row for row in self.kept.table("passages").to_pylist()}
        known = {passage: row["text"] for passage, row in kept.items() if row["parties"] >= k}
        made = self._compared(_without(places, [p for p in known if kept[p]["whole"]]))
        alike = self._covered(engine, _without(places, known | made))
        new = {
            p: {"passage": p, "text": t, "parties": k, "whole": texts is made}
            for texts in (made, alike)
            for p, t in texts.items()
        }
        with self.kept.turn() as now:
            kept = {row["passage"]: row for row in now.table("passages").to_pylist()} | new
            rows = [kept[passage] for passage in sorted(kept)]
            now.replace({"passages": pa.Table.from_pylist(rows, schema=SCHEMAS["passages"])})
        known |= made | alike
        stand = places.group_by(["job", *SHARED]).aggregate([]).to_pylist()
        return distinct([SharedText(**row, text=known[row["passage"]]) for row in stand if row["passage"] in known])

    def _asks(self, engine: Engine, read: Read, places: pa.Table) -> dict[int, list[str]]:  # noqa: ARG002
        """What is asked for around passages: as this run's traffic has it, else as the store keeps it."""
        kept: dict[int, list[str]] = {row["passage"]: row["asks"] for row in self.kept.table("asked").to_pylist()}
        here, inputs, _ = self._at_hand(places)
        if here.num_rows:
            new = self._kinds(engine, here, self._batches(inputs, sources.Rejects(None)))
            kept |= new
            with self.kept.turn() as now:
                asked = {row["passage"]: row["asks"] for row in now.table("asked").to_pylist()} | new
                rows = [{"passage": passage, "asks": asked[passage]} for passage in sorted(asked)]
                now.replace({"asked": pa.Table.from_pylist(rows, schema=SCHEMAS["asked"])})
        return kept

    def _compared(self, places: pa.Table) -> dict[int, str]:
        """Texts of those passages of which this run's traffic has the exchanges of k parties, by passage."""
        here, _, _ = self._at_hand(places)
        often = Counter(here["passage"].to_pylist())
        enough = pa.array([passage for passage, n in often.items() if n >= self.settings.k], pa.int64())
        here, inputs, rows = self._at_hand(places.filter(pc.is_in(places["passage"], enough)))
        if not here.num_rows:
            return {}
        # Each passage by itself, as a job of its own: which others belong to its job may change from day to day.
        alone = pa.table({"job": here["passage"], "exchange_no": here["at"]} | {name: here[name] for name in SHARED})
        return {text.passage: text.text for text in self._read_texts(alone, inputs, rows)}

    def _covered(self, engine: Engine, places: pa.Table) -> dict[int, str]:
        """Texts of passages of which this run's traffic has some exchange, by passage."""
        here, inputs, _ = self._at_hand(places)
        if not here.num_rows:
            return {}
        texts = covered(engine, here, self._batches(inputs, sources.Rejects(None)), self.gear, self.settings.k)
        return {passage: text[:SHOWN] for passage, text in texts.items()}

    def _at_hand(self, places: pa.Table) -> tuple[pa.Table, sources.Inputs, int]:
        """Those of the places that this run's traffic has, the files that have them, and how many exchanges these hold;
        as `at` where each stands in a reading of those files."""
        at = [place_of(number) for number in places["exchange_no"].to_pylist()]
        needed = {source for source, _ in at}
        files, before, rows = [], {}, 0
        for given in self.given:
            if given.source.number in needed and given.source.reading == self.reading:
                files.append(given.file)
                before[given.source.number] = rows
                rows += given.source.rows
        here = places.filter(pa.array([source in before for source, _ in at], pa.bool_()))
        numbers = pa.array([before[source] + row for source, row in at if source in before], pa.int64())
        return here.append_column("at", numbers), replace(self.inputs, traffic=files), rows

    def _named(self, found: Assembled, jobs: Jobs) -> Assembled:
        """Campaigns, pools and workloads under the ids that the store's ledgers have for them."""
        with self.kept.turn() as now:
            return self._numbered(found, jobs, now)

    def _numbered(self, found: Assembled, jobs: Jobs, now: Store) -> Assembled:
        """As `_named`, by the ledgers of the newest state."""
        campaigns = [
            ledger.Found(
                frozenset(found.account_ids[member.account_no] for member in group.members),
                min(member.first_us for member in group.members),
                max(member.last_us for member in group.members),
            )
            for group in found.campaigns
        ]
        groups = [*found.campaigns, *found.others]
        pools = [
            ledger.Found(frozenset(found.account_ids[int(n)] for n in group.candidate.weighed.members))
            for group in groups
        ]
        number = {name: now.table(name) for name in ("campaigns", "pools", "workloads")}
        by_campaign, by_pool = ledger.number(number["campaigns"], campaigns), ledger.number(number["pools"], pools)
        passages: dict[int, list[str]] = defaultdict(list)
        for job, passage in zip(jobs.passages["job"].to_pylist(), jobs.passages["passage"].to_pylist(), strict=True):
            passages[job].append(f"{passage:016x}")
        # A job may be run through several pools, and is a workload of each.
        workloads = [
            ledger.Found(frozenset([f"P-{pool}", *(p for job in workload.jobs for p in passages[job])]))
            for pool, group in zip(by_pool.numbers, groups, strict=True)
            for workload in group.workloads
        ]
        by_workload = ledger.number(number["workloads"], workloads)
        numbered = {"campaigns": by_campaign, "pools": by_pool, "workloads": by_workload}
        said = ["Passages are known by the store's own key, which no result holds."]
        if self.request.newest is None:
            now.replace({name: of.ledger for name, of in numbered.items()})
            said = [*by_campaign.remarks("C"), *said]
        else:
            now.replace({name: ledger.with_new(number[name], of.ledger) for name, of in numbered.items()})
        for remark in said:
            self.rejects.note(remark)
        return renamed(found, by_campaign.numbers, by_pool.numbers, by_workload.numbers)


def _without(places: pa.Table, passages: Iterable[int]) -> pa.Table:
    return places.filter(pc.invert(pc.is_in(places["passage"], pa.array(list(passages), pa.int64()))))
