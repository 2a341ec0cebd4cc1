"""The whole evaluation of one scan, with the scans again that it was asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from stillwatch.errors import EnvironmentFailure
from stillwatch.evaluate.cited import delete_cited
from stillwatch.evaluate.figures import Evaluation, together
from stillwatch.evaluate.found import read_found
from stillwatch.evaluate.judged import beside
from stillwatch.evaluate.page import render_page
from stillwatch.evaluate.sent import Progress, read_sent, silent
from stillwatch.evaluate.timeline import timeline
from stillwatch.evaluate.truth import read_truth
from stillwatch.settings import Settings


def evaluate(
    world: Path,
    folder: Path,
    settings: Settings,
    *,
    every: int | None = None,
    newest: int | None = None,
    cited: bool = False,
    progress: Progress = silent,
) -> Evaluation:
    """Judge the scan in `folder` by the truth of `world`.

    With `every`, also scan at the end of every so many days, all that came by then or the `newest` of it; with `cited`,
    also without what each verdict cites. Raises InputError where either folder is not what it should be or they do not
    belong together.
    """
    truth, found = read_truth(world), read_found(folder)
    sent = read_sent(world, progress)
    whole = together([beside(world.name, truth, found, sent, f"is {folder} a scan of {world}?")])
    if every is not None:
        course = timeline(world, truth, sent, settings, every=every, newest=newest, progress=progress)
        whole = replace(whole, timeline=course)
    if cited:
        whole = replace(whole, deleted=delete_cited(world, folder, settings, progress))
    return whole


def write_json(evaluation: Evaluation, path: Path) -> None:
    """Write every figure into a file; raises EnvironmentFailure where that cannot be."""
    _write(path, json.dumps(evaluation.document(), ensure_ascii=False, indent=1) + "\n")


def write_page(evaluation: Evaluation, path: Path) -> None:
    """Write the page with plots; raises EnvironmentFailure where that cannot be."""
    _write(path, render_page(evaluation))


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise EnvironmentFailure(f"{path}: cannot be written: {error.strerror or error}") from error
