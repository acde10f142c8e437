"""LASSO problems per second to a relative gap of 1e-3, by samples and FISTA, against coordinate
descent of scikit-learn; linear programs per second by a learned start and PDHG, against HiGHS.

    python benchmarks/learned_optimisation.py [--tests 512] [--steps 3000]

LASSO (32, 64), one matrix: all test problems in one compiled program, two noise levels and as many
steps of FISTA as bring 95 % of the problems to the target; FISTA alone from zero likewise. The
peers are scikit-learn on all problems in one call, with the loosest tolerance that brings 95 %
there, and HiGHS on one program after another. Provisioning (24 variables, 9 rows): PDHG from a
regression's start to a KKT error of 1e-3, all in one program, against HiGHS to optimality. Training
is not counted; its seconds are in the setting, with how many problems make it good against the
peer.
"""

import argparse
import warnings
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from measuring import report, timed
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso as CoordinateDescent

from lpo.l2o import (
    Family,
    Model,
    Noise,
    Objective,
    draw,
    follow,
    lasso,
    make_training,
    normaliser_of,
    polish,
    sample_problems,
    solved,
    unrolled,
)
from lpo.l2o.classical.pdhg import solve
from lpo.l2o.classical.proximal import fista
from lpo.l2o.families.provisioning import provisioning
from lpo.l2o.linear import family_of, labels
from lpo.l2o.linear import solved as solved_exactly
from lpo.l2o.measures import gaps
from lpo.l2o.warm.predictors import Kind, Settings, fit
from lpo.optim.training import fit as train

TARGET, SHARE = 1e-3, 0.95
PENALTY = 0.05
PROBLEMS = 20000
LINEAR_PROBLEMS = 3000
MOST = 400  # steps of FISTA


def trained(family: Family, steps: int) -> tuple[Model, float]:
    """A network of four proximal steps, and the seconds that labels and training took."""
    start = perf_counter()
    noise, denoiser = Noise(0.1, 2.0, 5.0), unrolled(family, 4)
    problems = sample_problems(family, jax.random.key(0), PROBLEMS)
    known = family.solve(problems)
    normaliser = normaliser_of(known.x)
    training = make_training(family, denoiser, noise, steps=steps, objective=Objective(scale=0.1))
    data = solved(problems, known, normaliser)
    state = train(training, jax.random.key(1)[None], data, steps=steps)
    params = jax.block_until_ready(jax.tree.map(lambda leaf: leaf[0], state.ema))
    return Model(denoiser, params, normaliser, noise), perf_counter() - start


def enough(values: Any, least: Any) -> int:
    """The least index along the last axis by which the share of problems is at the target."""
    there = np.asarray(gaps(values, least, TARGET)) <= TARGET
    shares = np.maximum.accumulate(there, 1).mean(0)
    assert shares[-1] >= SHARE, "the target was not reached"
    return int(np.argmax(shares >= SHARE))


def rate(run: Callable[[], Any], count: int) -> float:
    """Problems per second, the best of five warm runs."""
    return count / min(timed(run) for _ in range(6))


def coordinate_descent(matrix: np.ndarray, b: np.ndarray, least: np.ndarray) -> tuple[float, float]:
    """Problems per second and the tolerance of scikit-learn, all problems in one call."""
    rows, gram = len(matrix), matrix.T @ matrix
    for tolerance in (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5):
        model = CoordinateDescent(
            alpha=PENALTY / rows, fit_intercept=False, tol=tolerance, precompute=gram
        )
        seconds = min(timed(model.fit, matrix, b.T) for _ in range(3))
        x = model.coef_
        value = 0.5 * ((x @ matrix.T - b) ** 2).sum(1) + PENALTY * np.abs(x).sum(1)
        if ((value - least) / np.maximum(np.abs(least), TARGET) <= TARGET).mean() >= SHARE:
            return len(b) / seconds, tolerance
    raise RuntimeError("scikit-learn did not reach the target")


def lasso_lines(tests: int, steps: int) -> None:
    family = lasso(32, 64, penalty=PENALTY)
    model, seconds = trained(family, steps)
    problems = sample_problems(family, jax.random.key(2), tests)
    least, method = family.solve(problems).value, fista(family)
    zero = jnp.zeros((tests, 64))
    assert family.composite is not None and family.composite.matrix is not None
    matrix = np.asarray(family.composite.matrix(), np.float64)
    peer, tolerance = coordinate_descent(
        matrix, np.asarray(problems.b, np.float64), np.asarray(least)
    )
    own = partial(draw, family, model, problems, jax.random.key(3), 1, steps=2)
    after = enough(polish(family, method, problems, own(), MOST).value, least)
    alone = enough(follow(family, method, problems, zero, MOST).value, least)
    said = f"{tests} problems at once, {SHARE:.0%} within {TARGET:g}; scikit-learn tol={tolerance}"

    @jax.jit
    def both(problems: Any) -> jax.Array:
        drawn = draw(family, model, problems, jax.random.key(3), 1, steps=2)
        return polish(family, method, problems, drawn, after).value

    ours = rate(lambda: both(problems), tests)
    even = seconds / max(1.0 / peer - 1.0 / ours, 1e-12)
    report(
        "lasso_samples_and_fista",
        "problems/s",
        (ours, peer),
        "scikit-learn Lasso",
        f"{said}; 8 gradients and {after} steps; labels and training {seconds:.1f} s, "
        f"good after {even:.3g} problems",
    )
    classical = rate(lambda: follow(family, method, problems, zero, alone), tests)
    report(
        "lasso_fista",
        "problems/s",
        (classical, peer),
        "scikit-learn Lasso",
        f"{said}; {alone} steps from zero, no training",
    )


def linear_lines(tests: int, steps: int) -> None:
    linear = provisioning()
    known = sample_problems(family_of(linear), jax.random.key(4), LINEAR_PROBLEMS)
    answers = labels(linear, known)
    settings = Settings(training=steps)
    problems = sample_problems(family_of(linear), jax.random.key(5), tests)
    key = jax.random.key(7)
    onward = jax.jit(jax.vmap(lambda problem, z: solve(linear, problem, z, limit=20000).error))
    for kind in (Kind.REGRESSION, Kind.NONE):
        start = perf_counter()
        predictor = fit(kind, linear, known, answers, jax.random.key(6), settings)
        seconds = perf_counter() - start
        ours = rate(
            lambda predictor=predictor: onward(problems, predictor.starts(problems, key).z), tests
        )
        peer = tests / min(timed(solved_exactly, linear, problems) for _ in range(2))
        report(
            f"provisioning_pdhg_from_{kind}",
            "problems/s",
            (ours, peer),
            "HiGHS",
            f"{tests} programs at once to a KKT error of {TARGET:g}; HiGHS to optimality, stating "
            f"the programs included; fitting {seconds:.1f} s without {LINEAR_PROBLEMS} labels",
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=int, default=512)
    parser.add_argument("--steps", type=int, default=3000)
    given = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    lasso_lines(given.tests, given.steps)
    linear_lines(given.tests, given.steps)
