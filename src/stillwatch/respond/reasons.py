"""The words of a decision: fit to show to the customer whom it is about.

They say what is done, until when, why in general, and how to appeal. They name no other account, no passage and no kind
of evidence: who collects should not learn from them what gave it away.
"""

from __future__ import annotations

from datetime import datetime

from stillwatch.respond.decision import Limits, Measure

WHY = (
    "Its requests, taken together with those of other accounts, look like one coordinated collection of answers on a "
    "large scale, such as is used to train another model."
)
ASKED = {
    "email": "a verified e-mail address",
    "phone": "a verified phone number",
    "identity": "a verified identity",
    "contract": "a contract",
}


def when(moment: datetime) -> str:
    """A time as it is written to customers."""
    return f"{moment:%-d %B %Y, %H:%M} UTC"


def _appeal(path: str) -> str:
    return f"If this is wrong, you can appeal at {path}; a person will look at it."


def of_account(measure: Measure, limits: Limits, verification: str, expires: datetime, appeal: str) -> str:
    """The reason of a measure on an account."""
    until = when(expires)
    done = {
        Measure.WITHHOLD_REASONING: f"Until {until} answers to this account come without reasoning and "
        "log-probabilities.",
        Measure.THROTTLE: f"Until {until} this account may send {limits.requests_per_minute:,} requests and use "
        f"{limits.tokens_per_minute:,} tokens a minute.",
        Measure.STEP_UP: f"Until {until} this account needs {ASKED[verification]} before it can go on. Once it has "
        "that, the restriction is looked at anew.",
        Measure.BLOCK: f"This account is blocked until {until}.",
    }
    return f"{done[measure]} {WHY} {_appeal(appeal)}"


def of_key(expires: datetime, appeal: str) -> str:
    """The reason why a stolen key is stopped: told to its holder, who is not accused of anything."""
    return (
        f"This key is stopped until {when(expires)}: requests came through it from places that are not yours, so it "
        "seems to have been stolen. The account itself is not restricted. Please make a new key, delete this one, and "
        f"find out where it was kept. If those requests were yours, you can appeal at {appeal}; a person will look at "
        "it."
    )


def of_address(measure: Measure, limits: Limits, expires: datetime, appeal: str) -> str:
    """The reason of a measure on an address."""
    done = (
        f"Requests from this address are blocked until {when(expires)}."
        if measure is Measure.BLOCK
        else f"Until {when(expires)} this address may send {limits.requests_per_minute:,} requests and use "
        f"{limits.tokens_per_minute:,} tokens a minute."
    )
    return f"{done} All accounts that were seen on it are restricted. {_appeal(appeal)}"


def softened(reason: str) -> str:
    """The reason of what stands while an appeal is open."""
    return f"Your appeal was received, and until a person has looked at it the measure is a milder one. {reason}"


def by_person(reason: str) -> str:
    """The reason of what a person decided."""
    return f"{reason} A person decided this."
