"""What a campaign's probability is worth: the product of its factors, held against worlds whose truth is known.

The factors' priors and caps are conventions, chosen so that nobody is accused lightly; their product says too little
where much speaks for a campaign and too much where little does. One number mends that, the slope by which log odds are
multiplied (temperature scaling, Guo et al. 2017; Platt 1999 without his intercept): even odds stay even, so nobody is
accused by it. An intercept was tried: in worlds that hide campaigns, groups of a product of 0.4 mostly are one, but
where there are none it accused some sixty of 200,000 innocents. `calibration.json` holds the slope with what it was
fitted on; `python -m bench.calibrate` fits it anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import orjson
from scipy.special import expit, logit

# Log odds beyond these are as good as certain.
LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class Calibration:
    """The slope; and what it was fitted on: how many accounts of which worlds, by which command.

    log_loss: of these accounts, natural, with the slope and (`bare`) without.
    """

    slope: float
    worlds: tuple[str, ...]
    accounts: int
    log_loss: float
    bare: float
    command: str

    @property
    def surest(self) -> float:
        """The most that may be said after so many accounts, were none of them mistaken (Laplace's rule)."""
        return 1 - 1 / (self.accounts + 2)

    def of(self, product: float) -> float:
        """The probability that a product of factors stands for, never surer than what it was fitted on allows."""
        told = expit(self.slope * logit(np.clip(product, LEAST, 1 - LEAST)))
        return float(np.clip(told, 1 - self.surest, self.surest))

    def product_for(self, probability: float) -> float:
        """The product of factors that stands for a probability."""
        return float(expit(logit(np.clip(probability, LEAST, 1 - LEAST)) / self.slope))


@cache
def calibration() -> Calibration:
    """The calibration that comes with this version."""
    stored = orjson.loads((files(__package__ or "stillwatch.campaigns") / "calibration.json").read_bytes())
    return Calibration(**stored | {"worlds": tuple(stored["worlds"])})
