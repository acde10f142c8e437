"""Cost of a slot of one LLM service in normalised units, and its closed-form optimum.

Source: Wen, Fan, Yang, "3D-Learning: Diffusion-Augmented Distributionally Robust Decision-Focused
Learning", arXiv 2602.02943, section V; the optimum is derived in docs/provision.md.
"""

import math
from typing import NamedTuple

from lpo.provision.arrays import Array, namespace


class UtilityParameters(NamedTuple):
    """Constants of the utility task. One unit of work is `hi_tokens - lo_tokens`.

    saturation: A, how fast accuracy saturates with the served share. benefit: k, weight of the
    accuracy. active, idle: p and q, cost of a unit served and of a unit kept idle.
    lo_tokens, hi_tokens: least and largest capacity, tokens per 5 s.
    """

    name: str
    saturation: float
    benefit: float
    active: float
    idle: float
    lo_tokens: float
    hi_tokens: float


# The constants of the published code: weight 0.7 on accuracy ln(20 z + 1) / (1.5 ln 21), 0.3 on
# power, which is 280 W active and 100 W idle relative to 200.
CODE = UtilityParameters(
    name="code",
    saturation=20.0,
    benefit=0.7 / (1.5 * math.log(21.0)),
    active=0.3 * 280.0 / 200.0,
    idle=0.3 * 100.0 / 200.0,
    lo_tokens=200.0,
    hi_tokens=400_000.0,
)
# The constants of the printed paper: price 0.34, power usage effectiveness 1.1, 4e-6 active and
# 1.4e-6 idle energy a token, times 4e5 tokens a unit. It states no least capacity: 0.
PAPER = UtilityParameters(
    name="paper",
    saturation=20.0,
    benefit=0.2,
    active=0.34 * 1.1 * 4e-6 * 4e5,
    idle=0.34 * 1.1 * 1.4e-6 * 4e5,
    lo_tokens=0.0,
    hi_tokens=400_000.0,
)
PRESETS = {preset.name: preset for preset in (CODE, PAPER)}


def objective(parameters: UtilityParameters, a: Array, c: Array) -> Array:
    """Return f(a, c) = p min(a, c) + q max(a - c, 0) - k c ln(A min(a / c, 1) + 1).

    a, c: capacity and workload in normalised units, >= 0, any broadcastable shapes.
    f is homogeneous of degree one in (a, c); f(a, 0) = q a, and its gradient there is finite.
    """
    xp = namespace(a, c)
    served = xp.minimum(a, c)
    # At c = 0 the share has no influence on the value; 1 is its limit for every a > 0.
    share = xp.where(c > 0, served / xp.where(c > 0, c, 1.0), 1.0)
    accuracy = xp.log1p(parameters.saturation * share)
    return (
        parameters.active * served
        + parameters.idle * xp.maximum(a - c, 0.0)
        - parameters.benefit * c * accuracy
    )


def optimal_share(parameters: UtilityParameters) -> float:
    """Return rho = clip(k/p - 1/A, 0, 1), the share of the workload that is worth serving.

    f(., c) is convex up to a = c, with derivative p - k A / (A a/c + 1), and increasing above, so
    argmin over 0 <= a <= 1 of f(a, c) is clip(rho c, 0, 1). Derived in docs/provision.md.
    """
    share = parameters.benefit / parameters.active - 1.0 / parameters.saturation
    return min(max(share, 0.0), 1.0)
