"""How much and how long a caller may send: bytes of a body, seconds for it, requests a second of a key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, NamedTuple

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Allowed = Callable[[Scope], Awaitable["int | Fault"]]

# Past this many names the oldest are forgotten: names of accounts come from outside.
MOST_BUCKETS = 200_000


class Rate:
    """Token buckets by name: each holds a second's worth, or a minute's, and fills evenly."""

    def __init__(self, per: float = 1.0) -> None:
        """per: the seconds that a rate is told for."""
        self._per = per
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str, rate: int, now: float | None = None) -> bool:
        """Whether one more fits; counts it where it does."""
        now = time.monotonic() if now is None else now
        left, since = self._left.get(name, (float(rate), now))
        left = min(float(rate), left + (now - since) * rate / self._per)
        if left < 1.0:
            return False
        if len(self._left) >= MOST_BUCKETS and name not in self._left:
            del self._left[next(iter(self._left))]
        self._left[name] = (left - 1.0, now)
        return True


class _Refused(Exception):
    """A body that is too long or too slow, or of somebody who may not send one."""


class Fault(NamedTuple):
    """An answer that says why there is no other: status, JSON, headers besides."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


TOO_SLOW = Fault(408, b'{"error":{"type":"too_slow","message":"the body did not come within body_seconds"}}')


def too_large(most: int) -> Fault:
    """Of a body of more bytes."""
    return Fault(
        413, b'{"error":{"type":"too_large","message":"the body is longer than the %d bytes taken here"}}' % most
    )


async def answer(send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """Send a whole JSON answer."""
    every = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": every})
    await send({"type": "http.response.body", "body": body})


class Bounded:
    """An application whose requests have bodies of bounded length, sent within `body_seconds`."""

    def __init__(self, app: ASGIApp, allowed: Allowed, body_seconds: float) -> None:
        """allowed: how many bytes a request may send, or why none are read; asked before the first of them is."""
        self._app = app
        self._allowed = allowed
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(scope, receive, self._allowed, self._body_seconds)
        started = False

        async def sent(message: Message) -> None:
            nonlocal started
            # What the application makes of a body that was cut off is nobody's answer.
            if body.fault is None or started:
                started = True
                await send(message)

        with suppress(_Refused):
            await self._app(scope, body.receive, sent)
        if body.fault is not None and not started:
            headers = ((b"connection", b"close"), *body.fault.headers)
            await answer(send, body.fault.status, body.fault.body, headers)


class _Body:
    def __init__(self, scope: Scope, receive: Receive, allowed: Allowed, seconds: float) -> None:
        self._scope = scope
        self._receive = receive
        self._allowed = allowed
        self._seconds = seconds
        self._most: int | None = None
        self._read = 0
        self._until = 0.0
        self._whole = False
        self.fault: Fault | None = None

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()
        if self.fault is not None:
            raise _Refused
        loop = asyncio.get_running_loop()
        if self._most is None:
            self._most = await self._begin()
            self._until = loop.time() + self._seconds
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise self._refused(TOO_SLOW) from None
        self._read += len(message.get("body", b""))
        if self._read > self._most:
            raise self._refused(too_large(self._most))
        self._whole = not message.get("more_body", False)
        return message

    async def _begin(self) -> int:
        """How many bytes may come; refused where none may, or where more are told of."""
        most = await self._allowed(self._scope)
        if isinstance(most, Fault):
            raise self._refused(most)
        if _declared(self._scope) > most:
            raise self._refused(too_large(most))
        return most

    def _refused(self, fault: Fault) -> _Refused:
        self.fault = fault
        return _Refused()


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 19 else 0
    return 0
