"""SVG elements as escaped markup."""

from __future__ import annotations

from markupsafe import Markup, escape

from stillwatch.report.wording import visible


def element(name: str, *children: str, **attributes: str | float) -> Markup:
    """One element. Children that are not Markup are escaped; attribute names take _ for -, and a trailing _ is dropped.

    Numbers are written with at most two decimals, so that the same findings give the same bytes everywhere.
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _number(value))
        for key, value in attributes.items()
    )
    inner = Markup("").join(c if isinstance(c, Markup) else escape(visible(c)) for c in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), written, inner)


def drawing(label: str, *children: str, width: str = "100%", height: float, **attributes: str | float) -> Markup:
    """A whole picture with a label for who cannot see it. x may be in per cent, so that text keeps its size."""
    return element("svg", *children, role="img", aria_label=label, width=width, height=height, **attributes)


def at(fraction: float) -> str:
    """A fraction of the width as a percentage."""
    return f"{100 * fraction:.3f}%"


def _number(value: str | float) -> str:
    if isinstance(value, str):
        return visible(value)
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"
