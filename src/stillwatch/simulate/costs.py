"""What each evasion costs an adversary: accounts, money, throughput, against the same campaign without it.

Unit prices are of the order that studies of these markets and price lists report, and assumptions of this world:

- an account: a few cents to some dollars with a phone verified (Thomas et al., Dialing Back Abuse on Phone Verified
  Accounts, CCS 2014: 85 to 500 dollars a thousand); a dollar is taken here.
- an aged and verified account: some ten times that (Thomas et al., Trafficking Fraudulent Accounts, USENIX Security
  2013, on the premium for age).
- a virtual card with its first charge: three dollars (assumption, after issuers' price lists).
- a household address for two months, kept for one account: five dollars; from a shared pool, a twentieth of that for
  each account (assumption, after price lists of residential proxies; Mi et al., Resident Evil, IEEE S&P 2019, on how
  such exits are had).
- a request at the provider's list price: 3 dollars a million tokens in and 15 out (assumption: a large model of 2026),
  on the mean of this world's lengths.
- rewording an instruction with a small model: 150 tokens in, 80 out at a fifteenth of that price.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from stillwatch.simulate.exchanges import OUTPUT_TALK
from stillwatch.simulate.rhythm import EVENING, HOURS, OFFICE, PUT_OFF
from stillwatch.simulate.streams import Cost
from stillwatch.simulate.templates import AGENT_SYSTEM_PROMPTS
from stillwatch.simulate.text import MEAN_BYTES

ACCOUNT_USD, AGED_USD, CARD_USD = 1.0, 10.0, 3.0
EXIT_USD, SHARED_EXIT_USD = 5.0, 0.25
CARDS_SHARED = 0.75  # cards for each account, where two in five accounts are on a card for some five
IN_USD, OUT_USD = 3e-6, 15e-6  # a token
BYTES_A_TOKEN = 4
REQUEST_USD = MEAN_BYTES / BYTES_A_TOKEN * IN_USD + math.exp(OUTPUT_TALK[0] + OUTPUT_TALK[1] ** 2 / 2) * OUT_USD
REWORD_USD = (150 * IN_USD + 80 * OUT_USD) / 15
AGENT_USD = sum(len(x) for x in AGENT_SYSTEM_PROMPTS) / len(AGENT_SYSTEM_PROMPTS) / BYTES_A_TOKEN * IN_USD


@dataclass(frozen=True, slots=True)
class Force:
    """What one campaign takes."""

    exchanges: int  # the campaign's own
    accounts: int  # planted ones apart
    planted: int
    decoys: int  # exchanges
    framed: int  # of the campaign's exchanges, under somebody else's template
    camouflaged: int  # of the campaign's exchanges
    plain_accounts: int  # that it would take without low volume and decoys
    low_share: float  # of the usual exchanges an account, that low volume leaves


def costs(force: Force, campaigns: int, evasions: Collection[str]) -> list[Cost]:
    """One row for the campaigns without any evasion, then one for each that is on, with the others left as they are."""
    an_account = ACCOUNT_USD + (CARD_USD if "own_card" in evasions else CARDS_SHARED * CARD_USD)
    an_account += EXIT_USD if "own_exit" in evasions else SHARED_EXIT_USD
    fewer = {
        "low_volume": max(force.plain_accounts, round(force.accounts * force.low_share)),
        "decoy_chat": max(
            force.plain_accounts, round(force.accounts * force.exchanges / (force.exchanges + force.decoys))
        ),
    }
    spared = {name: force.accounts - without for name, without in fewer.items()}
    priced = {
        "human_hours": (0, 0.0, _awake()),
        "low_volume": (spared["low_volume"], spared["low_volume"] * an_account, force.low_share),
        "own_exit": (0, force.accounts * (EXIT_USD - SHARED_EXIT_USD), 1.0),
        "own_card": (0, force.accounts * (1 - CARDS_SHARED) * CARD_USD, 1.0),
        "reworded": (0, force.exchanges * REWORD_USD, 1.0),
        "shuffled": (0, 0.0, 1.0),
        "decoy_chat": (
            spared["decoy_chat"],
            spared["decoy_chat"] * an_account + force.decoys * REQUEST_USD,
            force.exchanges / (force.exchanges + force.decoys),
        ),
        "camouflage": (0, force.camouflaged * AGENT_USD, 1.0),
        "planted": (force.planted, force.planted * (AGED_USD + CARD_USD + EXIT_USD), 1.0),
        "framing": (0, force.framed * REQUEST_USD, 1 - force.framed / force.exchanges),
    }
    plain = force.plain_accounts * (ACCOUNT_USD + CARDS_SHARED * CARD_USD + SHARED_EXIT_USD)
    rows = [Cost("none", campaigns * force.plain_accounts, campaigns * (plain + force.exchanges * REQUEST_USD), 1.0)]
    for name, (accounts, money, throughput) in priced.items():
        if name in evasions:
            rows.append(Cost(name, campaigns * accounts, campaigns * money, throughput))
    return [Cost(c.evasion, c.accounts, round(c.money_usd, 2), round(c.throughput_share, 4)) for c in rows]


def _awake() -> float:
    """What people's hours and weeks leave of a capacity that is used to the full at their peak."""
    kept = []
    for profile in (EVENING, OFFICE):
        day = HOURS[profile].mean() / HOURS[profile].max()
        kept.append(float(day * (5 + 2 * (1 - PUT_OFF[profile])) / 7))
    return sum(kept) / len(kept)
