"""The checks of a configuration that types cannot express, and what a family fills in."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lpo.errors import InputError
from lpo.l2o.command.config import (
    AnalysisKind,
    DenoiserKind,
    FamilyKind,
    L2oConfig,
    PolishKind,
    TrainerKind,
)
from lpo.l2o.recipes import RECIPES
from lpo.runs import check
from lpo.runs.without_effect import Needs, given_keys, refuse_without_effect

BASELINES = ("gd", "momentum", "adam", "ista", "fista", "ishd", "pdhg")
PROXIMAL = ("ista", "fista")
RATELESS = (*PROXIMAL, "pdhg")
LEARNED = ("regression", "nearest", "unrolled", "lista", "alista", "l2o_dm", "rnnprop")
_RECURRENT = ("l2o_dm", "rnnprop")  # minutes of training: only where asked for
_OWN = {
    "lasso": ("rows", "columns", "fixed"),
    "rastrigin": ("dimension",),
    "ackley": ("dimension",),
    "open_rastrigin": ("dimension",),
    "digits": ("rows", "hidden", "path"),
    "provisioning": ("demand_spread", "price_spread"),
    "allocation": ("size", "instance", "demand_spread", "price_spread"),
}
_OPTIONAL = ("path",)
_COMPOSITE = ("lasso",)
_LINEAR = ("provisioning", "allocation")
_HIDDEN = ("rastrigin", "ackley")  # tell nothing of themselves


def validate(cfg: L2oConfig) -> None:
    """Refuse values that have the right type and no meaning, and fill in what is good for the
    family where nothing is given.

    Raises `InputError` with the key, what was given and what is allowed.
    """
    check(cfg, "seed", lambda seed: 0 <= seed < 2**31, "from 0 to 2^31 - 1")
    check(cfg, "seeds", _between(1, 100), "from 1 to 100")
    _check_family(cfg)
    _fill(cfg)
    assert cfg.work is not None
    for key, least, most in (
        ("denoiser.width", 1, 4096),
        ("denoiser.layers", 1, 64),
        ("guidance.octaves", 0, 16),
        ("training.problems", 2, 10**7),
        ("training.steps", 1, 10**8),
        ("training.batch", 1, 10**6),
        ("training.rollout_steps", 1, 1000),
        ("training.checkpoint_every", 1, 10**8),
        ("samples.count", 1, 10**4),
        ("polish.steps", 0, 10**6),
        ("tests", 2, 10**6),
        ("validation", 1, 10**6),
    ):
        check(cfg, key, _between(least, most), f"from {least} to {most}")
    for key in (
        "guidance.scale",
        "noise.least",
        "noise.most",
        "training.rate",
        "training.gap_scale",
    ):
        check(cfg, key, lambda number: 0 < number < math.inf, "> 0 and finite")
    check(cfg, "noise.rho", lambda rho: 1 <= rho < math.inf, ">= 1 and finite")
    check(
        cfg, "noise.least", lambda least: least < cfg.noise.most, f"< noise.most, {cfg.noise.most}"
    )
    check(cfg, "training.alpha", lambda alpha: 0 <= alpha < math.inf, ">= 0 and finite")
    check(cfg, "target", lambda target: 0 < target < 1, "in (0, 1)")
    check(cfg, "success", lambda limit: 0 < limit < math.inf, "> 0 and finite")
    for key in ("samples.levels", "work"):
        check(cfg, key, _whole_once, "whole numbers of at least 1, each once, at least one")
    _check_methods(cfg)
    refuse_without_effect(cfg, NEEDS, given_keys())


def _along_chains(cfg: L2oConfig) -> bool:
    """Whether a network is trained along chains, by the trainer or by an experiment."""
    return cfg.training.trainer is TrainerKind.rollout or cfg.analysis.name is AnalysisKind.trainer


NEEDS = {
    "training.rollout_steps": (
        Needs[L2oConfig](
            ("training.trainer", "experiment"),
            _along_chains,
            "training.trainer=rollout",
        ),
    )
}
"""Settings that others leave without effect."""


def _between(least: int, most: int) -> Callable[[int], bool]:
    return lambda number: least <= number <= most


def _whole_once(numbers: list[int]) -> bool:
    return bool(numbers) and len(set(numbers)) == len(numbers) and min(numbers) >= 1


def _check_family(cfg: L2oConfig) -> None:
    name = cfg.family.name.name
    for key in sorted({key for keys in _OWN.values() for key in keys}):
        given = getattr(cfg.family, key)
        if key in _OWN[name] and given is None and key not in _OPTIONAL:
            raise InputError(f"family.{key}: null given; allowed: a value (family.name={name})")
        if key not in _OWN[name] and given is not None:
            owners = [other for other, keys in _OWN.items() if key in keys]
            words = " or ".join(f"family.name={other}" for other in owners)
            raise InputError(f"family.{key}: given with family.name={name}; allowed: with {words}")
    for key in ("rows", "columns", "dimension", "hidden"):
        if key in _OWN[name]:
            check(cfg, f"family.{key}", _between(1, 10**4), "from 1 to 10000")
    if cfg.family.name is FamilyKind.digits:
        _check_pictures(cfg)
    for key in ("demand_spread", "price_spread"):
        if key in _OWN[name]:
            check(cfg, f"family.{key}", lambda spread: 0 < spread <= 2, "in (0, 2]")
    if cfg.family.size is not None:
        check(
            cfg,
            "family.size",
            lambda size: len(size) == 3 and all(1 <= each <= 50 for each in size),
            "three whole numbers from 1 to 50",
        )
        check(cfg, "family.instance", _between(0, 2**31 - 1), "from 0 to 2^31 - 1")


def _check_pictures(cfg: L2oConfig) -> None:
    """Read them, which also brings scikit-learn: while other threads load what it shares with them,
    as a job does, Python may find a deadlock of imports."""
    from lpo.l2o.readers import pictures_of  # takes seconds to import

    if cfg.family.path is not None:
        check(cfg, "family.path", lambda path: Path(path).is_file(), "a file, .npz of MNIST")
    count = len(pictures_of(cfg.family.path).train.digits)
    check(cfg, "family.rows", _between(1, count), f"from 1 to the {count} pictures there are")


def _fill(cfg: L2oConfig) -> None:
    """Put the family's recipe where nothing is given."""
    recipe = RECIPES[cfg.family.name.name]
    own_network = cfg.denoiser.name in (None, DenoiserKind[recipe.denoiser])
    _default(cfg.denoiser, name=DenoiserKind[recipe.denoiser])
    width, layers = (recipe.width, recipe.layers) if own_network else (128, 3)
    _default(cfg.denoiser, width=width, layers=layers)
    _default(cfg.guidance, scale=recipe.scale, octaves=recipe.octaves)
    _default(cfg.noise, least=recipe.least, most=recipe.most, rho=recipe.rho)
    _default(
        cfg.training,
        problems=recipe.problems,
        steps=recipe.steps,
        batch=recipe.batch,
        rate=recipe.rate,
        gap_scale=recipe.gap_scale * (cfg.family.dimension or 1),
    )
    _default(cfg.samples, levels=list(recipe.levels))
    own_polish = cfg.polish.name in (None, PolishKind[recipe.polish])
    _default(cfg.polish, name=PolishKind[recipe.polish], steps=recipe.polish_steps)
    if own_polish:
        _default(cfg.polish, rate=recipe.polish_rate)
    _default(
        cfg,
        baselines=[name for name in BASELINES if _applies(cfg, name)],
        learned=[name for name in _learned(cfg) if name not in _RECURRENT],
        tests=recipe.tests,
        validation=recipe.validation,
        work=list(recipe.work),
        success=recipe.success,
    )


def _applies(cfg: L2oConfig, method: str) -> bool:
    """Whether a classical method does: proximal steps and linear programs are of some families."""
    name = cfg.family.name.name
    if method in PROXIMAL:
        return name in _COMPOSITE
    return method != "pdhg" or name in _LINEAR


def _learned(cfg: L2oConfig) -> list[str]:
    """Learned baselines that apply: some landscapes tell nothing of themselves, proximal steps need
    a composite objective, LISTA a matrix that all problems share."""
    family = cfg.family.name.name
    if family in _HIDDEN:
        return list(_RECURRENT)
    left_out = [] if family in _COMPOSITE else ["unrolled"]
    if not (family in _COMPOSITE and cfg.family.fixed):
        left_out += ["lista", "alista"]
    return [name for name in LEARNED if name not in left_out]


def _default(part: Any, **values: Any) -> None:
    for name, value in values.items():
        if getattr(part, name) is None:
            setattr(part, name, value)


def _check_methods(cfg: L2oConfig) -> None:
    composite = cfg.family.name.name in _COMPOSITE
    allowed = [name for name in BASELINES if _applies(cfg, name)]
    for key, names in (("baselines", allowed), ("learned", _learned(cfg))):
        given = getattr(cfg, key)
        if len(set(given)) != len(given) or set(given) - set(names):
            words = f"a list, each once, of {', '.join(names)}"
            raise InputError(f"{key}: {given} given; allowed: {words}")
    if cfg.denoiser.name is DenoiserKind.unrolled and not composite:
        raise InputError("denoiser.name: unrolled given; allowed: mlp, coordinate (this family)")
    assert cfg.polish.name is not None
    name = cfg.polish.name.name
    if not _applies(cfg, name):
        words = ", ".join(each.name for each in PolishKind if _applies(cfg, each.name))
        raise InputError(f"polish.name: {name} given; allowed: {words} (this family)")
    if name in RATELESS and cfg.polish.rate is not None:
        raise InputError(f"polish.rate: given with polish.name={name}; allowed: null")
    if name not in RATELESS:
        if cfg.polish.rate is None:
            raise InputError(f"polish.rate: null given; allowed: a number (polish.name={name})")
        check(cfg, "polish.rate", lambda rate: 0 < rate < math.inf, "> 0 and finite")
