"""The policy: what each measure costs and stops, and the limits within which the machine may act by itself.

An operator writes it as TOML. Everything has a default, with the reason beside it; `dry_run` is on until it is switched
off.
"""

from __future__ import annotations

import textwrap
import tomllib
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stillwatch.errors import InputError
from stillwatch.respond.decision import Limits, Measure
from stillwatch.tables import VERIFICATIONS

Cost = Annotated[float, Field(ge=0, le=1e9)]
Share = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[float, Field(gt=0, le=365)]
MeasureName = Literal["observe", "withhold_reasoning", "throttle", "step_up", "block"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Ladder(_Part):
    """A number for every measure."""

    observe: float
    withhold_reasoning: float
    throttle: float
    step_up: float
    block: float

    def of(self, measure: Measure) -> float:
        """The number of a measure."""
        return float(getattr(self, measure.text))


class Honest(_Ladder):
    """What a measure costs an honest customer, an account and a day. Never less on a harder measure."""

    observe: Cost = Field(0.0, description="nothing is done to anybody")
    withhold_reasoning: Cost = Field(
        1.0, description="answers stay; few customers read reasoning or log-probabilities, and those can say so"
    )
    throttle: Cost = Field(5.0, description="work goes on; peaks wait")
    step_up: Cost = Field(20.0, description="somebody must prove who they are before they go on; some will not")
    block: Cost = Field(100.0, description="nothing works any more: the unit in which the others are put")


class LetsThrough(_Ladder):
    """The share of a guilty account's collecting that goes on under a measure. Never more under a harder measure."""

    observe: Share = Field(1.0, description="all of it")
    withhold_reasoning: Share = Field(
        0.5, description="answers can still be learnt from, at less value: the disclosed campaigns asked for reasoning"
    )
    throttle: Share = Field(0.3, description="what the limits leave of a collector's rate")
    step_up: Share = Field(0.1, description="some accounts of a pool can pass the verification asked for")
    block: Share = Field(0.0, description="of this account nothing; what moves to another is decided there")


class Costs(_Part):
    """The cost table. All costs are for one account and one day, in a unit of the operator's choice."""

    missed: Cost = Field(
        10.0,
        description="a guilty account left alone for a day. By default a tenth of an honest customer's day without "
        "service: then ten missed days are as bad as one wrong one, and a block needs 99 to 1",
    )
    honest: Honest = Honest.model_validate({})
    lets_through: LetsThrough = LetsThrough.model_validate({})
    key_stopped: Cost = Field(
        20.0, description="an honest holder whose key is stopped for a day: a new key is made in minutes, as a step-up"
    )

    @model_validator(mode="after")
    def _a_ladder(self) -> Costs:
        for milder, harder in pairwise(Measure):
            if self.honest.of(harder) < self.honest.of(milder):
                raise ValueError(
                    f"honest.{harder.text} must be at least honest.{milder.text}: it is the harder measure"
                )
            if self.lets_through.of(harder) > self.lets_through.of(milder):
                raise ValueError(
                    f"lets_through.{harder.text} must be at most lets_through.{milder.text}: it is the harder measure"
                )
        return self


class Belief(_Part):
    """How the probabilities of a scan are taken."""

    least: Share = Field(
        0.5, description="below this nothing is done: a scan accuses nobody that is likelier innocent than not"
    )
    most: Share = Field(
        0.99,
        description="no probability counts for more: the judgement itself is wrong more often than one in a hundred "
        "on accounts that nobody tuned on (page Quality: 2 of 493)",
    )
    stated: tuple[Share, ...] = Field(
        (), description="probabilities as scans state them, ascending; with `calibrated`, points of a line"
    )
    calibrated: tuple[Share, ...] = Field(
        (), description="what they were found to be on labelled traffic (`stillwatch evaluate`), ascending too"
    )

    @model_validator(mode="after")
    def _a_line(self) -> Belief:
        if len(self.stated) != len(self.calibrated):
            raise ValueError("stated and calibrated must have as many points as each other")
        if any(a >= b for a, b in pairwise(self.stated)):
            raise ValueError("stated must ascend")
        if any(a > b for a, b in pairwise(self.calibrated)):
            raise ValueError("calibrated must not descend")
        return self

    def believed(self, probability: float) -> float:
        """The probability to reckon with: on the line through the points (straight on to 0 and 1), within `most`."""
        points = list(zip(self.stated, self.calibrated, strict=True)) or [(0.0, 0.0), (1.0, 1.0)]
        if points[0][0] > 0:
            points.insert(0, (0.0, 0.0))
        if points[-1][0] < 1:
            points.append((1.0, 1.0))
        for (x0, y0), (x1, y1) in pairwise(points):
            if probability <= x1:
                return min(self.most, y0 + (y1 - y0) * max(0.0, probability - x0) / (x1 - x0))
        return min(self.most, points[-1][1])


class Throttle(_Part):
    """What a throttled account may use."""

    requests_per_minute: int = Field(
        10, ge=1, le=1_000_000, description="a person at work sends fewer; a collector's worker sends more"
    )
    tokens_per_minute: int = Field(
        20_000, ge=1, le=1_000_000_000, description="of input and output together: 2,000 for each of those requests"
    )


class Holds(_Part):
    """For how many days a measure holds. One that is still found is renewed when half of it is over."""

    withhold_reasoning: Days = Field(7.0, description="a week: nobody is under a measure longer on an old finding")
    throttle: Days = Field(7.0, description="a week")
    step_up: Days = Field(14.0, description="two weeks: time to verify; who does so is free of it")
    block: Days = Field(14.0, description="two weeks: time to appeal before it would be renewed")
    key: Days = Field(30.0, description="a stolen key stays stopped until it is replaced")
    address: Days = Field(1.0, description="a day: addresses change hands")

    def of(self, measure: Measure) -> timedelta:
        """How long a measure on an account holds."""
        return timedelta(days=float(getattr(self, measure.text)))


class Caps(_Part):
    """The most that the machine does by itself. A campaign that does not fit waits whole, or for a person."""

    accounts_an_hour: int = Field(
        200, ge=0, le=10_000_000, description="accounts newly put under a measure in any 60 minutes"
    )
    share_of_accounts: Share = Field(
        0.25,
        description="accounts under a measure at one time, of all seen in the traffic. A campaign is judged against "
        "the accounts outside it, so if more than one in four is found, the yardstick is in doubt. In a large traffic "
        "the cap by the hour is felt long before this one; in a small one a pool is easily a tenth of all accounts",
    )


class Persons(_Part):
    """Who is decided on by people alone."""

    verification: tuple[Literal["none", "email", "phone", "identity", "contract"], ...] = Field(
        ("contract",), description="accounts of these levels of verification: a contract has a person to call"
    )
    plans: tuple[str, ...] = Field((), description="accounts on these plans, by name")
    ask_again_days: Days = Field(30.0, description="how long an answered question is not asked again")


class Addresses(_Part):
    """Measures on addresses, for gateways that see no accounts."""

    act: bool = Field(True, description="whether addresses get measures at all")
    least_accounts: int = Field(
        2, ge=1, le=1000, description="accounts under a measure that use the address: one could be a visitor"
    )
    seen_days: Days = Field(
        30.0, description="how far back anybody else's use of the address spares it: as long as scans look back"
    )


class Appeals(_Part):
    """What stands of a measure while an appeal against it is open. A person closes the appeal."""

    url: Annotated[str, Field(pattern=r"^(https?://\S+)?$", max_length=2_000)] = Field(
        "",
        description="where customers appeal, to which the decision's id is added: a page of yours, which posts what "
        "they write to the service; by default the service's own route, which customers mostly do not reach",
    )
    withhold_reasoning: MeasureName = Field("observe", description="lifted: the least harm if the appeal is false")
    throttle: MeasureName = Field("withhold_reasoning", description="softened by a step")
    step_up: MeasureName = Field("throttle", description="softened by a step")
    block: MeasureName = Field("step_up", description="softened by a step: who is honest can verify and go on")
    share_of_campaign: Share = Field(
        0.1,
        description="of a campaign's accounts this share (and at least one) is softened by appeals; those beyond wait "
        "for a person as they are, since a whole pool can appeal",
    )

    @model_validator(mode="after")
    def _softer(self) -> Appeals:
        for measure in list(Measure)[1:]:
            if self.of(measure) > measure:
                raise ValueError(f"{measure.text} must not become harder by an appeal, as {self.of(measure).text} is")
        return self

    def of(self, measure: Measure) -> Measure:
        """What stands of a measure."""
        return measure if measure is Measure.OBSERVE else Measure.of(getattr(self, measure.text))


class Policy(_Part):
    """The whole policy."""

    dry_run: bool = Field(True, description="decide, record and show, and enforce nothing")
    costs: Costs = Costs.model_validate({})
    belief: Belief = Belief.model_validate({})
    throttle: Throttle = Throttle.model_validate({})
    verification: Literal["email", "phone", "identity", "contract"] = Field(
        "identity",
        description="what a step-up asks for: pools are built on bought e-mail addresses and phone numbers",
    )
    holds: Holds = Holds.model_validate({})
    caps: Caps = Caps.model_validate({})
    persons: Persons = Persons.model_validate({})
    addresses: Addresses = Addresses.model_validate({})
    appeals: Appeals = Appeals.model_validate({})

    @property
    def limits(self) -> Limits:
        """Of a throttle."""
        return Limits(self.throttle.requests_per_minute, self.throttle.tokens_per_minute)

    def expected_cost(self, measure: Measure, probability: float) -> float:
        """Of a measure on an account that takes part with this (believed) probability: what a guilty one still gets,
        and what it does to an honest one, an account and a day."""
        guilty = self.costs.missed * self.costs.lets_through.of(measure)
        return probability * guilty + (1.0 - probability) * self.costs.honest.of(measure)

    def choose(self, probability: float, verification: str | None = None) -> Measure:
        """The measure of least expected cost, of equal ones the mildest.

        probability: as the scan states it. verification: the account's; one that has already what a step-up asks for
        is not asked again. Since every measure's cost is a straight line in the probability, and harder ones cost the
        honest more and stop the guilty more, a greater probability never gets a milder measure.
        """
        if probability < self.belief.least:
            return Measure.OBSERVE
        believed = self.belief.believed(probability)
        open_ = [m for m in Measure if m is not Measure.STEP_UP or not self._verified(verification)]
        return min(open_, key=lambda m: (self.expected_cost(m, believed), m))

    def stops_key(self, probability: float) -> bool:
        """Whether a stolen key is stopped, given how likely what came through it is a campaign's."""
        believed = self.belief.believed(probability)
        return (
            probability >= self.belief.least and believed * self.costs.missed > (1 - believed) * self.costs.key_stopped
        )

    def by_person(self, verification: str | None, plan: str | None) -> bool:
        """Whether only a person decides on such an account."""
        return verification in self.persons.verification or plan in self.persons.plans

    def _verified(self, verification: str | None) -> bool:
        if verification not in VERIFICATIONS:
            return False
        return VERIFICATIONS.index(verification) >= VERIFICATIONS.index(self.verification)

    def steps(self) -> list[tuple[Measure, float | None]]:
        """For every measure the least stated probability from which it is taken; None where it never is. To three
        decimals, found by trying."""
        least: dict[Measure, float] = {}
        for thousandth in range(1001):
            least.setdefault(self.choose(thousandth / 1000), thousandth / 1000)
        return [(measure, least.get(measure)) for measure in Measure]


DEFAULTS = Policy.model_validate({})


def read_policy(path: Path) -> Policy:
    """A policy from a TOML file; InputError with the setting's name and what it takes where it is none."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    return parse_policy(text, str(path))


def parse_policy(text: str, place: str) -> Policy:
    """A policy from the text of a TOML file that came from `place`."""
    try:
        return Policy.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{place}: {error}") from error
    except ValidationError as error:
        raise InputError(_fault(place, error)) from error


def _fault(place: str, error: ValidationError) -> str:
    fault = error.errors()[0]
    name = ".".join(str(part) for part in fault["loc"]) or "policy"
    if fault["type"] == "extra_forbidden":
        return f"{place}: {name}: no such setting; `stillwatch policy show` prints all of them"
    said = fault["msg"].removeprefix("Value error, ")
    return f"{place}: {name}: {said}, not {fault['input']!r}" if fault["type"] != "value_error" else f"{place}: {said}"


def as_toml(policy: Policy) -> str:
    """A policy as a TOML file, each setting with its reason before it."""
    lines: list[str] = []
    _write(policy, "", lines)
    return "\n".join(lines).strip() + "\n"


def _write(part: BaseModel, name: str, lines: list[str]) -> None:
    fields = type(part).model_fields
    inner = [n for n in fields if isinstance(getattr(part, n), BaseModel)]
    if name:
        lines += ["", *_comment(type(part).__doc__), f"[{name}]"]
    for own in fields:
        if own not in inner:
            lines += [*_comment(fields[own].description), f"{own} = {_toml(getattr(part, own))}"]
    for own in inner:
        _write(getattr(part, own), f"{name}.{own}" if name else own, lines)


def _comment(text: str | None) -> list[str]:
    return textwrap.wrap(text or "", 100, initial_indent="# ", subsequent_indent="# ")


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case tuple():
            return "[" + ", ".join(_toml(v) for v in value) + "]"
    return repr(value)
