"""A world of look-alikes: nobody guilty, and every benign cause of every indicator present.

Shares of accounts, sizes of groups and relative volumes are assumptions, chosen so that a world of ten thousand
accounts has several groups of each sort and hundreds of strangers on one artefact; docs/worlds.md lists them with their
sources.
"""

from __future__ import annotations

from functools import partial

from stillwatch.simulate import populations as ordinary
from stillwatch.simulate.background import Population, settle
from stillwatch.simulate.dispatch import Campaign
from stillwatch.simulate.lookalikes import cohorts, intermediaries, one_hand, strangers, workplaces
from stillwatch.simulate.lookalikes.commons import Crowd, commons
from stillwatch.simulate.streams import Asked, Streams

# Rows for each account: ten thousand accounts stand in a world of 150,000 exchanges, most with a few rows and some with
# thousands. Small accounts are what a provider has most of, and what is easiest to accuse by a coincidence.
ROWS_AN_ACCOUNT = 15


LOOK_ALIKES: dict[str, Population[Crowd]] = {
    "person": Population(0.13, (1, 1), ordinary.person),
    "developer": Population(0.06, (1, 1), ordinary.developer),
    "small_company": Population(0.045, (1, 4), ordinary.company, one_hand=True),
    "framework_app": Population(0.04, (1, 1), ordinary.framework_app),
    "nightly_regression": Population(0.012, (1, 4), workplaces.nightly_regression, one_hand=True),
    "ci_fleet": Population(0.008, (1, 1), workplaces.ci_fleet),
    "backfill": Population(0.01, (1, 5), workplaces.backfill, one_hand=True),
    "team_keys": Population(0.006, (1, 1), workplaces.team_keys),
    "audit_trail": Population(0.012, (1, 8), workplaces.audit_trail, one_hand=True),
    "judge_user": Population(0.025, (1, 3), workplaces.judge, one_hand=True),
    "labelling_firm": Population(0.02, (6, 40), workplaces.labelling_firm, one_hand=True),
    "approved_synthetic": Population(0.01, (3, 10), workplaces.approved_synthetic, one_hand=True),
    "own_synthetic": Population(0.01, (1, 1), workplaces.own_synthetic),
    "enterprise_accounts": Population(0.045, (8, 60), workplaces.enterprise, one_hand=True),
    "campus_class": Population(0.05, (18, 120), cohorts.campus_class),
    "tutorial_weekend": Population(0.03, (20, 90), cohorts.tutorial_weekend),
    "hackathon": Population(0.02, (20, 80), cohorts.hackathon),
    "startup_credits": Population(0.02, (10, 60), cohorts.startup_credits),
    "popular_agent": Population(0.14, (1, 1), strangers.popular_agent),
    "open_pipeline": Population(0.06, (1, 1), strangers.open_pipeline),
    "day_one_benchmark": Population(0.03, (1, 1), strangers.day_one_benchmark),
    "viral_prompt": Population(0.03, (1, 1), strangers.viral_prompt),
    "carrier_nat": Population(0.04, (20, 150), strangers.carrier_nat),
    "commercial_vpn": Population(0.04, (20, 120), strangers.commercial_vpn),
    "aggregator": Population(0.002, (1, 5), intermediaries.aggregator, one_hand=True),
    "gateway_customers": Population(0.015, (20, 150), intermediaries.gateway_customers),
    "stripping_gateway": Population(0.015, (20, 150), partial(intermediaries.gateway_customers, strips=True)),
    "reseller": Population(0.015, (10, 60), intermediaries.reseller, one_hand=True),
    "agency": Population(0.02, (6, 40), one_hand.agency, one_hand=True),
    "free_rider": Population(0.025, (6, 48), one_hand.free_rider, one_hand=True),
    "returned_after_ban": Population(0.015, (2, 4), one_hand.returned_after_ban, one_hand=True),
}


def look_alikes(s: Streams, asked: Asked) -> list[Campaign]:
    """Fill a world: one account to fifteen rows, and of every look-alike at least one group. There is no campaign."""
    accounts = asked.exchanges // ROWS_AN_ACCOUNT
    settle(s, LOOK_ALIKES, partial(Crowd, s, commons(s, accounts)), accounts)
    return []
