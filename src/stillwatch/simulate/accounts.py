"""Accounts: what the provider knows of each, drawn from one distribution for guilty and innocent alike.

What is *not* a cause (plan, age, country, verification, client, path, limits, temperature, declared use, how often a
card or a phone is on file) is drawn here, by one function, without knowing for whom. What *is* a cause is given by the
caller: members of one hand share a card, an office shares an organisation, a contract shows as verification. Shares of
plans, clients and settings are assumptions of this world, not measurements: only their equality matters.
"""

from __future__ import annotations

import hashlib
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import Any, Generic, TypeVar

from stillwatch.simulate.templates import invented_name
from stillwatch.simulate.vocabulary_more import LANGUAGES

DAYS = 60  # the span of a world
MICROSECONDS_A_DAY = 86_400_000_000


T = TypeVar("T")


class Draw(Generic[T]):
    """A discrete distribution."""

    def __init__(self, weights: dict[T, float]) -> None:
        self.values = list(weights)
        self._ends = list(accumulate(weights.values()))

    def __call__(self, r: Random) -> T:
        """One draw."""
        return self.at(r.random())

    def at(self, u: float) -> T:
        """The value at a quantile `u` in [0, 1)."""
        return self.values[min(bisect(self._ends, u * self._ends[-1]), len(self.values) - 1)]


PLANS = Draw({"free": 0.25, "pay_as_you_go": 0.55, "team": 0.14, "enterprise": 0.06})
PROGRAMMES: Draw[str | None] = Draw({None: 0.93, "startup": 0.035, "education": 0.025, "research": 0.01})
VERIFIED = Draw({"none": 0.08, "email": 0.42, "phone": 0.32, "identity": 0.18})
PATHS = Draw({"direct": 0.55, "cloud_marketplace": 0.2, "gateway": 0.17, "partner": 0.08})
COUNTRIES = Draw(
    {
        "US": 0.28,
        "CN": 0.07,
        "IN": 0.09,
        "DE": 0.06,
        "GB": 0.06,
        "FR": 0.05,
        "JP": 0.05,
        "BR": 0.04,
        "ES": 0.03,
        "KR": 0.03,
        "CA": 0.04,
        "SG": 0.04,
        "HK": 0.03,
        "RU": 0.02,
        "MX": 0.03,
        "NL": 0.03,
        "AE": 0.02,
        "IT": 0.02,
        "AU": 0.01,
    }
)
USES: Draw[str | None] = Draw(
    {
        None: 0.3,
        "customer support": 0.1,
        "software development": 0.18,
        "research": 0.09,
        "education": 0.08,
        "content": 0.1,
        "data processing": 0.08,
        "evaluation": 0.03,
        "personal": 0.04,
    }
)
PUBLIC_MAIL = Draw(
    {
        "gmail.com": 0.5,
        "outlook.com": 0.16,
        "qq.com": 0.08,
        "163.com": 0.06,
        "proton.me": 0.06,
        "yahoo.com": 0.08,
        "icloud.com": 0.06,
    }
)
TEMPERATURES: Draw[float | None] = Draw(
    {None: 0.36, 0.0: 0.16, 0.2: 0.1, 0.3: 0.06, 0.5: 0.05, 0.7: 0.15, 0.8: 0.04, 1.0: 0.08}
)
LIMITS: Draw[int | None] = Draw({None: 0.3, 256: 0.04, 512: 0.09, 1024: 0.17, 2048: 0.14, 4096: 0.16, 8192: 0.1})
BUDGETS: Draw[int | None] = Draw({None: 0.74, 1024: 0.06, 4096: 0.1, 16384: 0.1})
CLIENTS = Draw(dict(enumerate((0.19, 0.13, 0.11, 0.1, 0.09, 0.08, 0.07, 0.06, 0.05, 0.04, 0.04, 0.04))))
USER_AGENTS = (
    "OpenAI/Python 2.11.0",
    "OpenAI/Python 1.109.1",
    "OpenAI/JS 6.9.1",
    "python-httpx/0.28.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "litellm/1.80.5",
    "python-requests/2.32.5",
    "node-fetch/3.3.2",
    "Go-http-client/2.0",
    "curl/8.14.1",
    "okhttp/5.1.0",
    "langchain-py/1.0.8",
)
# Shares of models among accounts; the last two are released within the world.
OLD_MODELS = Draw({0: 0.34, 1: 0.38, 2: 0.12, 3: 0.16})
MODELS = ("meridian-2", "meridian-2-mini", "meridian-2-pro", "meridian-1.5", "meridian-3", "meridian-3-mini")
RELEASED_ON = (-211.0, -190.0, -96.0, -420.0, 27.4, 44.6)  # days from the world's start
NEW, NEW_MINI = 4, 5
AGE = (5.2, 1.15)  # ln(days) of ages before the world: median exp(5.2) = 181 days, a long tail to some years
MADE_WITHIN = 0.33  # share of accounts made within the world: a provider that doubles in some months
# Mean turns of a conversation, drawn for each stream of requests, a person's, a program's or a campaign's alike.
TURNS = (1.0, 1.0, 1.0, 2.0, 4.0, 8.0)
DISPOSABLE = 0.08  # share of sign-ups with disposable mail: assumption; honest people use them too


@dataclass(slots=True)
class Account:
    """One account, as `tables.ACCOUNTS` has it, with its client's habits."""

    number: int
    account_id: str
    population: str
    role: str
    created: float  # days from the world's start
    language: int
    utc_offset: float
    organization_id: str | None
    email_domain: str
    email_hash: str
    payment: str | None
    phone: str | None
    device: str | None
    country: str
    plan: str
    programme: str | None
    verification: str
    declared_use: str | None
    client: int
    path: str
    temperature: float | None
    max_tokens: int | None
    budget: int | None
    logprobs: bool
    streams: float
    batches: float
    has_conversations: bool
    has_history: bool
    end_users: int
    model: int
    adopts: float
    key: str
    tls: int
    system: bool
    tools: int
    status: str = "active"
    closed: float | None = None
    strips: bool = False  # a gateway in front passes on neither address nor client
    events: list[tuple[float, str, str]] = field(default_factory=list)


UTC_OFFSETS = {
    "US": (-8.0, -6.0, -5.0, -5.0),
    "CN": (8.0,),
    "IN": (5.5,),
    "DE": (1.0,),
    "GB": (0.0,),
    "FR": (1.0,),
    "JP": (9.0,),
    "BR": (-3.0,),
    "ES": (1.0,),
    "KR": (9.0,),
    "CA": (-5.0, -8.0),
    "SG": (8.0,),
    "HK": (8.0,),
    "RU": (3.0,),
    "MX": (-6.0,),
    "NL": (1.0,),
    "AE": (4.0,),
    "IT": (1.0,),
    "AU": (10.0,),
}
NATIVE = {
    "CN": "zh",
    "HK": "zh",
    "IN": "hi",
    "DE": "de",
    "FR": "fr",
    "JP": "ja",
    "BR": "pt",
    "ES": "es",
    "KR": "ko",
    "RU": "ru",
    "MX": "es",
    "AE": "ar",
    "IT": "it",
    "SG": "zh",
}
_LANGUAGE_NUMBERS = {language.code: i for i, language in enumerate(LANGUAGES)}


class Register:
    """Makes accounts."""

    def __init__(self, r: Random, secret: str) -> None:
        self.r = r
        self._secret = secret
        self._given = 0
        self.accounts: list[Account] = []
        self.disposable = [self.new_domain() for _ in range(40)]

    def identifier(self, prefix: str = "") -> str:
        """A new random-looking identifier; every kind has one shape for everybody."""
        self._given += 1
        digest = hashlib.blake2b(f"{self._secret}/{self._given}".encode(), digest_size=10).hexdigest()
        return prefix + digest

    def new_domain(self) -> str:
        """A mail domain that nobody has yet had."""
        r = self.r
        return (
            invented_name(r).lower()
            + r.choice(("", "mail", "labs", "soft", "box"))
            + r.choice((".com", ".io", ".net", ".org"))
        )

    def age(self, within: float = MADE_WITHIN) -> float:
        """When an account was made, in days from the start: a share within the world, the rest over years before."""
        r = self.r
        if r.random() < within:
            return r.uniform(0.0, DAYS * 0.85)
        return -min(r.lognormvariate(*AGE), 1500.0)

    def add(self, population: str, role: str = "innocent", **given: Any) -> Account:
        """A new account; whatever is not given is drawn."""
        r = self.r
        country = str(given.get("country") or COUNTRIES(r))
        values = self._identity() | self._habits() | {"country": country, "utc_offset": r.choice(UTC_OFFSETS[country])}
        values["language"] = self._language(country)
        values |= given
        if values["plan"] == "free" and "payment" not in given:
            values["payment"] = None
        account = Account(
            number=len(self.accounts), account_id=self.identifier("acct_"), population=population, role=role, **values
        )
        self._happenings(account)
        self.accounts.append(account)
        return account

    def _language(self, country: str) -> int:
        r = self.r
        if country in NATIVE and r.random() < 0.6:
            return _LANGUAGE_NUMBERS[NATIVE[country]]
        # abroad, English mostly, and Chinese is common everywhere
        return _LANGUAGE_NUMBERS["zh"] if r.random() < 0.1 else _LANGUAGE_NUMBERS["en"]

    def _identity(self) -> dict[str, Any]:
        r = self.r
        u = r.random()
        if u < DISPOSABLE:
            domain = r.choice(self.disposable)
        elif u < 0.38:
            domain = self.new_domain()
        else:
            domain = PUBLIC_MAIL(r)
        return {
            "created": self.age(),
            "organization_id": self.identifier("org_") if r.random() < 0.3 else None,
            "email_domain": domain,
            "email_hash": self.identifier(),
            "payment": self.identifier(),
            "phone": self.identifier() if r.random() < 0.62 else None,
            "device": self.identifier() if r.random() < 0.85 else None,
            "plan": PLANS(r),
            "programme": PROGRAMMES(r),
            "verification": VERIFIED(r),
            "declared_use": USES(r),
            "key": self.identifier("key_"),
        }

    def _habits(self) -> dict[str, Any]:
        r = self.r
        client, path = CLIENTS(r), PATHS(r)
        return {
            "client": client,
            # a proxy or an odd build changes the fingerprint under an agent's name for one account in 25
            "tls": r.randrange(len(USER_AGENTS)) if r.random() < 0.04 else client,
            "path": path,
            "temperature": TEMPERATURES(r),
            "max_tokens": LIMITS(r),
            "budget": BUDGETS(r),
            "logprobs": r.random() < 0.02,
            "streams": r.choice((0.0, 0.1, 0.5, 0.9, 1.0)),
            "batches": 0.0 if r.random() < 0.85 else r.choice((0.2, 0.8)),
            # gateways strip what they do not need
            "has_conversations": r.random() < (0.45 if path == "gateway" else 0.8),
            "has_history": r.random() < (0.6 if path == "gateway" else 0.92),
            "end_users": 0 if r.random() < 0.85 else int(r.lognormvariate(3.0, 1.2)) + 1,
            "model": OLD_MODELS(r),
            # turning to a new model takes three weeks on average, and two in five never do
            "adopts": RELEASED_ON[NEW] + r.expovariate(1 / 21) if r.random() < 0.6 else 1e9,
            "system": r.random() < 0.5,
            "tools": r.randint(1, 7) if r.random() < 0.35 else 0,
        }

    def _happenings(self, account: Account) -> None:
        """What befalls anybody: changes of plan and verification, and at the base rate a ban or a suspension."""
        r = self.r
        first = max(account.created, 0.0)
        if r.random() < 0.06:
            account.events.append((r.uniform(first, DAYS), "plan", account.plan))
        if r.random() < 0.08:
            account.events.append((r.uniform(first, DAYS), "verification", account.verification))
        u = r.random()
        # 2.5% suspended and 2% banned in two months: assumption, of the order that platforms report for new accounts
        if account.role == "innocent" and u < 0.045:
            close(account, r.uniform(first + (DAYS - first) * 0.3, DAYS), "banned" if u < 0.02 else "suspended")


def close(account: Account, when: float, status: str) -> None:
    """End an account's service at a time (days)."""
    account.status, account.closed = status, when
    account.events.append((when, "status", status))


def share_some(
    r: Random, members: Sequence[Account], column: str, *, share: float, sizes: tuple[int, int], new: Callable[[], str]
) -> None:
    """Give a share of the members the same value of a column, in clusters of `sizes` accounts; `new` makes values."""
    chosen = [m for m in members if r.random() < share]
    at = 0
    while at < len(chosen):
        size = r.randint(*sizes)
        value = new()
        for member in chosen[at : at + size]:
            if getattr(member, column) is not None:
                setattr(member, column, value)
        at += size
