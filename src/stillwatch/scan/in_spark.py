"""A scan whose traffic is read by the tasks of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch import sources
from stillwatch.engine import Engine
from stillwatch.enrich import Gear
from stillwatch.scan.request import Request, found
from stillwatch.scan.stages import Read, Scan, rows_known
from stillwatch.settings import Settings
from stillwatch.tables import EXCHANGES
from stillwatch.workloads.text import SharedText, read_texts, wanted

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from stillwatch.distributed import Files, Paths
    from stillwatch.engine.spark import Spark


@dataclass(frozen=True, slots=True)
class SparkScan(Scan):
    """A scan whose traffic is read by Spark's tasks."""

    traffic: Files | Paths

    def _read(self, engine: Engine) -> Read:
        """Enrich all traffic in Spark, as `enriched` in the engine."""
        total = rows_known(self.inputs.traffic) or None
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
        at, batches = self._read_again(engine, places)
        column = places.schema.get_field_index("exchange_no")
        return read_texts(places.set_column(column, "exchange_no", at), batches, self.gear, self.settings.k)

    def _asks(self, engine: Engine, read: Read, places: pa.Table) -> dict[int, list[str]]:  # noqa: ARG002
        at, batches = self._read_again(engine, places)
        return self._kinds(engine, places.append_column("at", at), batches)

    def _read_again(self, engine: Engine, places: pa.Table) -> tuple[pa.Array, list[pa.RecordBatch]]:
        """The exchanges of `places` with their texts, and where each place's stands in them."""
        texts = self.traffic.texts(_in_spark(engine), places["exchange_no"].to_numpy())
        at = pc.index_in(places["exchange_no"], texts["exchange_no"].combine_chunks()).cast(pa.int64())
        return at, texts.to_batches()


def _in_spark(engine: Engine) -> Spark:
    from stillwatch.engine.spark import Spark

    assert isinstance(engine, Spark)
    return engine


@contextmanager
def session_of(request: Request, settings: Settings) -> Iterator[SparkSession | None]:
    """A session of Spark where the request wants it."""
    if request.engine != "spark":
        yield None
        return
    from stillwatch.engine.spark import session

    with session(settings.spark_master, settings.spark_conf) as within:
        yield within


def spark_traffic(
    request: Request, settings: Settings, gear: Gear, *, rejects: sources.Rejects, work: Path, within: SparkSession
) -> tuple[sources.Inputs, Files | Paths]:
    """What there is to read by Spark's tasks, and what beside it."""
    from stillwatch.distributed import Files, Paths, Reading, remote_inputs

    reading = Reading(sources.choose(request.mapping), gear, settings.batch_rows)
    if not any("://" in target for target in request.targets):
        inputs = found(request, rejects)
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
