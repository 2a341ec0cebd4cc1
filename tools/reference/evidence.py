"""The page of evidence: every kind's dossier, and the rivals that each factor is weighed against."""

from __future__ import annotations

from stillwatch.campaigns import RIVALS
from stillwatch.campaigns.theft import KEYS_CAP, NO_LIFE_BEFORE_BITS, THEFT_PRIOR_BITS
from stillwatch.campaigns.verdicts import BITS as VERDICT_BITS
from stillwatch.evidence import Conduct, Kind, Link, Trait, kinds
from stillwatch.evidence.kind import CONCENTRATION, TRAIT_OUTSIDERS, VIEW_CAP, Example, linkage
from tools.reference.markdown import NONE, bullets, code, sentence, table

ATLAS = "https://atlas.mitre.org/techniques/"

_MECHANISMS = {
    Link: "link: accounts that share a value",
    Trait: f"trait: accounts that stand out in a score which {TRAIT_OUTSIDERS:.0%} of outsiders exceed",
    Conduct: "conduct: what the group's exchanges look like together",
}
_LEAD = f"""\
A kind of evidence counts something in a group of accounts and says how many **bits** it is worth: the log2 of how much
likelier the observation is under a claim than without it. Ten bits say a thousand to one. Positive bits speak for the
claim, negative ones against it. Links and traits that look at the same thing (a *view*) are averaged, not added, while
each kind of conduct stands for itself; none of these counts for more than {VIEW_CAP:g} bits.
[Concepts](../concepts.md) says how they become a judgement.

A kind is silent where a column that it needs has no value in the whole input.

The worked examples are counts and the bits that they give; the tests run them. Links and traits are weighed by one
formula, the ratio of two beta-binomials (the null's concentration is {CONCENTRATION:g}): `joined` of `chances` members
have what another member has, and so do `outsiders_hit` of `outsiders` accounts outside.
"""

_ONE_ACCOUNT = f"""\
## Of one account

What links a group also tells its accounts apart. For each member, each link or trait that speaks for the group is
evidence of `membership`: how much oftener the pool's accounts are hit by it than strangers are.

### stolen_key

Evidence against `holder_takes_part`: whether the job and the rest of what the account sends come from one distribution
of places and keys or from two (a Bayes factor of Dirichlet-multinomials over days seen at each). Places count for up to
{VIEW_CAP:g} bits, keys for {KEYS_CAP:g}; beforehand {-THEFT_PRIOR_BITS:g} bits speak for taking part, and
{-NO_LIFE_BEFORE_BITS:g} more where the account did not live before the job. ATLAS technique:
[AML.T0012]({ATLAS}AML.T0012). What else could cause it: a holder who rents a second place to work from.

"""


_VERDICTS = f"""\
## Of analysts

### analyst_verdict

What an analyst said of a campaign of these accounts before, where a scan is told of it (`--verdicts`): confirmed,
{VERDICT_BITS:.1f} bits for it against every rival; dismissed, or explained by one of them, so many against it, on that
rival or the strongest, that a hundredth is left of what it was held for then. See
[Respond](../respond.md#verdicts). What else could cause it: an analyst's mistake.

"""


def technique(name: str | None) -> str:
    """An ATLAS technique as a link."""
    return f"[{name}]({ATLAS}{name})" if name else NONE


def bits(kind: Kind, example: Example) -> str:
    """What an example's counts are worth, by rival where the kind tells rivals apart."""
    if not isinstance(kind, Conduct):
        return f"{linkage(**example.counts):+.1f}"
    weighed = kind.weigh(example.counts)
    if weighed is None:
        return "says nothing"
    if not weighed:
        return "+0.0"
    names = [
        f"{value:+.1f} against {'every other rival' if rival == '*' else rival}" for rival, value in weighed.items()
    ]
    return "; ".join(names)


def _counts(example: Example) -> str:
    return ", ".join(f"{name} {value:,}" for name, value in example.counts.items())


def dossier(kind: Kind) -> str:
    """One kind: what it sees, what else could cause it, and its examples."""
    rows = [
        ("sees", sentence(kind.sees)),
        ("view", kind.view),
        ("claim", code(kind.claim)),
        ("mechanism", sentence(_MECHANISMS[type(kind)])),
        ("ATLAS technique", technique(kind.technique)),
        ("needs", ", ".join(code(c) for c in kind.needs) or NONE),
        ("explained as well by", ", ".join(code(r) for r in sorted(kind.explained_by)) or NONE),
        ("says", f"“{kind.statement}”"),
    ]
    examples = [(_counts(e), bits(kind, e)) for e in kind.examples]
    return (
        f"### {kind.name}\n\n{table(('', ''), rows)}\nWhat else could cause it:\n\n{bullets(kind.benign_causes)}\n"
        f"{table(('worked example', 'bits'), examples)}\n"
    )


def rivals() -> str:
    """The rivals of each factor with their priors."""
    rows = [
        (code(claim), code(rival.name), sentence(rival.says), f"{rival.prior_bits:+g}")
        for claim, several in RIVALS.items()
        for rival in several
    ]
    head = ("claim", "rival", "says", "prior bits for the claim against it")
    return f"## The rivals\n\n{table(head, rows)}\n"


def page() -> str:
    """Every kind by view, then the rivals."""
    found = kinds()
    views = list(dict.fromkeys(k.view for k in found))
    rows = [(f"[{k.name}](#{k.name})", k.view, code(k.claim), sentence(k.sees)) for k in found]
    text = f"# Evidence\n\n{_LEAD}\n{table(('kind', 'view', 'claim', 'sees'), rows)}\n{rivals()}"
    for view in sorted(views):
        text += f"## {view.capitalize()} {{ #view-{view} }}\n\n" + "".join(dossier(k) for k in found if k.view == view)
    return text + _ONE_ACCOUNT + _VERDICTS
