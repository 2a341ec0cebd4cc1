"""The scan: traffic in, findings out. Every stage in the order in which the data goes."""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
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
from stillwatch.workloads.text import read_texts, wanted

# Enriched exchanges a Parquet part: about 200 MB, which keeps both the number of parts and each one's memory small.
PART_ROWS = 1_000_000

Progress = Callable[[str, int], None]


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


def _silent(progress_stage: str, done: int) -> None:
    """No progress."""


def scan(request: Request, settings: Settings, progress: Progress = _silent) -> Findings:
    """Scan traffic and publish the results in `request.out`; return the findings.

    Raises InputError where nothing usable is in the input, EnvironmentFailure where disk, memory or permission fail.
    """
    with published(request.out) as folder, _work_folder(settings, request.out) as work:
        rejects = sources.Rejects(folder / "rejected.jsonl")
        try:
            inputs = sources.discover(
                request.targets,
                format=request.format,
                accounts=request.accounts,
                models=request.models,
                rejects=rejects,
            )
            gear = _gear(settings)

            def batches() -> Iterator[pa.RecordBatch]:
                quiet = sources.Rejects(None)
                return sources.read(
                    inputs, rejects=quiet, join=request.join, mapping=request.mapping, batch_rows=settings.batch_rows
                )

            first = sources.read(
                inputs, rejects=rejects, join=request.join, mapping=request.mapping, batch_rows=settings.batch_rows
            )
            read = _enrich_all(first, gear, work, settings, progress)
            if read.rows == 0:
                raise InputError(_nothing(request, rejects))
            with DuckDB(work, memory_limit=settings.memory_limit, threads=settings.threads) as engine:
                engine.register_parquet("enriched", work / "enriched")
                result = _judge(engine, inputs, read, rejects, batches, gear, settings, progress)
                progress("write", 0)
                return write_results(engine, result, folder, settings, gear, inputs, rejects, read.absent)
        finally:
            rejects.close()


def _judge(
    engine: DuckDB,
    inputs: sources.Inputs,
    read: Read,
    rejects: sources.Rejects,
    batches: Callable[[], Iterator[pa.RecordBatch]],
    gear: Gear,
    settings: Settings,
    progress: Progress,
) -> Assembled:
    progress("store", 0)
    ids = engine.scalar("SELECT count(DISTINCT exchange_id) FROM enriched")
    store.build(engine, has_duplicates=ids < read.rows)
    _register_known(engine, inputs, rejects)
    progress("workloads", 0)
    jobs = find_jobs(engine)
    engine.register("job_passages", jobs.passages)
    places = wanted(engine, settings.k)
    progress("passages", 0)
    texts = read_texts(places, batches(), gear, settings.k) if places.num_rows else []
    asked = {text.job: intents(" ".join(t.text for t in texts if t.job == text.job)) for text in texts}
    _register_intents(engine, asked)
    progress("evidence", 0)
    silent = frozenset(read.absent) | _silent_accounts(engine)
    candidates = find(engine, jobs, silent)
    return assemble(engine, jobs, candidates, texts, asked, read.rows - ids)


def _register_intents(engine: DuckDB, asked: dict[int, list[str]]) -> None:
    pairs = [(job, name) for job, names in asked.items() for name in names]
    engine.register(
        "job_intents",
        pa.table(
            {"job": pa.array([j for j, _ in pairs], pa.int64()), "intent": pa.array([n for _, n in pairs], pa.string())}
        ),
    )


def _nothing(request: Request, rejects: sources.Rejects) -> str:
    why = max(rejects.by_reason, key=lambda r: rejects.by_reason[r], default="no records")
    where = ", ".join(request.targets[:3]) + ("…" if len(request.targets) > 3 else "")
    return f"{where}: no usable exchange; {rejects.count} records or files were set aside, most often: {why}"


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


def _enrich_all(
    batches: Iterator[pa.RecordBatch], gear: Gear, work: Path, settings: Settings, progress: Progress
) -> Read:
    """Enrich every batch in threads (the kernels release the GIL) and write it in reading order."""
    parts = _Parts(work / "enriched")
    present: set[str] = set()
    rows = 0
    waiting: deque[Future[pa.RecordBatch]] = deque()
    with ThreadPoolExecutor(settings.threads) as pool:
        try:
            for batch in batches:
                present |= {
                    n for n in EXCHANGES.names if n not in present and batch.column(n).null_count < batch.num_rows
                }
                waiting.append(pool.submit(enrich, batch, rows, gear))
                rows += batch.num_rows
                while len(waiting) > settings.threads:
                    parts.write(waiting.popleft().result())
                progress("enrich", rows)
            while waiting:
                parts.write(waiting.popleft().result())
        finally:
            parts.close()
    return Read(rows, tuple(n for n in EXCHANGES.names if n not in present))


def _register_known(engine: DuckDB, inputs: sources.Inputs, rejects: sources.Rejects) -> None:
    """`known_accounts` (with account_no) and `models` (model, released_day), empty where there is no file."""
    accounts = sources.read_accounts(inputs.accounts, rejects) if inputs.accounts else ACCOUNTS.empty()
    events = sources.read_account_events(inputs.account_events, rejects) if inputs.account_events else None
    models = sources.read_models(inputs.models, rejects) if inputs.models else MODELS.empty()
    hour = pa.array(
        [None if t is None else t // 3_600_000_000 for t in accounts["created_at"].cast(pa.int64()).to_pylist()],
        pa.int64(),
    )
    changed = accounts["status_changed_at"].cast(pa.int64())
    accounts = accounts.append_column("created_hour", hour).append_column("status_changed_us", changed)
    engine.register("account_file", accounts.drop_columns(["created_at", "status_changed_at"]))
    engine.create(
        "known_accounts",
        "SELECT p.account_no, a.* EXCLUDE (account_id) FROM account_file AS a JOIN parties AS p ON p.account_id = a.account_id",
    )
    if events is not None:
        events = events.set_column(1, "time_us", events["time"].cast(pa.int64()))
        engine.register("account_events", events)
    day = pa.array(
        [None if t is None else t // 86_400_000_000 for t in models["released_at"].cast(pa.int64()).to_pylist()],
        pa.int64(),
    )
    released = models["released_at"].cast(pa.int64())
    engine.register("models", pa.table({"model": models["model"], "released_day": day, "released_us": released}))


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
