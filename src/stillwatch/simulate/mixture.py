"""The mixture: campaigns at any share of the accounts, and any share of extraction within their accounts.

The campaigns are those of `february-2026` (up to three of them, in an order drawn from the seed; one for every eight
attacking accounts), each with as many accounts as the next. What does not belong to a campaign on an attacking account
is ordinary: customers that it relays, or its holder's own traffic.

The background is that of `february-2026`, where an attacking account sends six times what an honest one does on
average, as some honest ones do. So it is here while that leaves half of the exchanges to honest accounts; where
attackers are more than a seventh, they send less each. Where the share would leave fewer than eight of them, there are
more accounts with fewer exchanges each. Their volumes are spread as people's are. Assumptions as in `february-2026`;
that ordinary traffic is spread over a campaign's accounts as its extraction is, is assumed too.
"""

from __future__ import annotations

import math
from dataclasses import replace

from stillwatch.errors import InputError
from stillwatch.simulate.background import background
from stillwatch.simulate.campaigns import FEBRUARY_2026, FULL_EXCHANGES, recruit
from stillwatch.simulate.dispatch import Campaign
from stillwatch.simulate.public import ROWS_AN_ACCOUNT, public
from stillwatch.simulate.recruits import LEAST_ACCOUNTS, spread_ordinary
from stillwatch.simulate.streams import Asked, Streams
from stillwatch.simulate.users import PERSON_SPREAD

ATTACKERS, EXTRACTION = 0.05, 0.5  # where not given: the share at which published tests begin to see something
ATTACKERS_RANGE, EXTRACTION_RANGE = (0.001, 0.5), (0.05, 1.0)
# An attacking account's exchanges for each of an honest one's: 690 to 110 in `february-2026`.
TIMES_AS_BUSY = FULL_EXCHANGES / sum(p.accounts for p in FEBRUARY_2026) / ROWS_AN_ACCOUNT
LEAST_ROWS_AN_ACCOUNT = 6  # below this, accounts of the background would have no habits left


def mixture(s: Streams, asked: Asked) -> list[Campaign]:
    """Fill a world with campaigns at the shares that are asked for, and the background.

    Raises InputError for shares out of range, or too few exchanges for them.
    """
    attackers = _within("attackers", asked.attackers, ATTACKERS, ATTACKERS_RANGE)
    extraction = _within("extraction", asked.extraction, EXTRACTION, EXTRACTION_RANGE)
    honest_an_attacker = (1 - attackers) / attackers
    busy = min(TIMES_AS_BUSY, honest_an_attacker)
    fitting = asked.exchanges / ROWS_AN_ACCOUNT / (1 + busy / honest_an_attacker)
    wanted = max(fitting, LEAST_ACCOUNTS * honest_an_attacker)
    _check_room(asked.exchanges, attackers, wanted, honest_an_attacker)
    shared = public(s, round(wanted))
    background(s, shared, round(wanted))
    # every population has a group, so that there are a few accounts more than wanted
    honest = len(s.register.accounts)
    attacking = max(LEAST_ACCOUNTS, round(honest / honest_an_attacker))
    _check_room(asked.exchanges, attackers, honest, honest_an_attacker)
    a_member = busy * asked.exchanges / (honest + busy * attacking)
    number = min(len(FEBRUARY_2026), attacking // LEAST_ACCOUNTS)
    campaigns = []
    for i, plan in enumerate(s.r.sample(FEBRUARY_2026, number)):
        accounts = attacking // number + (i < attacking % number)
        exchanges = max(accounts, round(accounts * a_member * extraction))
        own = replace(plan, customers=0.0, spread=max(plan.spread, PERSON_SPREAD))
        campaign = recruit(s, shared, own, number=i, exchanges=exchanges, accounts=accounts)
        members = [x for x in campaign.streams if x.account.role == "member"]
        spread_ordinary(s, shared, members, round(accounts * a_member) - exchanges)
        campaigns.append(campaign)
    return campaigns


def _within(option: str, given: float | None, usual: float, limits: tuple[float, float]) -> float:
    share = usual if given is None else given
    low, high = limits
    if not low <= share <= high:
        raise InputError(f"--{option} {share:g}: a share from {low:g} to {high:g} is needed")
    return share


def _check_room(exchanges: int, attackers: float, honest: float, honest_an_attacker: float) -> None:
    busy = min(TIMES_AS_BUSY, honest_an_attacker)
    least = LEAST_ROWS_AN_ACCOUNT * honest * (1 + busy / honest_an_attacker)
    if exchanges < least:
        rounded = math.ceil(least / 1000) * 1000
        raise InputError(
            f"--exchanges {exchanges}: too few for --attackers {attackers:g}, which takes {round(honest):,} honest "
            f"accounts; ask for {rounded:,} or more"
        )
