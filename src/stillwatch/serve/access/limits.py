"""How much and how long a caller may send: bytes of a body, seconds for it, requests a second of a key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

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
    """A body that is too long or too slow."""


TOO_LARGE = (413, b'{"error":{"type":"too_large","message":"the body is longer than max_body allows"}}')
TOO_SLOW = (408, b'{"error":{"type":"too_slow","message":"the body did not come within body_seconds"}}')


async def answer(send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """Send a whole JSON answer."""
    every = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": every})
    await send({"type": "http.response.body", "body": body})


class Bounded:
    """An application whose requests have bodies of at most `max_body` bytes, sent within `body_seconds`."""

    def __init__(self, app: ASGIApp, max_body: int, body_seconds: float) -> None:
        self._app = app
        self._max_body = max_body
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _declared(scope) > self._max_body:
            await answer(send, *TOO_LARGE, headers=((b"connection", b"close"),))
            return
        body = _Body(receive, self._max_body, self._body_seconds)
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
            await answer(send, *body.fault, headers=((b"connection", b"close"),))


class _Body:
    def __init__(self, receive: Receive, most: int, seconds: float) -> None:
        self._receive = receive
        self._left = most
        self._seconds = seconds
        self._until: float | None = None
        self._whole = False
        self.fault: tuple[int, bytes] | None = None

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()
        if self.fault is not None:
            raise _Refused
        loop = asyncio.get_running_loop()
        self._until = self._until or loop.time() + self._seconds
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            self.fault = TOO_SLOW
            raise _Refused from None
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.fault = TOO_LARGE
            raise _Refused
        self._whole = not message.get("more_body", False)
        return message


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 19 else 0
    return 0
