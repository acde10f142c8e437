"""Settings without effect, of a command line and of experiments."""

from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from lpo.errors import InputError
from lpo.runs import without_effect
from lpo.runs.without_effect import Needs, experiment_keys, given_keys, refuse_without_effect

Kind = Enum("Kind", ["square", "circle"])
ROUND = Needs[Any](("shape.kind", "size"), lambda cfg: cfg.shape.kind is Kind.circle, "circles")
SIZED = Needs[Any](("size",), lambda cfg: cfg.size is not None, "a size")
NEEDS = {"paint": (SIZED,), "shape.radius": (SIZED, ROUND)}


@pytest.fixture
def line(tmp_path, monkeypatch):
    """Set a command line, in a sweep or not, with one experiment to choose."""
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "defaults:\n  - _self_\n  - override /toy/models@models: few\n  - override /tracking: no\n"
        "command: toy\nsize: 3\nshape: {radius: 2.0, list: {a: 1}}\npaint: {colour: red}\n"
    )
    monkeypatch.setattr(without_effect, "find_conf", lambda: tmp_path)

    def given(*overrides: str, mode: RunMode = RunMode.RUN) -> None:
        hydra = {"mode": mode, "overrides": {"task": list(overrides)}}
        monkeypatch.setattr(HydraConfig.instance(), "cfg", OmegaConf.create({"hydra": hydra}))

    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)  # of another test
    return given


def config(kind: Any = None, size: Any = None) -> Any:
    return SimpleNamespace(shape=SimpleNamespace(kind=kind), size=size)


def test_keys_by_the_names_that_users_write(line):
    assert given_keys() == [] and experiment_keys() == {}  # no command
    line("size=3", "+shape.radius=1", "++a.b='c=d'", "~paint", "toy/models@models=few")
    assert given_keys() == ["size", "shape.radius", "a.b", "paint", "models"]
    assert experiment_keys() == {}
    line("+experiment=mine")
    keys = "models tracking command size shape.radius shape.list paint.colour".split()
    assert experiment_keys() == dict.fromkeys(keys, "mine")
    line("+experiment=[mine]")
    assert set(experiment_keys()) == set(keys)


@pytest.mark.parametrize(
    ("cfg", "key", "said"),
    [
        (config(size=0), "shape.radius", "shape.radius: given with shape.kind=null"),
        (config(Kind.square, 0), "shape.radius", "with shape.kind=square; allowed: with circles"),
        (config(Kind.circle), "shape.radius", "shape.radius: given with size=null; allowed: with"),
        (config(), "paint.colour", "paint.colour: given with size=null; allowed: with a size"),
    ],
)
def test_the_first_need_that_is_not_met_is_named(line, cfg, key, said):
    line(f"{key}=1")
    with pytest.raises(InputError) as refused:
        refuse_without_effect(cfg, NEEDS, given_keys())
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_what_has_an_effect_is_not_refused(line):
    line("shape.radius=1", "shape.kind=circle", "paint=red", "other=1")
    refuse_without_effect(config(Kind.circle, 1), NEEDS, given_keys())


def test_in_a_sweep_another_run_may_have_what_decides(line):
    cfg = config(Kind.square, 0)
    for decides in ("shape.kind=square", "size=0"):
        line("shape.radius=1", decides, mode=RunMode.MULTIRUN)
        refuse_without_effect(cfg, NEEDS, given_keys())
        line("shape.radius=1", decides)
        with pytest.raises(InputError):
            refuse_without_effect(cfg, NEEDS, given_keys())
    line("shape.radius=1", "other=0", mode=RunMode.MULTIRUN)
    with pytest.raises(InputError, match=r"shape.radius: given with shape.kind=square"):
        refuse_without_effect(cfg, NEEDS, given_keys())


def test_an_error_says_what_an_experiment_gives(line):
    line("+experiment=mine")
    with pytest.raises(InputError, match=r"shape.radius: given by experiment mine with size=null"):
        refuse_without_effect(config(), NEEDS, experiment_keys())
    line("+experiment=mine", "shape.radius=1")
    with pytest.raises(InputError, match=r"shape.radius: given with size=null"):
        refuse_without_effect(config(), NEEDS, experiment_keys())
