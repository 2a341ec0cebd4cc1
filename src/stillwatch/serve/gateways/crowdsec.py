"""CrowdSec's local API, as its bouncers ask it: `/v1/decisions`, `/v1/decisions/stream`, `/v1/usage-metrics`.

A decision on an address has CrowdSec's scope `Ip`, so that any bouncer enforces it. Decisions on accounts and keys have
the scopes `account` and `key`, for bouncers that ask for them (`scopes=account`). Types: a block is `ban`, a step-up
`captcha`, a throttle `throttle`, withheld reasoning `withhold_reasoning`; what is only observed is not given.
Protocol: crowdsec's `pkg/models/localapi_swagger.yaml`.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Body, Depends, Query, Request
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
_MEASURES: Final = {name: measure for measure, name in TYPES.items()}
SCOPES: Final = {"address": "Ip", "account": "account", "key": "key"}
# Those of a bouncer that names none, as in CrowdSec's own API: firewalls know nothing else.
USUAL_SCOPES: Final = "ip,range"
ORIGIN: Final = "stillwatch"
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


@router.get("/decisions", summary="CrowdSec: decisions on an address or another value")
async def decisions(
    *,
    request: Request,
    caller: Bouncer,
    ip: Text = None,
    range: Text = None,
    scope: Text = None,
    value: Text = None,
    type: Text = None,
    scopes: Text = None,
) -> list[CrowdSecDecision] | None:
    """Null where there is none, as CrowdSec answers. Role `decide`."""
    service = service_of(request)
    network = _network(ip or range)
    if (ip or range) and network is None:
        return None
    wanted = scope or scopes or (USUAL_SCOPES if not value else ",".join(SCOPES.values()))
    found = [
        decision
        for decision in held(service.standing, caller, wanted)
        if (network is None or _within(decision, network))
        and value in (None, decision.value)
        and type in (None, decision.type)
    ]
    return found or None


@router.get("/decisions/stream", summary="CrowdSec: what changed since a bouncer last asked")
async def stream(
    request: Request,
    caller: Bouncer,
    startup: bool = False,
    scopes: Annotated[str, Query(max_length=512)] = USUAL_SCOPES,
) -> Changes:
    """With `startup=true` all that stands. A bouncer is told apart by its key. Role `decide`."""
    service, bouncer = service_of(request), f"{caller.name} {scopes.lower()}"
    pulls, standing = _Pulls.of(service), service.standing
    if not startup and not pulls.knows(bouncer):
        # The service was started anew since: what was lifted meanwhile is still enforced there.
        lifted = await asyncio.to_thread(_lifted, service.state, pulls.version(bouncer))
        pulls.assume(bouncer, {told.id: told for told in held(lifted, caller, scopes)})
    now = {decision.id: decision for decision in held(standing, caller, scopes)}
    new, gone = pulls.since(bouncer, now, startup)
    await asyncio.to_thread(pulls.keep, bouncer, standing.version)
    for told in new:
        service.metrics.answered("crowdsec", _MEASURES[told.type])
    return Changes(new=new or None, deleted=gone or None)


@router.post("/usage-metrics", status_code=201, summary="CrowdSec: what a bouncer counted")
async def usage_metrics(caller: Bouncer, body: Annotated[dict[str, Any], Body()]) -> Done:  # noqa: ARG001
    """Taken and let go: the gateway's own figures are for its own monitoring. Role `decide`."""
    return Done(message="OK")


def _lifted(state: object, version: int | None) -> tuple[Decision, ...]:
    """What was ended since a version of the state and would hold still; nothing where the state does not recall it."""
    if version is None or not isinstance(state, Recalls):
        return ()
    return state.changes(version, datetime.now(UTC)).ended


def held(decisions: Iterable[Decision], caller: Principal, scopes: str) -> list[CrowdSecDecision]:
    """Those that hold now and that the caller may know, in these scopes and CrowdSec's words; of several on one value
    the hardest."""
    now = datetime.now(UTC)
    wanted = {scope.strip().lower() for scope in scopes.split(",")}
    hardest: dict[tuple[str, str], Decision] = {}
    for decision in decisions:
        if decision.measure not in TYPES or not decision.holds(now) or not _seen(caller, decision):
            continue
        if SCOPES[decision.subject_kind].lower() not in wanted:
            continue
        place = (decision.subject_kind, decision.subject)
        if place not in hardest or _weight(decision) > _weight(hardest[place]):
            hardest[place] = decision
    return [in_crowdsecs_words(decision, now) for decision in hardest.values()]


def _weight(decision: Decision) -> tuple[Measure, datetime]:
    return decision.measure, decision.expires


def _seen(caller: Principal, decision: Decision) -> bool:
    return caller.sees(decision.subject if decision.subject_kind == "account" else decision.account)


def in_crowdsecs_words(decision: Decision, now: datetime) -> CrowdSecDecision:
    """A decision as a bouncer takes it."""
    digest = hashlib.blake2b(decision.decision_id.encode(), digest_size=8).digest()
    return CrowdSecDecision(
        id=int.from_bytes(digest) >> 11,  # 53 bits: exact in every language's numbers
        origin=ORIGIN,
        type=TYPES[decision.measure],
        scope=SCOPES[decision.subject_kind],
        value=decision.subject,
        duration=f"{int((decision.expires - now).total_seconds())}s",
        scenario=decision.reason,
        uuid=decision.decision_id,
    )


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(text: str | None) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False) if text else None
    except ValueError:
        return None


def _within(decision: CrowdSecDecision, network: Network) -> bool:
    if decision.scope != SCOPES["address"]:
        return False
    own = _network(decision.value)
    return own is not None and own.version == network.version and own.network_address in network


class _Pulls:
    """What each bouncer was last told; the version of it also in a file, for after a restart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told: dict[str, dict[int, CrowdSecDecision]] = {}
        self._versions: dict[str, int] = _versions(path)
        self._alone = threading.Lock()

    @classmethod
    def of(cls, service: Service) -> _Pulls:
        """Those of a service."""
        if "crowdsec" not in service.kept:
            service.kept["crowdsec"] = cls(service.settings.folder / "bouncers.json")
        pulls = service.kept["crowdsec"]
        assert isinstance(pulls, cls)
        return pulls

    def knows(self, bouncer: str) -> bool:
        """Whether it has asked since the service was started."""
        return bouncer in self._told

    def version(self, bouncer: str) -> int | None:
        """The version of the state that it was last told of; None where it never asked."""
        return self._versions.get(bouncer)

    def assume(self, bouncer: str, told: dict[int, CrowdSecDecision]) -> None:
        """Take it that the bouncer was told these."""
        with self._alone:
            self._told.setdefault(bouncer, told)

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
        self, bouncer: str, now: dict[int, CrowdSecDecision], startup: bool
    ) -> tuple[list[CrowdSecDecision], list[CrowdSecDecision]]:
        """What is new and what is gone since the bouncer last asked."""
        with self._alone:
            before = {} if startup else self._told.get(bouncer, {})
            self._told.pop(bouncer, None)
            self._told[bouncer] = now
            if len(self._told) > MOST_BOUNCERS:
                del self._told[next(iter(self._told))]
        # One address may have passed from one decision to another: it is gone only where nothing is left on it.
        still = {(d.scope, d.value) for d in now.values()}
        gone = [d for ident, d in before.items() if ident not in now and (d.scope, d.value) not in still]
        return [d for ident, d in now.items() if ident not in before], [_over(d) for d in gone]


def _over(decision: CrowdSecDecision) -> CrowdSecDecision:
    return decision.model_copy(update={"duration": "-1s"})


def _versions(path: Path) -> dict[str, int]:
    try:
        kept = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    named = kept.items() if isinstance(kept, dict) else ()
    return {name: version for name, version in named if isinstance(version, int)}
