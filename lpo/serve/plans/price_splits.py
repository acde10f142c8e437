"""How a price of a token is best divided between prompts and outputs, if demand does not answer.

With prices c_p = s k and c_d = (1 - s) k and fixed demand,

    R*(s, k) = k max over plans of ( s P'r_p + (1 - s) D'r_d ),

where r_p and r_d [I] are the requests per second whose prompts and whose outputs are paid. It is a
largest value of functions that are linear in s, so that it is homogeneous in k and convex in s, and
its maximum over s in [0, 1] lies at an end: all of the price is put on the kind of token of which
the cluster can sell more. The slope in s is k (P'r_p - D'r_d).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.serve.instance import Instance
from lpo.serve.plans.levels import NO_LEVELS, ServiceLevels
from lpo.serve.plans.plan import solve_program
from lpo.serve.plans.program import Pricing, fluid_program


class PriceSplits(NamedTuple):
    """Plans over totals k [T] and shares s [S] of the prompt, c_p / (c_p + c_d).

    value [T, S]: `FluidPlan.value`. prompt_tokens, decode_tokens [T, S]: paid for, per GPU and
    second.
    """

    totals: np.ndarray
    shares: np.ndarray
    value: np.ndarray
    prompt_tokens: np.ndarray
    decode_tokens: np.ndarray

    @property
    def slope(self) -> np.ndarray:
        """Derivative of the revenue in the share [T, S]; at kinks one of the two sides."""
        return self.totals[:, None] * (self.prompt_tokens - self.decode_tokens)


def split_prices(
    instance: Instance,
    totals: Sequence[float] | np.ndarray,
    shares: Sequence[float] | np.ndarray,
    levels: ServiceLevels = NO_LEVELS,
    *,
    pricing: Pricing | str = Pricing.BUNDLED,
) -> PriceSplits:
    """Solve one program at c_p = share total, c_d = (1 - share) total; both are sorted.

    Homogeneity and the slope are those of the revenue: with penalties or a price of the least share
    among `levels`, which stay as they are, the value is only convex.
    Raises InputError on totals that are negative, on shares outside [0, 1], and as `solve_plan`;
    Infeasible where the levels exclude each other.
    """
    k, s = np.unique(np.asarray(totals, float)), np.unique(np.asarray(shares, float))
    for name, given, allowed, good in (
        ("totals", k, "finite and at least 0", np.isfinite(k) & (k >= 0.0)),
        ("shares", s, "in [0, 1]", (s >= 0.0) & (s <= 1.0)),
    ):
        if not len(given) or not good.all():
            raise InputError(f"`{name}` must be numbers {allowed}, at least one, got {given}.")
    program = fluid_program(instance, levels, pricing)
    bundled = program.shape.pricing is Pricing.BUNDLED
    value, prompt, decode = np.empty((3, len(k), len(s)))
    for i, total in enumerate(k):
        for j, share in enumerate(s):
            prices = {"price_prompt": share * total, "price_decode": (1.0 - share) * total}
            plan = solve_program(program, instance._replace(**prices), levels)
            read = plan.completed if bundled else plan.admitted
            value[i, j] = plan.value
            prompt[i, j] = instance.prompt @ read
            decode[i, j] = instance.decode @ plan.completed
    return PriceSplits(k, s, value, prompt, decode)
