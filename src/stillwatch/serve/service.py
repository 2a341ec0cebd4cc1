"""What every route shares: who is asking, what stands against whom, and what was counted."""

from __future__ import annotations

import asyncio
import functools
import gc
import ipaddress
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import orjson

from stillwatch.respond.decision import Decision, Measure
from stillwatch.respond.standing import Decided, Standing
from stillwatch.serve.access.keys import PREFIX, KeyFile, KeyRing
from stillwatch.serve.access.limits import Rate
from stillwatch.serve.access.roles import Principal, Role
from stillwatch.serve.logs import fault, say
from stillwatch.serve.metrics import Metrics
from stillwatch.serve.pulse import pulse_of
from stillwatch.serve.settings import ServeSettings

if TYPE_CHECKING:
    from stillwatch.respond.state import Changes
    from stillwatch.serve.access.oidc import Issuer

Headers = Iterable[tuple[bytes, bytes]]

OWN_HEADER = b"x-stillwatch-key"
# Longer ones are nobody's id: they are answered as unknown accounts, without being looked up or kept.
LONGEST_ID = 512
# As text with a zone; longer ones are none.
LONGEST_ADDRESS = 64
# Answers about decisions that have ended, which are kept until there are more of them than of those that stand: 0.5 MB.
KEPT_ANSWERS = 1_024
# Reading an address takes a quarter of a look-up's time, and the same ones come again. Some 20 MB when full.
MOST_ADDRESSES = 65_536


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a caller is not answered: an HTTP status, a word for programs, a sentence for people."""

    status: int
    type: str
    message: str
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def body(self) -> bytes:
        """As JSON, in the form that clients of language models know."""
        return orjson.dumps({"error": {"type": self.type, "message": self.message}})


UNKNOWN = Refusal(
    401, "unauthenticated", "give a key of this service, or a token of its issuer", ((b"www-authenticate", b"Bearer"),)
)
TOO_OFTEN = Refusal(429, "rate_limited", "more requests a second than `rate` allows a key", ((b"retry-after", b"1"),))


def without(role: Role) -> Refusal:
    """The refusal of a caller that lacks a role."""
    return Refusal(403, "forbidden", f"this needs the role {role.value}")


class Check(Protocol):
    """Something that must be well for the service to be ready: says what is wrong, or None."""

    def __call__(self) -> str | None:
        """What is wrong, in words without anybody's data."""
        ...


@runtime_checkable
class Recalls(Protocol):
    """A state that remembers what no longer stands."""

    def changes(self, version: int, at: datetime) -> Changes:
        """What changed since a version."""
        ...


class Service:
    """The state of one process: its keys, its snapshot of what stands, its limits and its metrics."""

    def __init__(self, settings: ServeSettings, state: Decided) -> None:
        self.settings = settings
        self.state = state
        self.metrics = Metrics()
        self.checks: dict[str, Check] = {"state": self._stale, "cycle": self._cycle}
        self._began = time.monotonic()
        self._key_file = KeyFile(settings.keys_file)
        self._ring = KeyRing()
        self._issuer = _issuer(settings)
        self._rate = Rate()
        self._throttle = Rate(per=60.0)
        self.appeals = Rate(per=60.0)
        self.standing = Standing(-1, ())
        # What single gateways remember of their callers, by the gateway's name.
        self.kept: dict[str, Any] = {}
        self._answers: dict[str, bytes] = {}
        self._heard = float("-inf")
        self._well = True

    def load(self) -> None:
        """Take in keys and decisions as they are now; raises where state or keys cannot be read."""
        self._ring = self._key_file.ring()
        # A hundred thousand decisions are a million objects, which the collector would go through again and again while
        # look-ups wait, to find that all are in use: not while they are made, and not afterwards.
        gc.disable()
        try:
            newer = Standing.load(self.state) if self.standing.version < 0 else self.standing.newer(self.state)
        finally:
            gc.enable()
        if newer is not self.standing:
            self.standing = newer
            if len(self._answers) > 2 * len(newer) + KEPT_ANSWERS:  # a decision's answer never changes: let go in bulk
                self._answers = {}
            for measure in Measure:
                self.metrics.standing.labels(measure.text).set(newer.measures.get(measure, 0))
            self.metrics.version.set(newer.version)
            gc.freeze()
        self._heard = time.monotonic()

    async def follow(self) -> None:
        """Keep up with the state until cancelled. Out of its reach, what was last heard goes on being served."""
        while True:
            await asyncio.sleep(self.settings.refresh_seconds)
            try:
                await asyncio.to_thread(self.load)
            except Exception as error:
                if self._well:
                    say("state out of reach; what was last known is served", logging.ERROR, **fault(error))
                self._well = False
            else:
                if not self._well:
                    say("state in reach again")
                self._well = True

    def heard_seconds_ago(self) -> float:
        """How old the snapshot may be: seconds since the state was last asked with success."""
        return time.monotonic() - self._heard

    def _stale(self) -> str | None:
        late = self.heard_seconds_ago() > self.settings.stale_seconds
        return "no news of the state within stale_seconds" if late else None

    def _cycle(self) -> str | None:
        """Of a cycle that this service has, or whose folder it shares."""
        pulse, grace = pulse_of(self.settings.pulse_file), self.settings.stale_seconds
        if "cycle" in self.settings.parts and time.monotonic() - self._began <= grace:
            return None  # it may not have begun
        if pulse is None:
            return "no sign of the cycle" if "cycle" in self.settings.parts else None
        return pulse.fault(grace)

    def measured(self) -> bytes:
        """The page of metrics, with what is known only when it is asked."""
        self.metrics.snapshot_age.set(self.heard_seconds_ago())
        self.metrics.cycle(pulse_of(self.settings.pulse_file))
        return self.metrics.page()

    def key_holder(self, headers: Headers, *, own_header_only: bool = False) -> Principal | Refusal:
        """Who presents a key, within its rate. own_header_only: what else is sent is the customer's, not ours."""
        token = credential(headers, own_header_only)
        principal = self._ring.principal(token) if token else None
        if principal is None:
            self.metrics.refused.labels("unauthenticated").inc()
            return UNKNOWN
        return self._within_rate(principal)

    async def caller(self, headers: Headers) -> Principal | Refusal:
        """Who presents a key or a person's token."""
        token = credential(headers, False)
        if self._issuer is None or token is None or token.startswith(f"{PREFIX}_"):
            return self.key_holder(headers)
        person = await self._issuer.principal(token)
        if person is None:
            self.metrics.refused.labels("unauthenticated").inc()
            return UNKNOWN
        return self._within_rate(person)

    def _within_rate(self, principal: Principal) -> Principal | Refusal:
        if self._rate.take(principal.name, self.settings.rate):
            return principal
        self.metrics.refused.labels("rate").inc()
        return TOO_OFTEN

    def look_up(
        self,
        principal: Principal,
        gateway: str,
        account: str | None,
        key: str | None = None,
        address: str | None = None,
    ) -> Decision | None:
        """The decision that holds for a request, as far as this caller may know: on the account or its key, or on the
        address where no account is named.

        Of an account outside its scope a caller hears what it would hear of one that does not exist, and of addresses,
        which have no account, it hears nothing where its scope is not all.
        """
        decision = None
        if principal.sees(account) and (account is None or len(account) <= LONGEST_ID):
            place = canonical(address) if address and account is None else None
            decision = self.standing.look_up(account, key, place)
        self.metrics.answered(gateway, decision.measure if decision else Measure.OBSERVE)
        return decision

    def answer(self, decision: Decision | None) -> bytes:
        """The look-up's answer, as JSON."""
        if decision is None:
            return NOTHING
        body = self._answers.get(decision.decision_id)
        if body is None:
            body = orjson.dumps(told(decision))
            self._answers[decision.decision_id] = body
        return body

    def over_limit(self, decision: Decision, gateway: str) -> bool:
        """Counts a request of a throttled subject; whether it is over the limit of requests a minute."""
        if decision.limits is None or self._throttle.take(decision.decision_id, decision.limits.requests_per_minute):
            return False
        self.metrics.throttled.labels(gateway).inc()
        return True


def _issuer(settings: ServeSettings) -> Issuer | None:
    if settings.oidc_issuer is None or settings.oidc_audience is None:
        return None
    from stillwatch.serve.access.oidc import Issuer

    return Issuer(settings.oidc_issuer, settings.oidc_audience, settings.oidc_roles_claim, settings.oidc_scope_claim)


def told(decision: Decision | None) -> dict[str, Any]:
    """What a gateway is told: all that it needs to act and to tell its customer, and nothing of how it was found."""
    if decision is None:
        return {"measure": Measure.OBSERVE.text, "decision": None}
    every = decision.as_json()
    told = (
        "decision_id", "subject_kind", "requests_per_minute", "tokens_per_minute", "verification", "reason", "expires",
        "appeal",
    )  # fmt: skip
    return {"measure": every["measure"], "decision": {name: every[name] for name in told}}


NOTHING = orjson.dumps(told(None))


def credential(headers: Headers, own_header_only: bool) -> str | None:
    """The key or token that a request carries: X-Stillwatch-Key, else Authorization: Bearer, else X-Api-Key."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in (OWN_HEADER, b"authorization", b"x-api-key"):
            found.setdefault(name, value)
    if OWN_HEADER in found or own_header_only:
        return found.get(OWN_HEADER, b"").decode("latin-1") or None
    scheme, _, token = found.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    return found.get(b"x-api-key", b"").decode("latin-1") or None


def canonical(address: str) -> str | None:
    """An address as decisions have it; None for text that is none. IPv4 in IPv6's clothes is IPv4."""
    return _canonical(address) if len(address) <= LONGEST_ADDRESS else None


@functools.lru_cache(MOST_ADDRESSES)
def _canonical(address: str) -> str | None:
    try:
        parsed = ipaddress.ip_address(address.strip())
    except ValueError:
        return None
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or parsed)
