"""Ingest as a part of the service: its routes, its spool, its metrics, and whether it can do its work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stillwatch.serve.ingest.intake import Intake
from stillwatch.serve.ingest.routes import router
from stillwatch.serve.service import Service
from stillwatch.serve.settings import ServeSettings
from stillwatch.serve.spool import Key, Limits, Spool, oldest


def opened(settings: ServeSettings) -> Intake:
    """The way into the spool that the settings name; raises InputError where its key is not the spool's."""
    folder = settings.spool_folder
    key = Key.of_spool(folder, settings.spool_key_file)
    limits = Limits(disk=settings.spool_bytes, expire_seconds=settings.spool_hours * 3600)
    return Intake(
        Spool(folder, key, limits),
        joining=settings.join_seconds > 0,
        max_inflated=settings.max_inflated,
        memory=settings.ingest_memory,
    )


def ingest(api: FastAPI, service: Service) -> AbstractAsyncContextManager[None]:
    """Adds the routes; the spool is open as long as the service runs."""
    api.include_router(router)

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        intake = await asyncio.to_thread(opened, service.settings)
        api.state.intake = intake
        service.metrics.registry.register(_Counts(intake))
        service.checks["spool"] = lambda: "the spool is full" if intake.spool.full else None
        try:
            yield
        finally:
            await asyncio.to_thread(intake.close)

    return running()


class _Counts(Collector):
    """What was taken in and what waits, told when asked."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The series as they are now."""
        spool = self._intake.spool
        records = CounterMetricFamily(
            "stillwatch_ingest_records", "Records sent, by what became of them and format", labels=["outcome", "format"]
        )
        for (outcome, name), count in sorted(self._intake.counts.items()):
            records.add_metric([outcome, name], count)
        yield records
        yield GaugeMetricFamily("stillwatch_spool_bytes", "Bytes that wait in the spool", value=spool.used)
        yield GaugeMetricFamily(
            "stillwatch_spool_oldest_seconds",
            "Age of the oldest that may be drained",
            value=oldest(spool.folder) or 0.0,
        )
        yield CounterMetricFamily(
            "stillwatch_spool_expired", "Segments removed that nobody drained", value=spool.expired
        )
        yield CounterMetricFamily(
            "stillwatch_spool_cut_bytes", "Bytes cut off torn ends of segments at start", value=spool.found.cut
        )
