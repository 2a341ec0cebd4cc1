"""The scan: traffic in, findings out."""

from __future__ import annotations

from pathlib import Path

from stillwatch import sources
from stillwatch.enrich import Gear
from stillwatch.findings import Findings
from stillwatch.outputs import HandOn
from stillwatch.outputs.publish import own_folder, published
from stillwatch.scan.in_spark import SparkScan, session_of, spark_traffic
from stillwatch.scan.of_store import StoreScan
from stillwatch.scan.request import ENGINES, Feed, Progress, Request, check_engine, found, silent
from stillwatch.scan.stages import Scan
from stillwatch.settings import Settings
from stillwatch.store.ingest import reading_digest
from stillwatch.store.kept import beside, opened
from stillwatch.store.key import read_key

__all__ = ["ENGINES", "Feed", "HandOn", "Progress", "Request", "scan"]


def scan(
    request: Request,
    settings: Settings,
    progress: Progress = silent,
    feed: Feed | None = None,
    hand_on: HandOn = lambda _, __: None,
) -> Findings:
    """Scan traffic and publish the results in `request.out`; return the findings.

    feed: where the traffic comes from in place of `request.targets`; it takes a store. hand_on: told of the findings
    before they are published, as soon as decisions can be made from them; what it raises ends the scan. Raises
    InputError where nothing usable is in the input, EnvironmentFailure where disk, memory or permission fail.
    """
    check_engine(request)
    gear = _gear(settings) if request.store is None else None
    parent = settings.work_dir or request.out.parent
    with (
        published(request.out) as folder,
        own_folder(parent, f"{request.out.name}.work", f"{parent}: cannot make a working folder") as work,
        sources.Rejects(folder / "rejected.jsonl") as rejects,
        session_of(request, settings) as within,
    ):
        if gear is not None and within is not None:
            inputs, traffic = spark_traffic(request, settings, gear, rejects=rejects, work=work, within=within)
            spark = SparkScan(request, settings, gear, inputs, rejects, work, progress, within, traffic)
            findings = spark.run(folder, hand_on)
        elif gear is not None:
            inputs = found(request, rejects)
            findings = Scan(request, settings, gear, inputs, rejects, work, progress, within).run(folder, hand_on)
        else:
            inputs = feed.inputs(rejects) if feed is not None else found(request, rejects)
            hold = beside if request.beside else opened
            with hold(request.store or Path(), settings.sketch_key_file) as (kept, own):
                reading = reading_digest([*request.join, *([request.mapping] if request.mapping else [])])
                of = (request, settings, own, inputs, rejects, work, progress, within)
                findings = StoreScan(*of, kept, reading, feed).run(folder, hand_on)
        (folder / "rejected.jsonl").touch()  # empty where nothing was set aside, so that programs find it always
        return findings


def _gear(settings: Settings) -> Gear:
    return Gear.from_key(read_key(settings.sketch_key_file)) if settings.sketch_key_file else Gear.from_key()
