"""The service as processes: a parent that watches, and one worker that answers.

One worker, because throttles are counted in its memory. It is started anew where it dies.
"""

from __future__ import annotations

import socket
from functools import partial
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels

from stillwatch.errors import EnvironmentFailure
from stillwatch.respond.state import State
from stillwatch.serve.access.keys import KeyFile
from stillwatch.serve.access.limits import ASGIApp
from stillwatch.serve.app import create_app
from stillwatch.serve.logs import CONFIGURATION, say, set_up
from stillwatch.serve.settings import ServeSettings


def open_state(settings: ServeSettings) -> State:
    """The state's database, brought up to date; raises InputError and EnvironmentFailure."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    return State.open(settings.database, settings.audit_key_file)


def application(settings: ServeSettings) -> ASGIApp:
    """The worker's application, with its own connections."""
    set_up(settings.log_level)
    return create_app(settings, open_state(settings))


def serve(settings: ServeSettings) -> None:
    """Serve until told to stop. Raises InputError and EnvironmentFailure where something that it needs is not there."""
    _free(settings)
    open_state(settings).close()  # what is wrong with it is told here, once, and not by a worker that starts and dies
    KeyFile(settings.keys_file).read()
    set_up(settings.log_level)
    server = server_for(settings)
    say("listening", address_and_port=f"{settings.host}:{settings.port}", server="granian")
    server.serve(target_loader=partial(application, settings), wrap_loader=False)
    say("stopped")


def server_for(settings: ServeSettings) -> Any:
    """Granian, which was chosen by measurement: see docs/performance.md."""
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
        log_level=LogLevels.warning,
        log_dictconfig=CONFIGURATION,
        ssl_cert=settings.tls_certificate,
        ssl_key=settings.tls_key,
        ssl_protocol_min=SSLProtocols.tls12,
        respawn_failed_workers=True,
        workers_kill_timeout=max(1, round(settings.drain_seconds)),
    )


def _free(settings: ServeSettings) -> None:
    """Two services may not share a port unseen, as the server's sockets would let them."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise EnvironmentFailure(
                f"{settings.host}:{settings.port}: cannot listen there: {error.strerror}; host and port take an "
                "address of this machine and a port that nobody uses"
            ) from error
