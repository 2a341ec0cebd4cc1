"""The service as processes: a parent that watches, and one worker that answers.

One worker, because throttles are counted in its memory. It is started anew where it dies.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops, SSLProtocols
from granian.http import HTTP1Settings, HTTP2Settings
from granian.log import LogLevels

from stillwatch.errors import EnvironmentFailure
from stillwatch.serve.access.keys import KeyFile
from stillwatch.serve.access.limits import ASGIApp
from stillwatch.serve.app import Extra, create_app
from stillwatch.serve.lifetime import leave_with_parent
from stillwatch.serve.logs import CONFIGURATION, say, set_up
from stillwatch.serve.settings import ServeSettings
from stillwatch.serve.state import open_state
from stillwatch.settings import Settings

# How long a look-up waits at most for another thread of Python's, such as the one that takes in changed decisions. By
# default it is 5 ms, all that a look-up may take.
SWITCH_SECONDS = 0.0005


def application(settings: ServeSettings) -> ASGIApp:
    """The worker's application, with its own connections."""
    leave_with_parent(settings.drain_seconds)
    sys.setswitchinterval(SWITCH_SECONDS)
    set_up(settings.log_level)
    extras: list[Extra] = []
    if "ingest" in settings.parts:
        from stillwatch.serve.ingest.part import ingest

        extras.append(ingest)
    return create_app(settings, open_state(settings), *extras)


def serve(settings: ServeSettings, scanning: Settings) -> None:
    """Serve until told to stop. scanning: the settings of a judgement.

    Raises InputError and EnvironmentFailure where something that it needs is not there.
    """
    # What is wrong is told here, once, and not by a worker that starts and dies.
    _free(settings)
    open_state(settings).close()
    KeyFile(settings.keys_file).read()
    if {"ingest", "cycle"} & set(settings.parts):
        from stillwatch.serve.spool import Key, check

        check(settings.spool_folder, Key.of_spool(settings.spool_folder, settings.spool_key_file))
    set_up(settings.log_level)
    with _judging(settings, scanning):
        if not {"ingest", "decisions"} & set(settings.parts):
            _wait()
            return
        say("listening", address_and_port=f"{settings.host}:{settings.port}", server="granian")
        server_for(settings).serve(target_loader=partial(application, settings), wrap_loader=False)
    say("stopped")


@contextmanager
def _judging(settings: ServeSettings, scanning: Settings) -> Iterator[None]:
    """The cycle beside the service, started anew where it dies, and given time to leave its store in order."""
    if "cycle" not in settings.parts:
        yield
        return
    from stillwatch.serve.judging import judge

    stopped = threading.Event()
    # A process of a fresh interpreter: a copy of this one would have its threads' locks and not its threads.
    context = multiprocessing.get_context("spawn")

    def watch() -> None:
        while not stopped.is_set():
            running = context.Process(target=judge, args=(settings, scanning), name="cycle")
            running.start()
            while running.is_alive() and not stopped.wait(0.2):
                pass
            running.terminate()
            running.join(max(30.0, settings.drain_seconds))
            if running.is_alive():
                running.kill()
            if not stopped.wait(1.0):
                say("the cycle died and is started anew", logging.ERROR, part="cycle", status=running.exitcode)

    watching = threading.Thread(target=watch, name="cycle")
    watching.start()
    try:
        yield
    finally:
        stopped.set()
        watching.join()


def _wait() -> None:
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    while not told.wait(0.5):
        pass


def server_for(settings: ServeSettings) -> Any:
    """Granian: of a bare route on one core it answered 16,000 requests a second where uvicorn answered 8,700.

    Both with uvloop, uvicorn with httptools besides; wrk with 16 connections for 5 s, in one run on a machine with
    other work. `python -m bench.decide --server uvicorn` measures the look-up itself.
    """
    return Granian(
        "stillwatch",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=1,
        loop=Loops.uvloop,
        http=HTTPModes.auto,
        websockets=False,
        http1_settings=HTTP1Settings(header_read_timeout=round(1000 * settings.body_seconds)),
        # Who does not answer a ping is gone, whatever it has begun to send.
        http2_settings=HTTP2Settings(keep_alive_interval=10_000, keep_alive_timeout=10),
        log_level=LogLevels.warning,
        log_dictconfig=CONFIGURATION,
        ssl_cert=settings.tls_certificate,
        ssl_key=settings.tls_key,
        ssl_protocol_min=SSLProtocols.tls12,
        respawn_failed_workers=True,
        workers_kill_timeout=max(1, round(settings.drain_seconds)),
    )


def _free(settings: ServeSettings) -> None:
    """Two services may not share a port unseen, as the servers' sockets would let them; nor may two parts of one."""
    wanted = {"host and port take": (settings.host, settings.port)}
    if "decisions" in settings.parts and settings.grpc_address is not None:
        wanted["envoy_grpc takes"] = settings.grpc_address
    with ExitStack() as probes:
        for names, (host, port) in wanted.items():
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            probe = probes.enter_context(socket.socket(family, socket.SOCK_STREAM))
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                probe.listen()
            except OSError as error:
                raise EnvironmentFailure(
                    f"{host}:{port}: cannot listen there: {error.strerror}; {names} an address of this machine and a "
                    "port that nobody uses"
                ) from error
