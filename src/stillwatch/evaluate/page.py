"""The figures as one HTML page that needs no network, in the look of the report."""

from __future__ import annotations

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stillwatch.evaluate import charts, wording
from stillwatch.evaluate.figures import Evaluation
from stillwatch.report.wording import count, one_line, plain_name, plural, visible

# One table of the report's kind is read to the end up to about this many rows; the JSON has all.
LISTED = 200


def render_page(evaluation: Evaluation) -> str:
    """The whole page. The same figures give the same bytes.

    Returns:
        A complete HTML document with style sheet and plots inline, under a content security policy that allows no
        script and no connection.
    """
    environment = Environment(
        # the report's style sheet, so that both look alike
        loader=ChoiceLoader([PackageLoader("stillwatch.evaluate"), PackageLoader("stillwatch.report")]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=_finalize,
    )
    environment.filters.update(
        count=count,
        share=wording.share_text,
        signed_share=wording.signed_share,
        plain_name=plain_name,
        one_line=one_line,
        told=wording.told,
    )
    return environment.get_template("evaluation.html.j2").render(
        e=evaluation,
        style=Markup(environment.get_template("style.css").render()),
        plural=plural,
        rows=wording.headline_rows(evaluation),
        timeline_sentence=wording.timeline_sentence,
        charts=charts,
        LISTED=LISTED,
    )


def _finalize(value: object) -> object:
    # All that is printed passes here before it is escaped: controls and bidirectional overrides are written out.
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
