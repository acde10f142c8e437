"""Uncertainty about a centre instead of above a best case, as a change of the instance.

The sets of `lpo.allocate.uncertainty` are one-sided: what is realised is nominal + deviation xi,
xi in [0, 1], so that nominal is the best that can happen and a plan with gamma 0 is violated almost
surely wherever a limit binds. Which set is right depends on how the nominal value was measured:

- **One-sided** (the instance as it is): nominal is a floor, such as the delay of an idle GPU, and
  load or precision can only add to it.
- **Two-sided**, xi in [-1, 1] (also the instance as it is): nominal is a mean or a median, and a
  route may turn out better as well as worse. No row of the program changes: what is at risk is
  never negative, so the worst case never takes a negative xi, and max a'xi over |xi| <= 1,
  sum |xi| <= gamma is that of the one-sided set. What changes is what gamma promises: the
  Bertsimas-Sim bound holds (`violation_bound`), and realisations are drawn on both sides.
- **Mean-shifted** (`shift_nominal`): nominal was measured as a floor, but one wants to plan for the
  middle and to protect against the rest. Shift 1/2 turns xi uniform on [0, 1] into a two-sided set
  of half the width, where the bound holds too; shift 0.28 is the mean of Beta(2, 5).
"""

from lpo.allocate.instance import Instance
from lpo.errors import InputError


def shift_nominal(
    instance: Instance, shift: float, *, decision_dependent: bool = False
) -> Instance:
    r"""Move nominal delay and error up by `shift` deviations; the rest remains a deviation.

    $\bar d + s\hat d$ and $(1 - s)\hat d$, the same for the error. The worst value of a route
    stays, $\bar d + \hat d$, and with it the box. A plan with m routes that is protected with
    $s m + (1 - s)\Gamma$ in the instance as it was is protected with $\Gamma$ in the shifted one;
    the converse does not hold. With `decision_dependent` the impact g of a pair takes its share
    of the shift, $\bar d + s(1 - g)\hat d$, because xi lies in [0, 1 - g] there.

    Raises InputError on a shift outside [0, 1].
    """
    if not 0.0 <= shift <= 1.0:
        raise InputError(f"`shift` must be in [0, 1], got {shift}.")
    data = instance.data
    on = 1.0 if decision_dependent else 0.0
    delay = shift * (1.0 - on * data.impact_delay) * data.delay_deviation
    error = shift * (1.0 - on * data.impact_error) * data.error_deviation
    moved = data._replace(
        delay_ms_per_token=data.delay_ms_per_token + delay,
        delay_deviation=(1.0 - shift) * data.delay_deviation,
        error_rate=data.error_rate + error,
        error_deviation=(1.0 - shift) * data.error_deviation,
    )
    return instance._replace(data=moved)
