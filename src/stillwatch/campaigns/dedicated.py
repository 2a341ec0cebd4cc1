"""Members that do nothing but the campaign: all that they send belongs to it, in whatever words.

A job is told by passages that several accounts share. What a member sends in a wording that no other account has, and
what follows in those conversations, is left out then; it may as well be a customer's whom the pool relays. Customers
write freely, at least some of them: where a whole campaign's members never do, these have no customers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import betaln, expit

# Of accounts that take part in nothing, the share that always send one of their own recurring instructions: 0.51 of
# those with twenty conversations and more in one innocent world and 0.80 in another (`ordinary` and `look-alikes`). The
# larger one is the more careful.
BOUND = 0.8
# Where an account writes freely at all, any share is as likely. Of 232 members of campaigns that relay nobody, on 22
# worlds looked at while building, 211 had no request without a recurring passage and others a few: the Beta
# distribution of greatest likelihood, with one in twenty set aside as mistaken.
NEVER = (0.03, 4.6)
# A pool either relays customers or does not, beforehand as likely as not. Where it does not, one member in twenty may
# be a mistake or have something of its own.
MISTAKEN = 0.05


def dedicated(opened: Sequence[int], free: Sequence[int]) -> npt.NDArray[np.float64]:
    """For each member of one campaign, the probability that it has no business but the campaign.

    opened: the conversations that each opened and no job stands for. free: how many of these are without any recurring
    passage.
    """
    n, k = np.asarray(opened, np.float64), np.asarray(free, np.float64)
    none = betaln(k + NEVER[0], n - k + NEVER[1]) - betaln(*NEVER)
    some = np.logaddexp(np.log(BOUND) + none, np.log1p(-BOUND) + betaln(k + 1, n - k + 1))
    either = np.logaddexp(np.log1p(-MISTAKEN) + none, np.log(MISTAKEN) + some)
    relays = expit((some - either).sum())
    return np.asarray((1 - relays) * np.exp(np.log1p(-MISTAKEN) + none - either), np.float64)
