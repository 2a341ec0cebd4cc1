"""What each account sends of which jobs, counted once a scan, so that no group asks for its exchanges again.

An exchange may carry several jobs, and a group may have several of them, so counts by job do not add up to a group's.
Counts by the *set* of jobs that an exchange carries do: each exchange has one. Of what is counted as different
(prompts, end users), values that stand in one cell only are a number of that cell; the others are kept as they are.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pyarrow as pa

from stillwatch.engine import Engine

# Two sums of 48-bit marks tell sets apart but for one chance in 2^96 a pair, and 32,768 jobs in one exchange fit.
MARK = 2**48
VALUES = {"prompts": "prompt_hash", "end_users": "end_user_id"}


def _sql(name: str, **given: str) -> str:
    text = (files(__package__ or "stillwatch.evidence") / f"{name}.sql").read_text("utf-8")
    return text.format(**given) if given else text


def count_cells(engine: Engine) -> None:
    """Leave `cells`, `shared_prompts` and `shared_end_users` in the engine, and what `count_groups` needs besides.

    The engine holds `traffic`, `job_traffic` and `account_jobs`.
    """
    jobs = engine.query("SELECT DISTINCT job FROM account_jobs ORDER BY job")["job"]
    marks = np.random.default_rng(0).integers(0, MARK, (2, len(jobs)))
    engine.register("job_marks", pa.table({"job": jobs, "first": marks[0], "second": marks[1]}))
    for name in ("exchange_sets", "set_jobs"):
        engine.create(name, _sql(name))
    for name, column in VALUES.items():
        engine.create("cell_values", _sql("cell_values", column=column))
        engine.create(f"own_{name}", _sql("own_values"))
        engine.create(f"shared_{name}", _sql("shared_values"))
    engine.create("cells", _sql("cells"))
    engine.drop("cell_values")


def number_origins(engine: Engine) -> None:
    """Leave `origins` (account_no, origin) in the engine, which holds `known_accounts`, `account_exits`, `parties`."""
    engine.create("origins", _sql("origins"))


def count_groups(engine: Engine) -> None:
    """Leave, for the groups of `group_jobs` and `candidates`, `group_cells`, `group_prompts` and `group_end_users`
    (group_no and the columns of `cells`; group_no, set_no, account_no, value), and the view `group_traffic`."""
    engine.create("group_sets", _sql("group_sets"))
    for name, cells in (("cells", "cells"), *((name, f"shared_{name}") for name in VALUES)):
        engine.create(f"group_{name}", _sql("group_cells", cells=cells))
    engine.view("group_traffic", _sql("group_traffic"))
