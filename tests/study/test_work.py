"""The tasks of the study, with stand-ins for what takes long."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo import robust, workload
from lpo.optim import Diverged, Training, seed_keys
from lpo.runs import Checkpoints, RunFolder
from lpo.runs.stages import Stages, TrainingFailed
from lpo.study import work
from lpo.study.cells import load
from lpo.study.config import StudyConfig
from lpo.study.floors import Floor
from lpo.study.plan import Group, make_cell
from lpo.study.problem import judged_sets, problem_of
from lpo.study.trainer import CellStages
from lpo.train.config import MethodKind
from lpo.train.problem import make_task
from lpo.train.scoring import window_regret


def cell_of(tiny: StudyConfig, method: MethodKind, *changes):
    return make_cell(tiny, "near", "mlp", method, *changes)


def test_a_cell_trains_as_a_run_does(tmp_path):
    """The same keys, hence the same random walk; the step kept is that of least validation loss."""
    steps = jnp.array([3.0, 1.0, 2.0])
    walk = Training(
        lambda key: {"x": jax.random.normal(key), "done": jnp.zeros((), int)},
        lambda key, state, data: (
            {"x": state["x"] + jax.random.normal(key), "done": state["done"] + 1},
            {"loss": state["x"]},
        ),
        lambda state, data: (state, {"validation_loss": data[state["done"] // 2 - 1]}),
    )
    how = {"steps": 6, "segment_steps": 2, "timing": "training"}
    stages = CellStages(3, 2)
    mine = stages.run("walk", walk, steps, **how)
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        run = Stages(RunFolder(tmp_path), checkpoints, lambda metrics, step: None, seed_keys(3, 2))
        theirs = run.run("walk", walk, steps, **how)
    np.testing.assert_array_equal(mine["x"], theirs["x"])
    assert stages.curves["walk"]["kept_step"] == [4, 4]
    assert stages.curves["walk"]["kept_loss"] == [1.0, 1.0]
    assert stages.seconds.keys() == {"compile", "training"}


def test_a_score_model_is_shared_by_architectures_and_not_by_spaces(tiny):
    def name(architecture, *changes):
        kind = MethodKind.dro_diffusion
        return work.score_file(make_cell(tiny, "near", architecture, kind, *changes).config)

    assert name("mlp") == name("linear_normalised") == name("mlp", {"robust": {"epochs": 3}})
    assert name("mlp") != name("mlp", {"diffusion": {"space": "log"}})


def test_a_score_model_is_trained_once(tiny, tmp_path, monkeypatch):
    trained = []

    def train_score(cfg, stages, problem):
        trained.append(cfg)
        score = work.untrained_score(cfg, problem)
        start = jax.jit(jax.vmap(lambda key: (score.model.init(key), score.nominal.coefs)))
        theta, coefs = start(stages.keys)
        return score._replace(nominal=robust.Nominal(theta, coefs, score.nominal.windows))

    monkeypatch.setattr(work, "train_score", train_score)
    small = {"diffusion": {"width": 16, "blocks": 1, "grid_steps": 8, "fine_steps": 2}}
    config = cell_of(tiny, MethodKind.guided, small).config
    problem = problem_of(config, 100)
    first, second = (work._score_of(config, problem, tmp_path) for _ in range(2))
    assert len(trained) == 1
    for left, right in zip(*map(jax.tree.leaves, (first.nominal, second.nominal)), strict=True):
        np.testing.assert_array_equal(left, right)


def test_what_diverged_leaves_no_forecasts(tiny, tmp_path, monkeypatch):
    def diverge(method, *arguments):
        raise Diverged(3, "loss")

    monkeypatch.setattr(work, "train_method", diverge)
    cells = [cell_of(tiny, kind) for kind in (MethodKind.dfl, MethodKind.kl_dro)]
    work.train_group(Group(tuple(cells), cells[0]), tmp_path)
    for cell in cells:
        outcome = load(cell.path(tmp_path))
        assert outcome.by_set == {}
        assert outcome.facts["diverged"] == "loss is not finite at step 3"
    # a group that is finished has nothing left to do
    assert Group(tuple(cells), cells[0]).missing(tmp_path).cells == ()


def test_a_score_model_that_diverges_is_named(tiny, tmp_path, monkeypatch):
    def diverge(cfg, stages, problem):
        raise Diverged(3, "loss")

    monkeypatch.setattr(work, "train_score", diverge)
    config = cell_of(tiny, MethodKind.guided).config
    with pytest.raises(TrainingFailed, match=r"score-\w+: loss is not finite at step 3"):
        work.train_score_of(config, 100, tmp_path)


def test_floors_are_kept_for_the_windows_that_are_judged(tiny, tmp_path, monkeypatch):
    """A floor that knows every target has no regret on any of them."""

    def of_oracle(sets, layout, task, candidates, pasts):
        targets = {name: workload.pairs(windows, layout)[1] for name, windows in sets.items()}
        few = {name for name, windows in sets.items() if len(windows) < 100}
        return {
            name: None if name in few else Floor("oracle", {"oracle": target}, {"oracle": 0.0})
            for name, target in targets.items()
        }

    monkeypatch.setattr(work, "floors", of_oracle)
    config = cell_of(tiny, MethodKind.dfl).config
    work.fit_floors(config, tiny.max_windows, "near", tmp_path)
    found = load(work.floors_path(config, tiny.max_windows, "near", tmp_path)).by_set
    problem = problem_of(config, tiny.max_windows)
    task, sets = make_task(config.provision, problem), judged_sets(problem)
    large = {name for name, windows in problem.tests.items() if len(windows) == 100}
    assert found.keys() == large and len(problem_of(config, None).tests[problem.own]) > 100
    for name, values in found.items():
        assert np.all(window_regret(values, sets[name], problem, task) == 0), name
