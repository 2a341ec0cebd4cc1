"""`stillwatch watch`: files, Kafka topics and LiteLLM's database, followed into the spool."""

from __future__ import annotations

import hashlib
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from stillwatch.errors import InputError

if TYPE_CHECKING:
    from stillwatch.serve.ingest.sink import Sink
    from stillwatch.serve.ingest.watching import Follower
    from stillwatch.serve.settings import ServeSettings

console = Console(highlight=False)

# Seconds from one draining to the next, with --store.
DRAIN_EVERY = 10.0


def watch(
    *,
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Files, folders or globs that grow; kafka://HOST:PORT/TOPIC?group=GROUP; or LiteLLM's database, "
            "postgresql://USER@HOST/DATABASE.",
            show_default=False,
        ),
    ],
    folder: Annotated[Path | None, typer.Option(help="Folder of the service whose spool is filled.")] = None,
    spool: Annotated[Path | None, typer.Option(help="The spool to fill; by default that of the service.")] = None,
    store: Annotated[
        Path | None, typer.Option(help="Drain into this store as well, where no service does; nothing is judged.")
    ] = None,
    state: Annotated[Path | None, typer.Option(help="File that keeps what was read; by default in the spool.")] = None,
    format: Annotated[str, typer.Option(help="auto, canonical, litellm, otel or bedrock.")] = "auto",
    mapping: Annotated[Path | None, typer.Option(help="TOML file that says where columns come from.")] = None,
    access: Annotated[
        bool, typer.Option("--access", help="These are access logs: what they tell is joined on the request id.")
    ] = False,
    kafka_config: Annotated[Path | None, typer.Option(help="Kafka client's properties, name=value a line.")] = None,
    overlap: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1_000_000.0,
            help="Of LiteLLM's database: minutes before the newest row that are read again for rows that came late; "
            "what comes later than that is missed.",
        ),
    ] = 15.0,
    every: Annotated[float, typer.Option(min=0.05, help="Seconds between looks where nothing came.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Take what there is, and end.")] = False,
) -> None:
    """Follow growing and rotated files, a Kafka topic or LiteLLM's database, into the spool."""
    if find_spec("cryptography") is None:
        raise InputError("stillwatch watch needs the extra: pip install 'stillwatch[serve]'")

    from stillwatch.serve.ingest.sink import Sink
    from stillwatch.serve.ingest.watching import follow
    from stillwatch.serve.logs import set_up
    from stillwatch.serve.settings import load
    from stillwatch.serve.spool import Key, Limits, Spool
    from stillwatch.sources import FORMATS
    from stillwatch.sources.mapping import choose

    if format != "auto" and format not in FORMATS:
        raise InputError(f"--format {format}: no such format; use auto, {', '.join(FORMATS)}")
    settings = load(folder=folder, spool=spool)
    if access and not settings.join_seconds:
        raise InputError("--access: joining is off; set join_seconds of the service")
    set_up(settings.log_level)
    key = Key.of_spool(settings.spool_folder, settings.spool_key_file)
    name = hashlib.sha256("\n".join(targets).encode()).hexdigest()[:12]
    with _stopping() as stop, ExitStack() as closing:
        limits = Limits(disk=settings.spool_bytes, expire_seconds=settings.spool_hours * 3600)
        into = Spool(settings.spool_folder, key, limits)
        closing.callback(into.close)
        joining, chosen = settings.join_seconds > 0, choose(mapping)
        sink = Sink(into, joining=joining, about=access, chosen=chosen, stopping=stop.is_set)
        closing.callback(_report, sink)
        kept = state or settings.spool_folder / f"watch-{name}.json"
        followers = list(
            _followers(targets, kept, sink, format=format, kafka_config=kafka_config, overlap=overlap, closing=closing)
        )
        drained = _Drained(settings, store) if store else None
        follow(followers, every, once=once, stopping=stop.is_set, meanwhile=drained or _nothing)
    if drained:
        drained.now()


def _followers(
    targets: list[str],
    state: Path,
    sink: Sink,
    *,
    format: str,
    kafka_config: Path | None,
    overlap: float,
    closing: ExitStack,
) -> Iterator[Follower]:
    """One for all files, and one for each topic and database."""
    from stillwatch.serve.ingest import spend_logs, topic
    from stillwatch.serve.ingest.tail import Tail

    files = []
    for number, target in enumerate(targets):
        if target.startswith(topic.SCHEME):
            followed = topic.Topic(topic.Address.parse(target), sink, format, kafka_config)
            closing.callback(followed.close)
            yield followed
        elif target.startswith(spend_logs.SCHEMES):
            kept = state.with_name(f"{state.stem}-{number}{state.suffix}")
            yield spend_logs.SpendLogs(target, kept, sink, overlap)
        else:
            files.append(target)
    if files:
        yield Tail(tuple(files), state, sink, format)


@contextmanager
def _stopping() -> Iterator[Event]:
    """Set when the process is asked to end: it does so between two chunks, and that is no error."""
    stop = Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _nothing() -> None:
    """Nothing is done between rounds."""


class _Drained:
    """Drains the spool into a store every so often."""

    def __init__(self, settings: ServeSettings, store: Path) -> None:
        from stillwatch.serve.cycle import Cycle, Plan
        from stillwatch.settings import Settings

        plan = Plan(
            settings.spool_folder, store, settings.folder / "findings", settings.spool_key_file,
            join_seconds=settings.join_seconds,
        )  # fmt: skip
        given: dict[str, Any] = {}
        self._cycle = Cycle(plan, Settings(**given), lambda _: None)
        self._last = time.monotonic()

    def __call__(self) -> None:
        if time.monotonic() - self._last >= DRAIN_EVERY:
            self.now()

    def now(self) -> None:
        self._cycle.drain()
        self._last = time.monotonic()


def _report(sink: Sink) -> None:
    console.print(f"{sink.taken:,} records taken", markup=False)
    for reason, times in sink.set_aside.most_common():
        console.print(f"set aside: {times:,}, {reason}", markup=False)
