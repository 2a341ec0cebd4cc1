"""How right a scan is: its findings beside the truth of a labelled world. Nothing that finds campaigns reads this."""

from stillwatch.evaluate.figures import Evaluation, together
from stillwatch.evaluate.judged import Judged, judge
from stillwatch.evaluate.page import render_page
from stillwatch.evaluate.run import evaluate, write_json, write_page
from stillwatch.evaluate.terminal import print_evaluation

__all__ = [
    "Evaluation",
    "Judged",
    "evaluate",
    "judge",
    "print_evaluation",
    "render_page",
    "together",
    "write_json",
    "write_page",
]
