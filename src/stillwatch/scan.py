"""The scan: traffic in, findings out. Every stage in the order in which the data goes."""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import sources, store
from stillwatch.campaigns import find
from stillwatch.engine import DuckDB
from stillwatch.enrich import Gear, enrich
from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.findings import Findings
from stillwatch.outputs import write_results
from stillwatch.outputs.assembled import Assembled, assemble
from stillwatch.outputs.publish import published
from stillwatch.settings import Settings
from stillwatch.tables import ACCOUNTS, ENRICHED, EXCHANGES, MODELS
from stillwatch.workloads import find_jobs
from stillwatch.workloads.intents import intents
from stillwatch.workloads.text import SharedText, read_texts, wanted

# Enriched exchanges a Parquet part: about 200 MB, which keeps both the number of parts and each one's memory small.
PART_ROWS = 1_000_000
MICROSECONDS_AN_HOUR = 3_600_000_000
MICROSECONDS_A_DAY = 86_400_000_000

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


@dataclass(frozen=True, slots=True)
class Read:
    """What reading gave: exchanges read (repeats among them) and the columns of which no row had a value."""

    rows: int
    absent: tuple[str, ...]


def _silent(stage: str, done: int, total: int | None) -> None:
    """No progress."""


def scan(request: Request, settings: Settings, progress: Progress = _silent) -> Findings:
    """Scan traffic and publish the results in `request.out`; return the findings.

    Raises InputError where nothing usable is in the input, EnvironmentFailure where disk, memory or permission fail.
    """
    gear = _gear(settings)
    with (
        published(request.out) as folder,
        _work_folder(settings, request.out) as work,
        sources.Rejects(folder / "rejected.jsonl") as rejects,
    ):
        inputs = sources.discover(
            request.targets,
            format=request.format,
            accounts=request.accounts,
            models=request.models,
            rejects=rejects,
            join=request.join,
        )
        findings = _Scan(request, settings, gear, inputs, rejects, work, progress).run(folder)
        (folder / "rejected.jsonl").touch()  # empty where nothing was set aside, so that programs find it always
        return findings


@dataclass(frozen=True, slots=True)
class _Scan:
    """The stages of one scan, with what each needs of the request. `work`: a folder for intermediate files."""

    request: Request
    settings: Settings
    gear: Gear
    inputs: sources.Inputs
    rejects: sources.Rejects
    work: Path
    progress: Progress

    def run(self, folder: Path) -> Findings:
        """Read, judge, and write the results into `folder`."""
        settings = self.settings
        known = _known(self.inputs, self.rejects)  # small and quickly read: a fault in them is told at once
        read = self._enrich_all()
        with DuckDB(self.work, memory_limit=settings.memory_limit, threads=settings.threads) as engine:
            engine.register_parquet("enriched", self.work / "enriched")
            found = self._judge(engine, known, read)
            self.progress("write", 0, None)
            return write_results(
                folder,
                engine,
                found,
                settings=settings,
                gear=self.gear,
                inputs=self.inputs,
                rejects=self.rejects,
                absent=read.absent,
            )

    def _batches(self, rejects: sources.Rejects) -> Iterator[pa.RecordBatch]:
        """The traffic, in the same order each time."""
        request = self.request
        return sources.read(
            self.inputs,
            rejects=rejects,
            join=request.join,
            mapping=request.mapping,
            batch_rows=self.settings.batch_rows,
        )

    def _enrich_all(self) -> Read:
        """Enrich every batch in threads (the kernels release the GIL) and write it in reading order."""
        parts = _Parts(self.work / "enriched")
        total = _rows_known(self.inputs)
        present: set[str] = set()
        rows = 0
        self.progress("enrich", 0, total)
        waiting: deque[Future[pa.RecordBatch]] = deque()
        with ThreadPoolExecutor(self.settings.threads) as pool, closing(parts):
            for batch in self._batches(self.rejects):
                present |= {n for n in EXCHANGES.names if batch.column(n).null_count < batch.num_rows}
                waiting.append(pool.submit(enrich, batch, rows, self.gear))
                rows += batch.num_rows
                while len(waiting) > self.settings.threads:
                    parts.write(waiting.popleft().result())
                self.progress("enrich", rows, total)
            while waiting:
                parts.write(waiting.popleft().result())
        return Read(rows, tuple(n for n in EXCHANGES.names if n not in present))

    def _judge(self, engine: DuckDB, known: _Known, read: Read) -> Assembled:
        self.progress("store", 0, None)
        ids = engine.scalar("SELECT count(DISTINCT exchange_id) FROM enriched")
        store.build(engine, has_duplicates=ids < read.rows)
        _register_known(engine, known)
        self.progress("workloads", 0, None)
        jobs = find_jobs(engine)
        engine.register("job_passages", jobs.passages)
        texts = self._texts(engine, read)
        asked = {text.job: intents(" ".join(t.text for t in texts if t.job == text.job)) for text in texts}
        _register_intents(engine, asked)
        self.progress("evidence", 0, None)
        silent = frozenset(read.absent) | _silent_accounts(engine)
        candidates = find(engine, jobs, silent)
        return assemble(engine, jobs, candidates, texts=texts, asked=asked, duplicates=read.rows - ids)

    def _texts(self, engine: DuckDB, read: Read) -> list[SharedText]:
        """What k parties share, from a second reading of the traffic."""
        self.progress("passages", 0, None)
        places = wanted(engine, self.settings.k)
        if places.num_rows == 0:
            return []

        def batches() -> Iterator[pa.RecordBatch]:
            done = 0
            for batch in self._batches(sources.Rejects(None)):
                yield batch
                done += batch.num_rows
                self.progress("passages", done, read.rows)

        return read_texts(places, batches(), self.gear, self.settings.k)


def _rows_known(inputs: sources.Inputs) -> int | None:
    """How many exchanges there are, where every file says so itself."""
    if not all(file.parquet for file in inputs.traffic):
        return None
    try:
        return sum(int(pq.read_metadata(file.path).num_rows) for file in inputs.traffic)
    except (pa.ArrowException, OSError):
        return None  # the reader will say what is wrong, and where


def _register_intents(engine: DuckDB, asked: dict[int, list[str]]) -> None:
    pairs = [(job, name) for job, names in asked.items() for name in names]
    jobs, names = [j for j, _ in pairs], [n for _, n in pairs]
    engine.register(
        "job_intents", pa.table({"job": pa.array(jobs, pa.int64()), "intent": pa.array(names, pa.string())})
    )


def _gear(settings: Settings) -> Gear:
    if settings.sketch_key_file is None:
        return Gear.from_key()
    try:
        key = settings.sketch_key_file.read_bytes()
    except OSError as error:
        raise InputError(f"{settings.sketch_key_file}: cannot read the sketch key: {error.strerror}") from error
    if len(key) < 16:
        raise InputError(f"{settings.sketch_key_file}: a sketch key has at least 16 bytes; this one has {len(key)}")
    return Gear.from_key(key)


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
    """Enriched batches as Parquet parts, in reading order."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self._writer: pq.ParquetWriter | None = None
        self._in_part = 0
        self._parts = 0

    def write(self, batch: pa.RecordBatch) -> None:
        if self._writer is None or self._in_part >= PART_ROWS:
            self.close()
            path = self._folder / f"part-{self._parts:05}.parquet"
            self._writer = pq.ParquetWriter(path, ENRICHED.schema, compression="zstd", compression_level=1)
            self._parts += 1
            self._in_part = 0
        self._writer.write_batch(batch)
        self._in_part += batch.num_rows

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


@dataclass(frozen=True, slots=True)
class _Known:
    """What was said of accounts and models; without rows where nothing was said."""

    accounts: pa.Table
    events: pa.Table | None
    models: pa.Table


def _known(inputs: sources.Inputs, rejects: sources.Rejects) -> _Known:
    return _Known(
        sources.read_accounts(inputs.accounts, rejects) if inputs.accounts else ACCOUNTS.empty(),
        sources.read_account_events(inputs.account_events, rejects) if inputs.account_events else None,
        sources.read_models(inputs.models, rejects) if inputs.models else MODELS.empty(),
    )


def _register_known(engine: DuckDB, known: _Known) -> None:
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


def _silent_accounts(engine: DuckDB) -> frozenset[str]:
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
