"""The page of simulated worlds: what they hold, what was disclosed and what is assumed."""

from __future__ import annotations

import inspect
from types import ModuleType

from stillwatch.simulate import WORLDS, accounts, addresses, background, campaigns, templates, text
from stillwatch.simulate.background import POPULATIONS
from stillwatch.simulate.campaigns import FEBRUARY_2026
from tools.reference.markdown import code, sentence, table

_LEAD = """\
`stillwatch simulate` writes traffic in which who belongs to which campaign is known. `--exchanges N` counts all rows;
half of them are background (in `mixture`, `careful` and `look-alikes` as the world's page says), and the proportions of
the campaigns are kept at every size. The same arguments give the same world. The truth lies apart, in
`truth_accounts.parquet`, `truth_memberships.parquet` and `truth_exchanges.parquet`, which a scan never reads.

A simulated world is an argument about what campaigns look like, not a sample of them. What is known and what is
assumed is said below.
"""
_ASSUMED: tuple[tuple[str, ModuleType], ...] = (
    ("The campaigns", campaigns),
    ("The background", background),
    ("Accounts", accounts),
    ("Addresses", addresses),
    ("Instructions", templates),
    ("Payloads", text),
)


def _campaigns() -> str:
    rows = [
        (code(p.name), f"{p.accounts:,}", f"{p.exchanges:,}", ", ".join(dict.fromkeys(p.intents)), f"{p.banned:.0%}")
        for p in FEBRUARY_2026
    ]
    head = ("campaign", "accounts in the full world", "exchanges in the full world", "asks for", "banned on the way")
    return table(head, rows)


def _populations() -> str:
    rows = []
    for name, population in POPULATIONS.items():
        low, high = population.group
        rows.append((code(name), f"{population.share:.1%}", str(low) if low == high else f"{low} to {high}"))
    return table(("population", "share of background accounts", "accounts of one group"), rows)


def page() -> str:
    """The worlds, and every module's own account of what it assumes."""
    worlds = [(code(w.name), sentence(w.meaning), "yes" if w.campaigns else "no") for w in WORLDS.values()]
    text = f"# Worlds\n\n{_LEAD}\n{table(('world', 'what it is', 'campaigns'), worlds)}\n"
    tables = {"The campaigns": _campaigns(), "The background": _populations()}
    for title, module in _ASSUMED:
        text += f"## {title}\n\n{inspect.getdoc(module)}\n\n{tables.get(title, '')}\n"
    return text
