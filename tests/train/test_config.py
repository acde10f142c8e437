"""Values of `python -m lpo.train` that have the right type and no meaning, or the wrong type."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from lpo.errors import InputError
from lpo.runs import run_command
from lpo.train.config import (
    FOLLOWERS,
    SIZED,
    DiffusionConfig,
    EarlyStoppingKind,
    MethodKind,
    PayoffKind,
    PredictorConfig,
    RobustConfig,
    SpaceKind,
    TrainConfig,
    validate,
)
from lpo.train.inner import SIZES, size_of


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """The one line with which the command refuses overrides."""

    def start(*overrides):
        arguments = ["lpo.train", *overrides, f"hydra.run.dir={tmp_path / 'refused'}"]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as left:
            run_command("train", TrainConfig, validate, lambda cfg, folder: {})
        error = capsys.readouterr().err
        assert left.value.code == 2 and error.count("\n") == 1, error
        return error

    return start


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("robust.payoff=profit", "robust.payoff profit regret relative history relative_history"),
        ("predictor.early_stopping=never", "predictor.early_stopping never validation shifts"),
        ("diffusion.space=cubic", "diffusion.space cubic linear log"),
        ("robust.sizes.kl_dro=big", "robust.sizes.kl_dro big"),
        ("robust.sizes.kl_dro=-1", "robust.sizes -1 > 0 kl_dro"),
        ("robust.sizes.dfl=1", "robust.sizes.dfl kl_dro guided"),
        ("+robust.sizes.dfl=1", "robust.sizes dfl > 0 kl_dro guided"),
        ("+robust.sizes.dro_diffusion=1", "robust.sizes dro_diffusion > 0"),
        ("robust.attack_steps=0", "robust.attack_steps 0 > 0"),
        ("robust.smoothing=-1", "robust.smoothing -1 >= 0"),
    ],
)
def test_what_is_wrong_and_what_is_allowed_are_said_in_one_line(refused, override, words):
    line = refused(override)
    assert all(word in line for word in words.split()), line


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_sizes_are_positive_numbers(value):
    with pytest.raises(InputError, match=r"^robust.sizes: .* given; allowed: sizes > 0 of "):
        validate(TrainConfig(robust=RobustConfig(sizes={"wrm_dro": value})))


@pytest.mark.parametrize("name", ["cvar_dro", "cutout_augmentation"])
def test_sizes_that_are_shares_are_below_one(name):
    validate(TrainConfig(robust=RobustConfig(sizes={name: 0.99})))
    with pytest.raises(InputError, match="below 1 of cutout_augmentation and cvar_dro"):
        validate(TrainConfig(robust=RobustConfig(sizes={name: 1.0})))


def test_sizes_of_the_configuration_are_the_defaults_of_the_code():
    path = Path(__file__).parents[2] / "conf" / "train.yaml"
    sizes = yaml.safe_load(path.read_text())["robust"]["sizes"]
    assert sizes == {method.name: size for method, size in SIZES.items()}


def test_every_value_of_the_new_kinds_is_allowed():
    for payoff in PayoffKind:
        validate(TrainConfig(robust=RobustConfig(payoff=payoff)))
    for kind in EarlyStoppingKind:
        validate(TrainConfig(predictor=PredictorConfig(early_stopping=kind)))
    for space in SpaceKind:
        validate(TrainConfig(diffusion=DiffusionConfig(space=space)))


def test_sizes_are_those_given_else_defaults_of_every_method_that_has_one():
    assert set(SIZED) == {method.name for method in SIZES}
    config = RobustConfig(sizes=dict.fromkeys(SIZED, 0.125))
    validate(TrainConfig(robust=config))
    for method in SIZES:
        assert method in FOLLOWERS
        assert size_of(method, config) == 0.125 and size_of(method, RobustConfig()) > 0
    own = replace(config, epsilon=3.0)  # 3D-Learning's has a key of its own
    assert size_of(MethodKind.dro_diffusion, own) == 3.0
