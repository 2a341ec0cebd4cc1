"""Findings, policies and states as tests of the response write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from stillwatch.respond.decide import Before, decide
from stillwatch.respond.found import Customer, Found, Suspect
from stillwatch.respond.policy import Policy

AT = datetime(2026, 7, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# Room for all, so that a test which is not of the caps does not meet them.
WIDE = {"caps": {"accounts_an_hour": 1_000_000, "share_of_accounts": 1.0}}


def policy(**parts: Any) -> Policy:
    return Policy.model_validate({**WIDE, "dry_run": False, **parts})


def suspects(campaign: str, *names: str, p: float = 0.95, **columns: Any) -> tuple[Suspect, ...]:
    return tuple(Suspect(name, campaign, p, **columns) for name in names)


def found(*of: Suspect, p: float = 0.95, digest: str = "scan", **columns: Any) -> Found:
    campaigns = {s.campaign: p for s in of}
    return Found(digest=digest, as_of=AT, suspects=of, **{"accounts": 1000, "campaigns": campaigns, **columns})


def contracted(*names: str) -> dict[str, Customer]:
    return {name: Customer(verification="contract", plan="enterprise") for name in names}


def decided(one: Found, given: Policy | None = None, before: Before | None = None, at: datetime = AT):
    return decide(given or policy(), one, before or Before(), at, "cycle")


def measures(plan) -> dict[str, str]:
    """By subject the text of what a plan lets stand."""
    return {d.subject: d.measure.text for d, _ in plan.decisions}
