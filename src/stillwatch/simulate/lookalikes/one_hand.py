"""Accounts under one hand beyond doubt that distil nothing: client bots, free-tier riders, the banned who return."""

from __future__ import annotations

from typing import Any

from stillwatch.simulate.accounts import COUNTRIES, DAYS, PUBLIC_MAIL, USES, Account, close
from stillwatch.simulate.lookalikes.commons import Crowd
from stillwatch.simulate.rhythm import EVENING
from stillwatch.simulate.users import APP_INTENTS, chat_wordings, person_stream, program_stream, weight

COMES_BACK_WITHIN = 2.0  # days after a ban: assumption


def agency(c: Crowd) -> None:
    """An agency's client bots: one card or one device, the same servers, and a template for each client."""
    r = c.r
    card, device = c.new(), c.new()
    by_card = r.random() < 0.6
    servers, first = c.servers(r.randint(1, 4)), c.streams.register.age()
    # clients come one by one, over half a year or all in a week
    apart, country = r.choice((0.3, 2.0, 8.0)), COUNTRIES(r)
    for k in range(c.size):
        created = min(first + k * apart * r.uniform(0.5, 1.5), DAYS - 8.0)
        given: dict[str, Any] = {"created": created, "plan": "pay_as_you_go", "country": country}
        given |= {"payment": card} if by_card else {"device": device}
        program_stream(
            c.streams,
            c.add(**given),
            c.jobs(("support", "support", "classification", "translation", "summary"), 1),
            addresses=servers,
            weight=weight(c.streams, 2.5, 1.2),
            end_users=r.randint(5, 80),
        )


def _same_person(a: Account) -> dict[str, Any]:
    """What another account of the same person has in common with the first, whether they mean it or not."""
    return {"country": a.country, "utc_offset": a.utc_offset, "language": a.language, "client": a.client, "tls": a.tls}


def _any_mailbox(c: Crowd) -> str:
    """Where somebody opens one more mailbox: at a public provider, or at one for mailboxes to be thrown away."""
    return c.r.choice(c.streams.register.disposable) if c.r.random() < 0.4 else PUBLIC_MAIL(c.r)


def free_rider(c: Crowd) -> None:
    """One person on dozens of free accounts, who chats: when one has used up its quota the next one goes on."""
    r = c.r
    device = c.new()
    mailbox = {"email_hash": c.new(), "email_domain": PUBLIC_MAIL(r)}
    home = [c.streams.addresses.residential() for _ in range(2)]
    day, together = c.streams.register.age(), c.streams.handover_group()
    given: dict[str, Any] = {"plan": "free", "organization_id": None, "programme": None}
    given |= {"declared_use": r.choice(("personal", None))}
    first = c.add(created=day, device=device, **mailbox, **given)
    given |= _same_person(first)
    # the same front end all along, and the same quota everywhere
    chat: dict[str, Any] = {"wordings": chat_wordings(c.streams, c.public, first), "addresses": home}
    quota = weight(c.streams, 0.5, 0.6)
    person_stream(c.streams, c.public, first, weight=quota, handover=together, **chat)
    for _ in range(c.size - 1):
        day = min(day + r.expovariate(1 / 1.5), DAYS - 5.0)
        account = c.add(
            created=day,
            # another browser now and then, and the old mailbox with a suffix, or a new one
            device=device if r.random() < 0.7 else c.new(),
            **(mailbox if r.random() < 0.4 else {"email_hash": c.new(), "email_domain": _any_mailbox(c)}),
            **given,
        )
        person_stream(c.streams, c.public, account, weight=quota, handover=together, profile=EVENING, **chat)


def returned_after_ban(c: Crowd) -> None:
    """Somebody who was banned and came back, once or oftener, and does what they did before."""
    r = c.r
    home = [c.streams.addresses.residential()]
    given: dict[str, Any] = {"organization_id": None, "programme": None, "declared_use": USES(r)}
    account = c.add(created=min(c.streams.register.age(), DAYS - 25.0), **given)
    given |= _same_person(account)
    keeps = r.sample(("device", "payment", "phone"), r.randint(1, 3))
    is_person = r.random() < 0.6
    asked = chat_wordings(c.streams, c.public, account) if is_person else c.jobs(APP_INTENTS, 1, 2)
    for k in range(c.size):
        begin = max(account.created, 0.0)
        last = k == c.size - 1 or begin > DAYS - 6
        if not last and account.closed is None:
            close(account, r.uniform(begin + 1, begin + 1 + (DAYS - 5 - begin) * 0.6), "banned")
        if is_person:
            person_stream(c.streams, c.public, account, wordings=asked, addresses=home)
        else:
            program_stream(c.streams, account, asked, addresses=home, weight=weight(c.streams, 1.0))
        if last or account.closed is None or account.closed > DAYS - 3:
            return
        again = {name: getattr(account, name) for name in keeps}
        account = c.add(created=account.closed + r.uniform(0.05, COMES_BACK_WITHIN), **given, **again)
