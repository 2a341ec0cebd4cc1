"""The stages of a scan, in the order in which the data goes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import sources, store
from stillwatch.campaigns import find
from stillwatch.campaigns.verdicts import heed
from stillwatch.engine import DuckDB, Engine
from stillwatch.enrich import Gear, enrich
from stillwatch.findings import Findings
from stillwatch.outputs import HandOn, write_results
from stillwatch.outputs.assembled import Assembled, assemble
from stillwatch.scan.known import Known, account_ids, known_of, register_known, silent_accounts
from stillwatch.scan.parts import Parts
from stillwatch.scan.request import Progress, Request
from stillwatch.settings import Settings
from stillwatch.store import again
from stillwatch.store.passages import covered
from stillwatch.store.sharing import Divided, Occurrences
from stillwatch.store.threads import in_threads
from stillwatch.tables import EXCHANGES
from stillwatch.workloads import Jobs, find_jobs
from stillwatch.workloads.intents import INTENTS, asked_for, intents
from stillwatch.workloads.text import LEAST_PARTIES, SharedText, read_texts, untold, wanted

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Read:
    """What is to be judged: exchanges read (repeats among them), the columns of which no row had a value, how many
    files there were of each format, and where passages stand, if that was kept on the way."""

    rows: int
    absent: tuple[str, ...]
    formats: dict[str, int]
    occurrences: Occurrences | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """The stages of one scan, with what each needs of the request. `work`: a folder for intermediate files. `within`:
    the session of Spark, where that is the engine."""

    request: Request
    settings: Settings
    gear: Gear
    inputs: sources.Inputs
    rejects: sources.Rejects
    work: Path
    progress: Progress
    within: SparkSession | None

    def run(self, folder: Path, hand_on: HandOn) -> Findings:
        """Read, judge, and write the results into `folder`."""
        settings = self.settings
        # Small and quickly read: a fault in them is told at once.
        known = known_of(self.inputs, self.rejects, self.request.verdicts)
        with self._engine() as engine:
            read = self._read(engine)
            found = self._judge(engine, known, read)
            self.progress("write", 0, None)
            return write_results(
                folder,
                engine,
                found,
                settings=settings,
                gear=self.gear,
                inputs=replace(self.inputs, formats=read.formats),
                rejects=self.rejects,
                absent=read.absent,
                hand_on=hand_on,
            )

    def _engine(self) -> AbstractContextManager[Engine]:
        settings = self.settings
        if self.within is None:
            return DuckDB(self.work, memory_limit=settings.memory_limit, threads=settings.threads)
        from stillwatch.engine.spark import Spark

        return Spark(
            self.within,
            self.work,
            folder=settings.spark_folder,
            collect=settings.spark_collect,
            memory_limit=settings.memory_limit,
            threads=settings.threads,
        )

    def _batches(self, inputs: sources.Inputs, rejects: sources.Rejects) -> Iterator[pa.RecordBatch]:
        """The traffic, in the same order each time."""
        request = self.request
        return sources.read(
            inputs,
            rejects=rejects,
            join=request.join,
            mapping=request.mapping,
            batch_rows=self.settings.batch_rows,
        )

    def _read(self, engine: Engine) -> Read:
        """Enrich all traffic, in reading order, as `enriched` in the engine."""
        present: set[str] = set()
        rows = 0

        def stretches(total: int | None) -> Iterator[tuple[int, pa.RecordBatch]]:
            nonlocal rows
            self.progress("enrich", 0, total)
            for batch in self._batches(self.inputs, self.rejects):
                present.update(n for n in EXCHANGES.names if batch.column(n).null_count < batch.num_rows)
                yield rows, batch
                rows += batch.num_rows
                self.progress("enrich", rows, total)

        def made(stretch: tuple[int, pa.RecordBatch]) -> tuple[pa.RecordBatch, Divided]:
            first_no, batch = stretch
            enriched = enrich(batch, first_no, self.gear)
            return enriched, Divided(enriched)

        occurrences = Occurrences(self.work)
        with closing(Parts(self.work / "enriched")) as parts:
            for enriched, divided in in_threads(
                self.settings.threads, made, stretches(rows_known(self.inputs.traffic))
            ):
                parts.write(enriched)
                occurrences.add(divided)
        engine.register_parquet("enriched", self.work / "enriched")
        absent = tuple(n for n in EXCHANGES.names if n not in present)
        return Read(rows, absent, self.inputs.formats, occurrences)

    def _judge(self, engine: Engine, known: Known, read: Read) -> Assembled:
        self.progress("store", 0, None)
        # What reading took, 1.6 GB at four million exchanges, is kept by Arrow for more of it, of which there is none.
        pa.default_memory_pool().release_unused()
        since = self._since(engine)
        rows = read.rows if since is None else engine.scalar("SELECT count(*) FROM enriched")
        ids = engine.scalar("SELECT count(DISTINCT exchange_id) FROM enriched")

        def progress(stage: str, done: int) -> None:
            self.progress(stage, done, ids)

        parts, threads = self.work / "enriched", self.settings.threads
        here = store.Local(parts, self.work, threads, since, read.occurrences, progress)
        # Where fewer parties are enough to show a text, what so many share must be known too.
        least = min(store.LEAST_PROMPTS, self.settings.k)
        store.build(engine, ids < rows, here if self.within is None else None, least)
        register_known(engine, known)
        jobs = find_jobs(engine, partial(self.progress, "workloads"))
        engine.register("job_passages", jobs.passages)
        texts = self._texts(engine, read)
        asked = asked_for((text.job, text.text) for text in texts)
        asked |= self._asked(engine, read, set(asked))
        _register_intents(engine, asked)
        silent = frozenset(read.absent) | silent_accounts(engine)
        ids_of = account_ids(engine)
        spoken_of = frozenset(name for verdict in known.verdicts for name in (verdict.subject, *verdict.accounts))
        named = [number for number, name in ids_of.items() if name in spoken_of] if spoken_of else []
        candidates, remarks = heed(find(engine, jobs, silent, self.progress, named), known.verdicts, ids_of)
        for remark in remarks:
            self.rejects.note(remark)
        self.progress("members", 0, None)
        found = assemble(
            engine, jobs, candidates, texts=texts, asked=asked, duplicates=rows - ids, loss=self.settings.loss
        )
        return self._named(found, jobs)

    def _since(self, engine: Engine) -> int | None:
        """The first day that counts; None where all do. `enriched` is then what counts of it."""
        if self.settings.keep_days is None:
            return None
        since = engine.scalar("SELECT max(day) FROM enriched") - self.settings.keep_days + 1
        self._keep_ever(engine)
        engine.view("enriched", f"SELECT * FROM enriched_ever WHERE day >= {since}")
        return since

    def _keep_ever(self, engine: Engine) -> None:
        """Name all that was read `enriched_ever` in the engine, so that `enriched` may become a view of it."""
        engine.register_parquet("enriched_ever", self.work / "enriched")

    def _named(self, found: Assembled, jobs: Jobs) -> Assembled:  # noqa: ARG002
        """What was found under the ids that it is reported by: in order, where nothing is known of earlier scans."""
        return found

    def _texts(self, engine: Engine, read: Read) -> list[SharedText]:
        """What k parties share, from a second reading of the traffic."""
        self.progress("passages", 0, None)
        places = wanted(engine, self.settings.k)
        return self._read_texts(places, self.inputs, read.rows) if places.num_rows else []

    def _asked(self, engine: Engine, read: Read, told: set[int]) -> dict[int, list[str]]:
        """What the jobs ask for of which no text is told."""
        places = untold(engine, told)
        asks = self._asks(engine, read, places) if places.num_rows else {}
        found: dict[int, set[str]] = defaultdict(set)
        for job, passage in zip(places["job"].to_pylist(), places["passage"].to_pylist(), strict=True):
            found[job].update(asks.get(passage, ()))
        return {job: [name for name in INTENTS if name in names] for job, names in found.items()}

    def _asks(self, engine: Engine, read: Read, places: pa.Table) -> dict[int, list[str]]:
        """What is asked for around the passages at places."""
        at, batches = self._again(places["exchange_no"].to_numpy(), self.inputs, read.rows)
        return self._kinds(engine, places.append_column("at", pa.array(at)), batches)

    def _kinds(self, engine: Engine, places: pa.Table, batches: Iterable[pa.RecordBatch]) -> dict[int, list[str]]:
        """What is asked for around the passages at places. Where fewer than k parties share the text it is read and
        dropped: its kind is all that is kept."""
        texts = covered(engine, places, batches, self.gear, LEAST_PARTIES)
        return {passage: intents(text) for passage, text in texts.items()}

    def _read_texts(self, places: pa.Table, inputs: sources.Inputs, rows: int) -> list[SharedText]:
        """Texts at places, whose numbers count the exchanges of `inputs`, of which there are `rows`."""
        at, batches = self._again(places["exchange_no"].to_numpy(), inputs, rows)
        column = places.schema.get_field_index("exchange_no")
        return read_texts(places.set_column(column, "exchange_no", pa.array(at)), batches, self.gear, self.settings.k)

    def _again(self, numbers: Integers, inputs: sources.Inputs, rows: int) -> tuple[Integers, Iterator[pa.RecordBatch]]:
        """Exchanges read a second time: batches that hold them, and where each of `numbers` stands in these. Numbers
        count the exchanges of `inputs`, of which there are `rows`."""
        paths = [file.path for file in inputs.traffic]
        if not self.request.join and sum(again.rows_of(path) or -rows for path in paths) == rows:
            # No row was set aside, so an exchange's number is its row's.
            distinct, which = np.unique(numbers, return_inverse=True)
            return which.astype(np.int64), again.picked(paths, distinct)

        def batches() -> Iterator[pa.RecordBatch]:
            done = 0
            for batch in self._batches(inputs, sources.Rejects(None)):
                yield batch
                done += batch.num_rows
                self.progress("passages", done, rows)

        return numbers, batches()


def rows_known(files: list[sources.TrafficFile]) -> int | None:
    """How many exchanges there are, where every file says so itself."""
    if not all(file.parquet for file in files):
        return None
    try:
        return sum(int(pq.read_metadata(file.path).num_rows) for file in files)
    except (pa.ArrowException, OSError):
        return None  # the reader will say what is wrong, and where


def _register_intents(engine: Engine, asked: dict[int, list[str]]) -> None:
    pairs = [(job, name) for job, names in asked.items() for name in names]
    jobs, names = [j for j, _ in pairs], [n for _, n in pairs]
    engine.register(
        "job_intents", pa.table({"job": pa.array(jobs, pa.int64()), "intent": pa.array(names, pa.string())})
    )
