"""Evidence as a waterfall in bits: from the prior, observation by observation, to the total."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from stillwatch.findings import Evidence, Factor
from stillwatch.report.charts.svg import at, element
from stillwatch.report.wording import odds_bits

# Past this many the small ones no longer change what a reader thinks; they are summed in one row and listed below it.
ROWS = 14
# Where prior and evidence add up to the stated odds within this, the difference is rounding and has no row.
ROUNDING_BITS = 0.15
# Beyond 40 bits odds say nothing more (odds_bits holds them there), so no difference is drawn.
SATURATED_BITS = 39.0


@dataclass(frozen=True, slots=True)
class Step:
    """One row: where it starts and ends in bits, and the observation, or a name where it is none."""

    kind: str
    name: str
    bits: float
    start: float
    end: float
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The rows of one factor, those left out of them, and the range of bits that the bars are drawn in."""

    steps: list[Step]
    folded: list[Evidence]
    low: float
    high: float


def waterfall(factor: Factor) -> Waterfall:
    """The factor's rows: the prior, what speaks for (strongest first), what speaks against, and the odds they give.

    Where the stated probability is not prior plus evidence, because rivals or dependence hold it back, a row says by
    how much, so that the last bar is always the probability that the page states.
    """
    ordered = sorted(factor.evidence, key=lambda e: (-abs(e.bits), e.id))
    kept, folded = ordered[:ROWS], ordered[ROWS:]
    steps = [Step("prior", "Before any observation (prior)", factor.prior_bits, 0.0, factor.prior_bits)]
    level = factor.prior_bits
    for e in sorted(kept, key=lambda e: (-e.bits, e.id)):
        steps.append(Step("for" if e.bits >= 0 else "against", "", e.bits, level, level + e.bits, e))
        level += e.bits
    if folded:
        rest = sum(e.bits for e in folded)
        steps.append(Step("for" if rest >= 0 else "against", f"{len(folded)} smaller ones", rest, level, level + rest))
        level += rest
    stated = odds_bits(factor.probability)
    held = stated - level
    if abs(held) > ROUNDING_BITS and abs(stated) < SATURATED_BITS:
        name = "Held back by rivals and dependence" if held < 0 else "Granted beyond the sum"
        steps.append(Step("held", name, held, level, stated))
        level = stated
    steps.append(Step("total", "Together", level, 0.0, level))
    ends = [0.0, *(s.end for s in steps)]
    return Waterfall(steps, folded, min(ends), max(ends))


def step_bar(fall: Waterfall, index: int) -> Markup:
    """The bar of one row, on the scale of the whole waterfall, with a line down to the next row."""
    step = fall.steps[index]
    reach = (fall.high - fall.low) or 1.0

    def x(bits: float) -> float:
        return 0.02 + 0.96 * (bits - fall.low) / reach

    left, right = sorted((x(step.start), x(step.end)))
    parts = [
        element("line", x1=at(x(0)), x2=at(x(0)), y1="0", y2="100%", class_="axis"),
        element(
            "rect", x=at(left), y=5, width=at(max(right - left, 0.004)), height=12, rx=1.5, class_="step " + step.kind
        ),
    ]
    if index + 1 < len(fall.steps):
        parts.append(element("line", x1=at(x(step.end)), x2=at(x(step.end)), y1=17, y2="100%", class_="lead"))
    if index:
        before = fall.steps[index - 1].end
        parts.append(element("line", x1=at(x(before)), x2=at(x(before)), y1="0", y2=5, class_="lead"))
    return element("svg", *parts, aria_hidden="true", class_="bar")
