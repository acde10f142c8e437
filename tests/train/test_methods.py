"""Every method trains: from its name to its inner problem, the same steps for all that follow."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import Mesh

from lpo import diffusion, provision, robust, workload
from lpo.optim import seed_keys
from lpo.runs.stages import stage_key
from lpo.train.config import (
    FOLLOWERS,
    IMAGINING,
    DiffusionConfig,
    EarlyStoppingKind,
    ForecastConfig,
    ForecastKind,
    MethodKind,
    PayoffKind,
    PredictorConfig,
    RobustConfig,
    SpaceKind,
    TrainConfig,
)
from lpo.train.inner import ScoreTrained, make_inner
from lpo.train.methods import (
    early_stopping_sets,
    make_setting,
    methods_wanted,
    predictor_of,
    train_method,
    untrained_score,
)
from tests import quick

SEEDS, EPOCHS, STEPS, RATE = 2, 2, 3, 1e-3
CONFIG = TrainConfig(
    seeds=SEEDS,
    forecast=ForecastConfig(name=ForecastKind.linear_normalised),
    predictor=PredictorConfig(
        steps=4, segment_steps=4, batch=8, early_stopping=EarlyStoppingKind.shifts
    ),
    diffusion=DiffusionConfig(space=SpaceKind.level, grid_steps=3, fine_steps=1),
    robust=RobustConfig(
        epochs=EPOCHS,
        predictor_steps=STEPS,
        predictor_learning_rate=RATE / 30,  # the linear map's is thirty times that
        samples=8,
        payoff=PayoffKind.relative_history,
        inner_steps=1,
        paths=8,
        draws=8,
        audit_draws=8,
        attack_steps=1,
    ),
)


@pytest.fixture(scope="module")
def problem():
    made = workload.synthetic(days=1, bin_s=60.0, seed=3)
    return workload.build(made, workload.lead_time(300.0, context=7, lead=1), seed=0)


class Loop:
    """A `Trainer` that writes no files: all steps in one program. Keeps the last metrics."""

    mesh: Mesh | None = None

    def __init__(self):
        self.keys = seed_keys(0, SEEDS)
        self.metrics = {}

    def key(self, name):
        return stage_key(self.keys, name)

    def run(self, name, training, data, *, steps, init=(), init_axes=(), data_axes=None, **options):
        def whole(key, data, init):
            def step(state, index):
                return training.update(jax.random.fold_in(key, index), state, data)

            state, metrics = jax.lax.scan(step, training.init(key, *init), jnp.arange(steps))
            state, closing = training.close(state, data)
            return state, metrics | closing

        every = jax.vmap(whole, in_axes=(0, data_axes, init_axes))
        state, self.metrics[name] = quick.jit(every)(self.key(name), data, init)
        return state


def shifting_score(problem) -> ScoreTrained:
    """In place of a network: the exact score of standard normal windows, and a shift to learn."""
    untrained = untrained_score(CONFIG.diffusion, problem)
    sde, (_, coefs, windows) = untrained.sde, untrained.nominal

    def eps(shift, x, t):
        return jnp.sqrt(sde.variance(t))[:, None] * x + shift

    each = jax.tree.map(lambda row: jnp.tile(jnp.float32(row), (SEEDS, 1)), coefs)
    nominal = robust.Nominal(jnp.zeros((SEEDS, windows.shape[-1])), each, windows)
    model = diffusion.ScoreModel(lambda key: (), eps)
    return untrained._replace(model=model, nominal=nominal)


def test_every_method_trains_and_all_that_follow_dfl_take_the_same_steps(problem):
    score = shifting_score(problem)
    setting = make_setting(CONFIG, CONFIG.forecast, problem, provision.newsvendor(), score)
    start: Any = jax.vmap(setting.forecaster.init)(seed_keys(7, SEEDS))
    trainer = Loop()
    for method in MethodKind:
        state = train_method(method, CONFIG, trainer, setting, start)
        metrics, predictor = trainer.metrics[method.name], predictor_of(state)
        for leaf in jax.tree.leaves((state, metrics)):
            assert np.isfinite(leaf).all(), method.name
        assert {"loss", "validation_loss"} <= metrics.keys()
        counts = [count for _, count in optax.tree.get_all_with_path(predictor.optimiser, "count")]
        steps = EPOCHS * STEPS if method in FOLLOWERS else CONFIG.predictor.steps
        assert counts and np.all(np.array(counts) == steps), method.name
        if method in FOLLOWERS:  # they start from there, and a step of Adam is about its rate
            gaps = jax.tree.map(lambda a, b: float(abs(a - b).max()), predictor.params, start)
            assert 0 < max(jax.tree.leaves(gaps)) <= 1.1 * RATE * steps
        assert ("path_kl" in metrics) == (method in IMAGINING - {MethodKind.diffusion_augmentation})


@pytest.mark.parametrize("block", [False, True])
def test_cutout_is_of_single_bins_at_zero_or_of_a_block_at_the_maximum(problem, block):
    config = RobustConfig(mix=1.0, cutout_block=block, sizes={"cutout_augmentation": 0.5})
    setting: Any = SimpleNamespace(
        problem=problem, batch=64, shard=lambda rows: rows, loss=lambda params, rows, key: rows
    )
    inner = make_inner(MethodKind.cutout_augmentation, config, setting)
    data = robust.RobustData(robust.Windows(jnp.asarray(problem.train), jnp.zeros((0, 8))))
    rows = np.asarray(inner.losses(jax.random.PRNGKey(0), (), data, ()))
    cut = rows == (problem.train.max() if block else 0.0)
    assert cut.mean() == pytest.approx(0.5, abs=0.1)
    assert np.all(cut.sum(axis=1) >= rows.shape[1] // 2) == block


def test_dfl_is_trained_for_those_that_follow_it():
    config = replace(CONFIG, compare=[], robust=replace(CONFIG.robust, method=MethodKind.kl_dro))
    assert methods_wanted(config) == {MethodKind.kl_dro, MethodKind.dfl}
    config = replace(CONFIG, compare=[MethodKind.mse], robust=RobustConfig(method=MethodKind.mse))
    assert methods_wanted(config) == {MethodKind.mse}


def test_early_stopping_looks_at_the_validation_part_alone_or_at_as_much_of_each_shift(problem):
    alone = PredictorConfig(early_stopping=EarlyStoppingKind.validation)
    assert early_stopping_sets(TrainConfig(predictor=alone), problem) is problem.validation
    sets = early_stopping_sets(CONFIG, problem)
    shifts = list(problem.validation_shifts.values())
    assert sets.shape == (1 + len(shifts), 128, problem.layout.window)
    for chosen, windows in zip(sets, [problem.validation, *shifts], strict=True):
        # in time order from the first to the last; with at most 128 windows none is left out
        assert np.array_equal(chosen[[0, -1]], windows[[0, -1]])
        kept = {row.tobytes() for row in chosen}
        assert kept <= {row.tobytes() for row in windows}
        assert len(kept) == min(128, len({row.tobytes() for row in windows}))


def test_without_a_validation_part_or_shifts_of_it_there_is_nothing_else_to_look_at(problem):
    assert early_stopping_sets(CONFIG, problem._replace(validation_shifts={})) is problem.validation
    none = problem._replace(validation=problem.validation[:0], validation_shifts={})
    assert early_stopping_sets(CONFIG, none).shape == (0, problem.layout.window)
