"""CrowdSec's local API, as its bouncers ask it: `/v1/decisions`, `/v1/decisions/stream`, `/v1/usage-metrics`.

A decision on an address has CrowdSec's scope `Ip`, so that any bouncer enforces it. Decisions on accounts and keys have
the scopes `account` and `key`, for bouncers that ask for them (`scopes=account`). Types: a block is `ban`, a step-up
`captcha`, a throttle `throttle`, withheld reasoning `withhold_reasoning`; what is only observed is not given.
Protocol: crowdsec's `pkg/models/localapi_swagger.yaml`.
"""

from __future__ import annotations

import hashlib
import ipaddress
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Body, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from stillwatch.respond.decision import Decision, Measure
from stillwatch.serve.access.callers import requires, service_of
from stillwatch.serve.access.roles import Principal, Role
from stillwatch.serve.gateways.decisions import FAULTS
from stillwatch.serve.service import Recalls, Service

TYPES: Final = {
    Measure.WITHHOLD_REASONING: "withhold_reasoning",
    Measure.THROTTLE: "throttle",
    Measure.STEP_UP: "captcha",
    Measure.BLOCK: "ban",
}
SCOPES: Final = {"address": "Ip", "account": "account", "key": "key"}
# Those of a bouncer that names none, as in CrowdSec's own API: firewalls know nothing else.
USUAL_SCOPES: Final = "ip,range"
ORIGIN: Final = "stillwatch"
JSON: Final = "application/json"
# Decisions that become JSON in one go of the interpreter: less than a millisecond.
PIECE: Final = 256
# Bouncers whose last pull is remembered; the one that asked longest ago is forgotten first.
MOST_BOUNCERS: Final = 1_000


class CrowdSecDecision(BaseModel):
    """A decision in CrowdSec's words."""

    id: int = Field(description="made from the decision's id")
    origin: str
    type: str
    scope: str
    value: str
    duration: str = Field(description="how much longer it holds, as Go writes durations; negative once it is over")
    scenario: str = Field(description="the reason that the customer is told")
    uuid: str


class Changes(BaseModel):
    """What a bouncer is to add and to take away since it last asked; null for nothing, as CrowdSec answers."""

    new: list[CrowdSecDecision] | None
    deleted: list[CrowdSecDecision] | None


class Done(BaseModel):
    """That something was taken."""

    message: str


router = APIRouter(prefix="/v1", tags=["gateways"], responses=FAULTS)
Bouncer = Annotated[Principal, Depends(requires(Role.DECIDE))]
Text = Annotated[str | None, Query(max_length=512)]


# Neither is a coroutine, and both send JSON in pieces: look-ups are answered between any two of them.
@router.get(
    "/decisions",
    summary="CrowdSec: decisions on an address or another value",
    response_model=list[CrowdSecDecision] | None,
)
def decisions(
    *,
    request: Request,
    caller: Bouncer,
    ip: Text = None,
    range: Text = None,
    scope: Text = None,
    value: Text = None,
    type: Text = None,
    scopes: Text = None,
) -> Response:
    """Null where there is none, as CrowdSec answers. Role `decide`."""
    service = service_of(request)
    network = _network(ip or range)
    if (ip or range) and network is None:
        return Response(b"null", media_type=JSON)
    wanted = scope or scopes or (USUAL_SCOPES if not value else ",".join(SCOPES.values()))
    found = [
        decision
        for decision in held(service.standing, caller, wanted).by_id.values()
        if (network is None or _within(decision, network))
        and value in (None, decision.subject)
        and type in (None, TYPES[decision.measure])
    ]
    return StreamingResponse(_array(found, datetime.now(UTC)), media_type=JSON)


@router.get("/decisions/stream", summary="CrowdSec: what changed since a bouncer last asked", response_model=Changes)
def stream(
    request: Request,
    caller: Bouncer,
    startup: bool = False,
    scopes: Annotated[str, Query(max_length=512)] = USUAL_SCOPES,
) -> Response:
    """With `startup=true` all that stands. A bouncer is told apart by its key. Role `decide`."""
    service, bouncer = service_of(request), f"{caller.name} {scopes.lower()}"
    pulls, standing = _Pulls.of(service), service.standing
    if not startup and not pulls.knows(bouncer):
        # The service was started anew since: what was lifted meanwhile is still enforced there.
        lifted = _lifted(service.state, pulls.version(bouncer))
        pulls.assume(bouncer, held(lifted, caller, scopes))
    new, gone = pulls.since(bouncer, standing.version, lambda: held(standing, caller, scopes), startup)
    pulls.keep(bouncer, standing.version)
    for measure, count in Counter(decision.measure for decision in new).items():
        service.metrics.answered("crowdsec", measure, count)
    return StreamingResponse(_changes(new, gone), media_type=JSON)


@router.post("/usage-metrics", status_code=201, summary="CrowdSec: what a bouncer counted")
async def usage_metrics(caller: Bouncer, body: Annotated[dict[str, Any], Body()]) -> Done:  # noqa: ARG001
    """Taken and let go: the gateway's own figures are for its own monitoring. Role `decide`."""
    return Done(message="OK")


def _lifted(state: object, version: int | None) -> tuple[Decision, ...]:
    """What was ended since a version of the state and would hold still; nothing where the state does not recall it."""
    if version is None or not isinstance(state, Recalls):
        return ()
    return state.changes(version, datetime.now(UTC)).ended


@dataclass(frozen=True, slots=True)
class Held:
    """What a bouncer enforces: decisions by id; and the moment from which time alone makes it something else."""

    by_id: dict[str, Decision]
    until: datetime


NOTHING: Final = Held({}, datetime.min.replace(tzinfo=UTC))


def held(decisions: Iterable[Decision], caller: Principal, scopes: str) -> Held:
    """Those that hold now and that the caller may know, in these scopes; of several on one value the hardest."""
    now = datetime.now(UTC)
    until = datetime.max.replace(tzinfo=UTC)
    wanted = {scope.strip().lower() for scope in scopes.split(",")}
    hardest: dict[str, dict[str, Decision]] = {kind: {} for kind, name in SCOPES.items() if name.lower() in wanted}
    for decision in decisions:
        of_kind = hardest.get(decision.subject_kind)
        if of_kind is None or decision.measure not in TYPES or decision.expires <= now or not _seen(caller, decision):
            continue
        if decision.created > now:
            until = min(until, decision.created)
            continue
        until = min(until, decision.expires)
        other = of_kind.get(decision.subject)
        if other is None or _weight(decision) > _weight(other):
            of_kind[decision.subject] = decision
    return Held({d.decision_id: d for of_kind in hardest.values() for d in of_kind.values()}, until)


def _weight(decision: Decision) -> tuple[Measure, datetime]:
    return decision.measure, decision.expires


def _seen(caller: Principal, decision: Decision) -> bool:
    return caller.sees(decision.subject if decision.subject_kind == "account" else decision.account)


def in_crowdsecs_words(decision: Decision, now: datetime | None) -> dict[str, Any]:
    """A decision as a bouncer takes it, with the fields of `CrowdSecDecision`. now: None where it is over."""
    digest = hashlib.blake2b(decision.decision_id.encode(), digest_size=8).digest()
    return {
        "id": int.from_bytes(digest) >> 11,  # 53 bits: exact in every language's numbers
        "origin": ORIGIN,
        "type": TYPES[decision.measure],
        "scope": SCOPES[decision.subject_kind],
        "value": decision.subject,
        "duration": f"{int((decision.expires - now).total_seconds())}s" if now else "-1s",
        "scenario": decision.reason,
        "uuid": decision.decision_id,
    }


def _array(decisions: list[Decision], now: datetime | None) -> Iterator[bytes]:
    """A JSON array in CrowdSec's words, piece by piece; null where it is empty. now: None where all are over."""
    if not decisions:
        yield b"null"
        return
    for at in range(0, len(decisions), PIECE):
        piece = orjson.dumps([in_crowdsecs_words(decision, now) for decision in decisions[at : at + PIECE]])
        yield (b"," if at else b"[") + piece[1:-1]
    yield b"]"


def _changes(new: list[Decision], gone: list[Decision]) -> Iterator[bytes]:
    yield b'{"new":'
    yield from _array(new, datetime.now(UTC))
    yield b',"deleted":'
    yield from _array(gone, None)
    yield b"}"


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(text: str | None) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False) if text else None
    except ValueError:
        return None


def _within(decision: Decision, network: Network) -> bool:
    if decision.subject_kind != "address":
        return False
    own = _network(decision.subject)
    return own is not None and own.version == network.version and own.network_address in network


class _Pulls:
    """What each bouncer was last told; the version of it also in a file, for after a restart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # By what version of what stands it was; -1 where it was none.
        self._told: dict[str, tuple[int, Held]] = {}
        self._versions: dict[str, int] = _versions(path)
        self._alone = threading.Lock()

    @classmethod
    def of(cls, service: Service) -> _Pulls:
        """Those of a service."""
        if "crowdsec" not in service.kept:
            service.kept.setdefault("crowdsec", cls(service.settings.folder / "bouncers.json"))
        pulls = service.kept["crowdsec"]
        assert isinstance(pulls, cls)
        return pulls

    def knows(self, bouncer: str) -> bool:
        """Whether it has asked since the service was started."""
        return bouncer in self._told

    def version(self, bouncer: str) -> int | None:
        """The version of the state that it was last told of; None where it never asked."""
        return self._versions.get(bouncer)

    def assume(self, bouncer: str, told: Held) -> None:
        """Take it that the bouncer was told these."""
        with self._alone:
            self._told.setdefault(bouncer, (-1, told))

    def keep(self, bouncer: str, version: int) -> None:
        """Write the version that a bouncer was told of, where it is another than before."""
        with self._alone:
            if self._versions.get(bouncer) == version:
                return
            self._versions.pop(bouncer, None)
            self._versions[bouncer] = version
            if len(self._versions) > MOST_BOUNCERS:
                del self._versions[next(iter(self._versions))]
            fresh = self._path.with_suffix(".new")
            fresh.write_bytes(orjson.dumps(self._versions))
            fresh.replace(self._path)

    def since(
        self, bouncer: str, version: int, held: Callable[[], Held], startup: bool
    ) -> tuple[list[Decision], list[Decision]]:
        """What is new and what is gone since the bouncer last asked. held: what it enforces by this version."""
        told, before = self._told.get(bouncer, (-1, NOTHING))
        if not startup and told == version and datetime.now(UTC) < before.until:
            return [], []
        now = held()
        with self._alone:
            before = NOTHING if startup else self._told.get(bouncer, (-1, NOTHING))[1]
            self._told.pop(bouncer, None)
            self._told[bouncer] = version, now
            if len(self._told) > MOST_BOUNCERS:
                del self._told[next(iter(self._told))]
        gone = [d for ident, d in before.by_id.items() if ident not in now.by_id]
        # One address may have passed from one decision to another: it is gone only where nothing is left on it.
        places = {(d.subject_kind, d.subject) for d in gone}
        still = places and {place for d in now.by_id.values() if (place := (d.subject_kind, d.subject)) in places}
        gone = [d for d in gone if (d.subject_kind, d.subject) not in still]
        return [d for ident, d in now.by_id.items() if ident not in before.by_id], gone


def _versions(path: Path) -> dict[str, int]:
    try:
        kept = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    named = kept.items() if isinstance(kept, dict) else ()
    return {name: version for name, version in named if isinstance(version, int)}
