"""How the figures are written, the same on the page and in the terminal."""

from __future__ import annotations

from stillwatch.evaluate.campaigns import FoundCampaign
from stillwatch.evaluate.figures import Evaluation, Interval
from stillwatch.evaluate.timeline import Timeline
from stillwatch.report.wording import count, one_line, plural


def share_text(value: float | None) -> str:
    """A share to three digits, rounded towards one half, so that 1.000 and 0.000 are said only of all and of none."""
    if value is None:
        return "–"
    rounded = f"{value:.3f}"
    if rounded == "1.000" and value < 1:
        return "0.999"
    if rounded == "0.000" and value > 0:
        return f"{value:.1g}" if value >= 1e-6 else f"{value:.0e}"
    return rounded


def interval_text(interval: Interval) -> str:
    """Limits of a 95% interval, or nothing."""
    return "" if interval is None else f"{share_text(interval[0])} to {share_text(interval[1])}"


def signed_share(value: float | None) -> str:
    """A relative error in per cent with its sign."""
    return "–" if value is None else f"{100 * value:+,.0f}%".replace("-", "−")


def headline_rows(e: Evaluation) -> list[tuple[str, str, str]]:
    """Name, value and what it is made of, of every figure that is one number; for terminal and page."""
    a, x, t, c, g = e.accounts, e.exchanges, e.theft, e.calibration, e.false_groups
    bound = "–" if g.upper_bound is None else f"{1000 * g.upper_bound:.2g} in 1,000"
    rows = [
        ("account precision", share_text(a.precision), _of(a.right, a.accused, "accused", a.precision_interval)),
        ("account recall", share_text(a.recall), _of(a.right, a.guilty, "guilty", a.recall_interval)),
        ("account average precision", share_text(a.average_precision), ""),
        ("account recall, 0.1% of others accused", share_text(a.recall_at_one_in_a_thousand), ""),
        ("exchange precision", share_text(x.precision), _of(x.right, x.found, "found")),
        ("exchange recall", share_text(x.recall), _of(x.right, x.true, "true")),
        ("exchange average precision", share_text(x.average_precision), f"over {plural(x.judged, 'exchange')}"),
        (
            "exchange precision, mixed accounts",
            share_text(x.mixed_precision),
            f"{_of(x.mixed_right, x.mixed_found, 'found')} on {plural(x.mixed_accounts, 'account')}",
        ),
        ("stolen keys: exchanges found", share_text(t.share_found), _of(t.found, t.exchanges, "of the theft")),
        (
            "stolen keys: holders named victims",
            share_text(t.share_named),
            f"{_of(t.named, t.victims, 'victims')}; {count(t.accused)} accused",
        ),
    ]
    rows += [
        (
            f"overlap of {name} (B-cubed)",
            share_text(o.f1),
            f"precision {share_text(o.precision)}, recall {share_text(o.recall)}",
        )
        for name, o in e.overlap.items()
    ]
    rows += [
        (
            "false groups",
            count(g.false),
            f"of {count(g.found)} found; at most {bound} of {plural(g.accounts, 'account')} not guilty",
        ),
        ("log loss against the best constant", share_text(c.log_loss_ratio), _limits(c.log_loss_ratio_interval)),
        (
            "reliability error, 0.01 to 0.99",
            share_text(c.reliability_error),
            "; ".join(filter(None, (plural(c.within, "account") + " within", _limits(c.reliability_error_interval)))),
        ),
    ]
    return rows


def _of(part: int, whole: int, of: str, interval: Interval = None) -> str:
    return "; ".join(filter(None, (f"{count(part)} of {count(whole)} {of}", _limits(interval))))


def _limits(interval: Interval) -> str:
    return "" if interval is None else f"95%: {interval_text(interval)}"


def told(c: FoundCampaign) -> str:
    """What a found campaign is in truth, in words."""
    named = ", ".join(f"{one_line(name)} ({count(n)})" for name, n in c.members.items()) or "no true campaign"
    if c.false_group:
        return f"false group: {named}"
    return f"merges {named}" if c.merges else named


def timeline_sentence(t: Timeline) -> str:
    """Median and worst of a time line."""
    delays = " and ".join("never" if d is None else f"{d:.1f} days" for d in (t.median_delay_days, t.worst_delay_days))
    return (
        f"{plural(len(t.days), 'scan')}. Found after {delays} (median and worst), when "
        f"{share_text(t.median_share_taken)} and {share_text(t.worst_share_taken)} of a campaign's exchanges had been "
        f"taken. Accounts not guilty that any scan accused: {count(t.innocent_accused)}."
        if t.campaigns
        else f"{plural(len(t.days), 'scan')}, no campaign in truth. Accounts that any scan accused: "
        f"{count(t.innocent_accused)}."
    )
