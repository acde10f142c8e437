"""The curves of a question: exact, simulated, or the exact ones with what has no closed form."""

from typing import NamedTuple

import jax

from lpo.scale.command.config import FeasibilityKind, MethodKind, ScaleConfig
from lpo.scale.command.question import Question
from lpo.scale.command.tables import LEVEL
from lpo.scale.curves import Curves
from lpo.scale.exact import exact_curves
from lpo.scale.laws import Latency
from lpo.scale.monte_carlo import simulate


class Swept(NamedTuple):
    """curves: with `met` where the limits must be kept by chance. notes: what else to know."""

    curves: Curves
    notes: list[str]


def sweep(cfg: ScaleConfig, asked: Question) -> Swept:
    """Return the curves of every model, parallelism and number of passes."""
    exact = cfg.method is MethodKind.exact
    by_chance = cfg.feasibility is FeasibilityKind.chance
    conserving = asked.laws.latency is Latency.WORK_CONSERVING
    notes: list[str] = []
    simulated = None
    if not exact or by_chance or conserving:
        simulated = simulate(
            jax.random.key(cfg.seed),
            asked.laws,
            asked.numbers,
            asked.models.models,
            asked.k,
            asked.parallel,
            trials=cfg.trials,
            limits=asked.limits if by_chance else None,
            percentiles=cfg.percentiles and not exact,
            pairs=asked.pairs,
        )
    if simulated is not None and not exact:
        notes.append(f"Means are those of {cfg.trials} simulated queries (trials); {_INTERVALS}.")
        if by_chance:
            notes.append(_chances(cfg))
        return Swept(simulated, notes)
    laws = asked.laws._replace(latency=Latency.MEAN) if conserving else asked.laws
    curves = exact_curves(
        laws, asked.numbers, asked.models.models, asked.k, asked.parallel, pairs=asked.pairs
    )
    if simulated is None:
        return Swept(curves, notes)
    curves = curves._replace(trials=simulated.trials, met=simulated.met)
    if conserving:
        curves = curves._replace(time=simulated.time)
        notes.append(
            f"latency=work_conserving has no closed form: times are means of {cfg.trials} "
            f"simulated queries (trials); {_INTERVALS}."
        )
    if by_chance:
        notes.append(_chances(cfg))
    return Swept(curves, notes)


_INTERVALS = (
    f"_mean_low and _mean_high in the tables are their confidence intervals at {100 * LEVEL:g} %"
)


def _chances(cfg: ScaleConfig) -> str:
    return (
        f"The chance to keep the limits is the share of {cfg.trials} simulated queries; chance_low "
        f"and chance_high in the tables are its Wilson interval at {100 * LEVEL:g} %."
    )
