"""Numbers of a store's ledgers in place of a scan's own: exchanges still find their workloads."""

from __future__ import annotations

from functools import partial

import numpy as np

from stillwatch.campaigns.judgement import Judgement
from stillwatch.campaigns.search import Candidate
from stillwatch.evidence.weigh import Weighed
from stillwatch.outputs.assembled import Assembled, NamedGroup, NamedWorkload, renamed


def workload(number: int) -> NamedWorkload:
    return NamedWorkload(f"W-{number}", f"title {number}", (), (), ())


def test_workloads_stay_in_the_order_by_which_exchanges_name_them():
    """What single accounts word for themselves stands last in the list, whatever campaign it is of."""
    first, second, third, own = (workload(n) for n in range(1, 5))
    candidate = Candidate(Weighed(np.arange(2)), Judgement(()), partial(np.ones, 2), ())
    campaigns = [
        NamedGroup(candidate, "C-1", "P-1", 10, (first, own)),
        NamedGroup(candidate, "C-2", "P-2", 5, (second,)),
    ]
    others = [NamedGroup(candidate, None, "P-3", 1, (third,))]
    made = renamed(
        Assembled(campaigns, others, [first, second, third, own], 0, {}), [7, 8], [4, 5, 6], [11, 12, 13, 14]
    )
    assert [w.title for w in made.workloads] == [w.title for w in (first, second, third, own)]
    assert [w.id for w in made.workloads] == ["W-11", "W-13", "W-14", "W-12"]
    assert [w.id for g in (*made.campaigns, *made.others) for w in g.workloads] == ["W-11", "W-12", "W-13", "W-14"]
