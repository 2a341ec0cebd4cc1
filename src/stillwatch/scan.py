"""The scan: traffic in, findings out. Every stage in the order in which the data goes."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch import sources, store
from stillwatch.campaigns import find
from stillwatch.campaigns.verdicts import Verdict, heed, verdicts_of
from stillwatch.engine import DuckDB, Engine
from stillwatch.enrich import Gear
from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.findings import Findings
from stillwatch.outputs import write_results
from stillwatch.outputs.assembled import Assembled, assemble, renamed
from stillwatch.outputs.publish import published
from stillwatch.settings import Settings
from stillwatch.store import again, ledger
from stillwatch.store.ingest import Given, enriched, ingest, reading_digest, told_apart
from stillwatch.store.kept import Store, opened
from stillwatch.store.key import read_key
from stillwatch.store.manifest import SCHEMAS, place_of
from stillwatch.store.parts import enriched_writer
from stillwatch.store.passages import covered
from stillwatch.tables import ACCOUNTS, EXCHANGES, MODELS
from stillwatch.workloads import Jobs, find_jobs
from stillwatch.workloads.intents import intents
from stillwatch.workloads.text import SHOWN, SharedText, read_texts, wanted
from stillwatch.workloads.text import _distinct as distinct

# Enriched exchanges a Parquet part: about 200 MB, which keeps both the number of parts and each one's memory small.
PART_ROWS = 1_000_000
# Exchanges a row group: DuckDB reads groups of 122,880 rows and more in parallel at its full rate.
GROUP_ROWS = 131_072
MICROSECONDS_AN_HOUR = 3_600_000_000
MICROSECONDS_A_DAY = 86_400_000_000

ENGINES = ("duckdb", "spark")
# What is told of a shared passage beside where it stands.
SHARED = ("passage", "accounts", "exchanges")

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from stillwatch.distributed import Files, Paths
    from stillwatch.engine.spark import Spark

# Told where a scan stands: the stage, exchanges done in it, and of how many where that is known.
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What to scan. targets: files, folders or globs."""

    targets: tuple[str, ...]
    out: Path
    format: str = "auto"
    accounts: Path | None = None
    models: Path | None = None
    join: tuple[Path, ...] = ()
    mapping: Path | None = None
    store: Path | None = None
    verdicts: Path | None = None
    engine: str = "duckdb"


class Feed(Protocol):
    """Traffic that comes into a store by another way than files that somebody names."""

    def inputs(self, rejects: sources.Rejects) -> sources.Inputs:
        """What there is to read now: files that nobody writes to any more, in their order."""
        ...

    def batches(self, inputs: sources.Inputs, rejects: sources.Rejects) -> Iterator[pa.RecordBatch]:
        """Their exchanges, the same in each reading; the next file is asked for once one was read to its end."""
        ...


@dataclass(frozen=True, slots=True)
class Read:
    """What is to be judged: exchanges read (repeats among them), the columns of which no row had a value, and how many
    files there were of each format."""

    rows: int
    absent: tuple[str, ...]
    formats: dict[str, int]


def _silent(stage: str, done: int, total: int | None) -> None:
    """No progress."""


def scan(request: Request, settings: Settings, progress: Progress = _silent, feed: Feed | None = None) -> Findings:
    """Scan traffic and publish the results in `request.out`; return the findings.

    feed: where the traffic comes from in place of `request.targets`; it takes a store. Raises InputError where nothing
    usable is in the input, EnvironmentFailure where disk, memory or permission fail.
    """
    _check_engine(request)
    gear = _gear(settings) if request.store is None else None
    with (
        published(request.out) as folder,
        _work_folder(settings, request.out) as work,
        sources.Rejects(folder / "rejected.jsonl") as rejects,
        _session(request, settings) as within,
    ):
        if gear is not None and within is not None:
            inputs, traffic = _spark_scan(request, settings, gear, rejects=rejects, work=work, within=within)
            spark = _SparkScan(request, settings, gear, inputs, rejects, work, progress, within, traffic)
            findings = spark.run(folder)
        elif gear is not None:
            inputs = _found(request, rejects)
            findings = _Scan(request, settings, gear, inputs, rejects, work, progress, within).run(folder)
        else:
            inputs = feed.inputs(rejects) if feed is not None else _found(request, rejects)
            with opened(request.store or Path(), settings.sketch_key_file) as (kept, own):
                reading = reading_digest([*request.join, *([request.mapping] if request.mapping else [])])
                of = (request, settings, own, inputs, rejects, work, progress, within)
                findings = _StoreScan(*of, kept, reading, feed).run(folder)
        (folder / "rejected.jsonl").touch()  # empty where nothing was set aside, so that programs find it always
        return findings


def _found(request: Request, rejects: sources.Rejects) -> sources.Inputs:
    return sources.discover(
        request.targets,
        format=request.format,
        accounts=request.accounts,
        models=request.models,
        rejects=rejects,
        join=request.join,
    )


@dataclass(frozen=True, slots=True)
class _Scan:
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

    def run(self, folder: Path) -> Findings:
        """Read, judge, and write the results into `folder`."""
        settings = self.settings
        # Small and quickly read: a fault in them is told at once.
        known = _known(self.inputs, self.rejects, self.request.verdicts)
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

        def stretches(total: int | None) -> Iterator[tuple[int, int, pa.RecordBatch]]:
            nonlocal rows
            self.progress("enrich", 0, total)
            for batch in self._batches(self.inputs, self.rejects):
                present.update(n for n in EXCHANGES.names if batch.column(n).null_count < batch.num_rows)
                yield 0, rows, batch
                rows += batch.num_rows
                self.progress("enrich", rows, total)

        with closing(_Parts(self.work / "enriched")) as parts:
            for _, batch in enriched(stretches(_rows_known(self.inputs.traffic)), self.gear, self.settings.threads):
                parts.write(batch)
        engine.register_parquet("enriched", self.work / "enriched")
        return Read(rows, tuple(n for n in EXCHANGES.names if n not in present), self.inputs.formats)

    def _judge(self, engine: Engine, known: _Known, read: Read) -> Assembled:
        self.progress("store", 0, None)
        since = self._since(engine)
        rows = read.rows if since is None else engine.scalar("SELECT count(*) FROM enriched")
        ids = engine.scalar("SELECT count(DISTINCT exchange_id) FROM enriched")

        def progress(stage: str, done: int) -> None:
            self.progress(stage, done, ids)

        here = store.Local(self.work / "enriched", self.work, self.settings.threads, since, progress)
        store.build(engine, ids < rows, here if self.within is None else None)
        _register_known(engine, known)
        self.progress("workloads", 0, None)
        jobs = find_jobs(engine)
        engine.register("job_passages", jobs.passages)
        texts = self._texts(engine, read)
        asked = {text.job: intents(" ".join(t.text for t in texts if t.job == text.job)) for text in texts}
        _register_intents(engine, asked)
        self.progress("evidence", 0, None)
        silent = frozenset(read.absent) | _silent_accounts(engine)
        candidates, remarks = heed(find(engine, jobs, silent), known.verdicts, _account_ids(engine))
        for remark in remarks:
            self.rejects.note(remark)
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

    def _read_texts(self, places: pa.Table, inputs: sources.Inputs, rows: int) -> list[SharedText]:
        """Texts at places, whose numbers count the exchanges of `inputs`, of which there are `rows`."""
        paths = [file.path for file in inputs.traffic]
        if not self.request.join and sum(again.rows_of(path) or -rows for path in paths) == rows:
            # No row was set aside, so an exchange's number is its row's.
            numbers, which = np.unique(places["exchange_no"].to_numpy(), return_inverse=True)
            column = places.schema.get_field_index("exchange_no")
            compact = places.set_column(column, "exchange_no", pa.array(which))
            return read_texts(compact, again.picked(paths, numbers), self.gear, self.settings.k)

        def batches() -> Iterator[pa.RecordBatch]:
            done = 0
            for batch in self._batches(inputs, sources.Rejects(None)):
                yield batch
                done += batch.num_rows
                self.progress("passages", done, rows)

        return read_texts(places, batches(), self.gear, self.settings.k)


@dataclass(frozen=True, slots=True)
class _SparkScan(_Scan):
    """A scan whose traffic is read by Spark's tasks."""

    traffic: Files | Paths

    def _read(self, engine: Engine) -> Read:
        """Enrich all traffic in Spark, as `enriched` in the engine."""
        total = _rows_known(self.inputs.traffic) or None
        self.progress("enrich", 0, total)
        found = self.traffic.read(_in_spark(engine), self.rejects)
        self.progress("enrich", found.rows, total)
        return Read(found.rows, tuple(n for n in EXCHANGES.names if n not in found.columns), found.formats)

    def _keep_ever(self, engine: Engine) -> None:
        engine.view("enriched_ever", "SELECT * FROM enriched")

    def _texts(self, engine: Engine, read: Read) -> list[SharedText]:  # noqa: ARG002
        """What k parties share, from those files of the traffic that hold it."""
        self.progress("passages", 0, None)
        places = wanted(engine, self.settings.k)
        if not places.num_rows:
            return []
        texts = self.traffic.texts(_in_spark(engine), places["exchange_no"].to_numpy())
        at = pc.index_in(places["exchange_no"], texts["exchange_no"].combine_chunks()).cast(pa.int64())
        column = places.schema.get_field_index("exchange_no")
        return read_texts(places.set_column(column, "exchange_no", at), texts.to_batches(), self.gear, self.settings.k)


def _in_spark(engine: Engine) -> Spark:
    from stillwatch.engine.spark import Spark

    assert isinstance(engine, Spark)
    return engine


@contextmanager
def _session(request: Request, settings: Settings) -> Iterator[SparkSession | None]:
    """A session of Spark where the request wants it."""
    if request.engine != "spark":
        yield None
        return
    from stillwatch.engine.spark import session

    with session(settings.spark_master, settings.spark_conf) as within:
        yield within


def _check_engine(request: Request) -> None:
    """Refuse an engine that there is not, or that cannot do what is asked; raises InputError."""
    if request.engine not in ENGINES:
        raise InputError(f"--engine {request.engine}: no such engine; use {' or '.join(ENGINES)}")
    remote = [target for target in request.targets if "://" in target]
    if request.engine == "duckdb":
        if remote:
            raise InputError(f"{remote[0]}: only --engine spark reads such paths; bring the files here, or use it")
        return
    missing = [name for name in ("pyspark", "sqlglot", "pandas") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"--engine spark: {', '.join(missing)} not installed: pip install 'stillwatch[spark]', or leave it out"
        )
    if request.join:
        raise InputError("--join is not taken by --engine spark: join the second source to the traffic in Spark first")
    if remote and len(remote) < len(request.targets):
        raise InputError(f"{remote[0]}: give all traffic as such paths (file:///... for files here), or none")
    if remote and request.store:
        raise InputError(f"{remote[0]}: a store takes files of this machine: leave --store out, or bring them here")


def _spark_scan(
    request: Request, settings: Settings, gear: Gear, *, rejects: sources.Rejects, work: Path, within: SparkSession
) -> tuple[sources.Inputs, Files | Paths]:
    """What there is to read by Spark's tasks, and what beside it."""
    from stillwatch.distributed import Files, Paths, Reading, remote_inputs

    reading = Reading(sources.choose(request.mapping), gear, settings.batch_rows)
    if not any("://" in target for target in request.targets):
        inputs = _found(request, rejects)
        return inputs, Files.of(inputs, reading)
    inputs, files = remote_inputs(
        within,
        request.targets,
        accounts=request.accounts,
        models=request.models,
        rejects=rejects,
        to=work / "beside",
    )
    return inputs, Paths(files, reading, request.format)


@dataclass(frozen=True, slots=True)
class _StoreScan(_Scan):
    """A scan over all that a store holds. given: the files of this run, once they were read. reading: what else decides
    how they are read."""

    kept: Store
    reading: str
    feed: Feed | None = None
    given: list[Given] = field(default_factory=list)

    def _batches(self, inputs: sources.Inputs, rejects: sources.Rejects) -> Iterator[pa.RecordBatch]:
        """The traffic, in the same order each time."""
        if self.feed is not None:
            return self.feed.batches(inputs, rejects)
        return _Scan._batches(self, inputs, rejects)

    def _read(self, engine: Engine) -> Read:
        """Take what is new into the store, and show all its exchanges as `enriched` in the engine."""
        known, new = told_apart(self.kept, self.inputs)
        self.given.extend(known)
        if new:
            total = _rows_known([n.file for n in new])
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
        if self.settings.keep_days is not None:
            self.kept.expire(self.settings.keep_days)
        manifest = self.kept.manifest
        if not manifest.rows:
            raise InputError(f"{self.kept.folder}: no exchange in the store, and no usable one in this traffic")
        just_read = {given.source.number for given in self.given if given.new}
        for source in manifest.sources:
            for reason, count in source.rejected.items() if source.number not in just_read else ():
                self.rejects.count += count
                self.rejects.by_reason[reason] = self.rejects.by_reason.get(reason, 0) + count
        self.kept.link(self.work / "enriched")
        engine.register_parquet("enriched", self.work / "enriched")
        return Read(manifest.rows, manifest.absent, dict(Counter(source.format for source in manifest.sources)))

    def _texts(self, engine: Engine, read: Read) -> list[SharedText]:  # noqa: ARG002
        """What k parties share: as the store keeps it, else as this run's traffic has it, which is kept then."""
        self.progress("passages", 0, None)
        k = self.settings.k
        places = wanted(engine, k)
        kept = {row["passage"]: row for row in self.kept.table("passages").to_pylist()}
        known = {passage: row["text"] for passage, row in kept.items() if row["parties"] >= k}
        made = self._compared(_without(places, [p for p in known if kept[p]["whole"]]))
        alike = self._covered(engine, _without(places, known | made))
        for texts in (made, alike):
            kept |= {p: {"passage": p, "text": t, "parties": k, "whole": texts is made} for p, t in texts.items()}
        rows = [kept[passage] for passage in sorted(kept)]
        self.kept.replace({"passages": pa.Table.from_pylist(rows, schema=SCHEMAS["passages"])})
        known |= made | alike
        stand = places.group_by(["job", *SHARED]).aggregate([]).to_pylist()
        return distinct([SharedText(**row, text=known[row["passage"]]) for row in stand if row["passage"] in known])

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
        number = {name: self.kept.table(name) for name in ("campaigns", "pools", "workloads")}
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
        self.kept.replace({"campaigns": by_campaign.ledger, "pools": by_pool.ledger, "workloads": by_workload.ledger})
        said = "Passages are known by the store's own key, which no result holds."
        for remark in (*by_campaign.remarks("C"), said):
            self.rejects.note(remark)
        return renamed(found, by_campaign.numbers, by_pool.numbers, by_workload.numbers)


def _without(places: pa.Table, passages: Iterable[int]) -> pa.Table:
    return places.filter(pc.invert(pc.is_in(places["passage"], pa.array(list(passages), pa.int64()))))


def _rows_known(files: list[sources.TrafficFile]) -> int | None:
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


def _gear(settings: Settings) -> Gear:
    return Gear.from_key(read_key(settings.sketch_key_file)) if settings.sketch_key_file else Gear.from_key()


@contextmanager
def _work_folder(settings: Settings, out: Path) -> Iterator[Path]:
    parent = settings.work_dir or out.parent
    try:
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}.work.", dir=parent))
    except OSError as error:
        raise EnvironmentFailure(f"{parent}: cannot make a working folder: {error.strerror}") from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


class _Parts:
    """Enriched batches as Parquet parts, in reading order, written by a thread of their own beside the reading."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self._thread = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None
        self._held: list[pa.RecordBatch] = []
        self._rows = 0
        self._writer: pq.ParquetWriter | None = None
        self._in_part = 0
        self._parts = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._held.append(batch)
        self._rows += batch.num_rows
        if self._rows >= GROUP_ROWS:
            self._hand_over()

    def _hand_over(self) -> None:
        """Give what is held to the thread, once it has written what it was given before."""
        self._wait()
        if self._held:
            self._writing = self._thread.submit(self._write, pa.Table.from_batches(self._held))
            self._held, self._rows = [], 0

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def _write(self, rows: pa.Table) -> None:
        if self._writer is None or self._in_part >= PART_ROWS:
            self._finish()
            self._writer = enriched_writer(self._folder / f"part-{self._parts:05}.parquet")
            self._parts += 1
            self._in_part = 0
        self._writer.write_table(rows)
        self._in_part += rows.num_rows

    def _finish(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def close(self) -> None:
        try:
            self._hand_over()
            self._wait()
        finally:
            self._thread.shutdown()
            self._finish()


@dataclass(frozen=True, slots=True)
class _Known:
    """What was said of accounts, models and earlier findings; without rows where nothing was said."""

    accounts: pa.Table
    events: pa.Table | None
    models: pa.Table
    verdicts: list[Verdict]


def _known(inputs: sources.Inputs, rejects: sources.Rejects, verdicts: Path | None) -> _Known:
    return _Known(
        sources.read_accounts(inputs.accounts, rejects) if inputs.accounts else ACCOUNTS.empty(),
        sources.read_account_events(inputs.account_events, rejects) if inputs.account_events else None,
        sources.read_models(inputs.models, rejects) if inputs.models else MODELS.empty(),
        verdicts_of(sources.read_verdicts(verdicts, rejects)) if verdicts else [],
    )


def _account_ids(engine: Engine) -> dict[int, str]:
    ids = engine.query("SELECT account_no, account_id FROM parties").to_pydict()
    return dict(zip(ids["account_no"], ids["account_id"], strict=True))


def _register_known(engine: Engine, known: _Known) -> None:
    """`known_accounts` (with account_no) and `models` (model, released_day), empty where there is no file."""
    accounts, models = known.accounts, known.models
    changed = accounts["status_changed_at"].cast(pa.int64())
    accounts = accounts.append_column("created_hour", _whole(accounts["created_at"], MICROSECONDS_AN_HOUR))
    accounts = accounts.append_column("status_changed_us", changed)
    engine.register("account_file", accounts.drop_columns(["created_at", "status_changed_at"]))
    engine.create(
        "known_accounts",
        "SELECT p.account_no, a.* EXCLUDE (account_id) "
        "FROM account_file AS a JOIN parties AS p ON p.account_id = a.account_id",
    )
    if known.events is not None:
        engine.register("account_events", known.events.set_column(1, "time_us", known.events["time"].cast(pa.int64())))
    released = models["released_at"]
    columns = {"released_day": _whole(released, MICROSECONDS_A_DAY), "released_us": released.cast(pa.int64())}
    engine.register("models", pa.table({"model": models["model"], **columns}))


def _whole(times: pa.ChunkedArray, unit: int) -> pa.Array:
    """Whole units since 1970 of times in microseconds, rounded down, before 1970 as well."""
    return pa.array([None if t is None else t // unit for t in times.cast(pa.int64()).to_pylist()], pa.int64())


def _silent_accounts(engine: Engine) -> frozenset[str]:
    """Columns of the account and model files without any value, as evidence names them."""
    silent = set()
    for column in (
        "organization_id",
        "email_domain",
        "email_hash",
        "payment_fingerprint",
        "phone_hash",
        "device_fingerprint",
        "verification",
        "status",
    ):
        if engine.scalar(f"SELECT count({column}) FROM known_accounts") == 0:
            silent.add(f"accounts.{column}")
    if engine.scalar("SELECT count(created_hour) FROM known_accounts") == 0:
        silent.add("accounts.created_at")
    if engine.scalar("SELECT count(*) FROM models") == 0:
        silent.add("models.released_at")
    return frozenset(silent)
