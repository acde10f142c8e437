"""The checks of a configuration that types cannot express."""

import math
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from lpo.allocate.command.config import (
    GENERATED,
    PUBLISHED_CAP,
    AllocateConfig,
    MethodKind,
    ObjectiveKind,
    ScaleConfig,
    SetKind,
    WeightsConfig,
)
from lpo.allocate.sweep import ANALYSES, Analysis, make_analysis
from lpo.errors import InputError
from lpo.runs import check


def validate(cfg: AllocateConfig) -> None:
    """Refuse values that have the right type and no meaning.

    Raises `InputError` with the key, what was given and what is allowed.
    """
    for key in _POSITIVE:
        check(cfg, key, lambda value: value is None or 0 < value < math.inf, "> 0 and finite")
    for key in ("gamma", "gamma_delay", "gamma_error", "radius"):
        check(cfg, key, lambda value: value is None or value >= 0, ">= 0")
    for part in fields(WeightsConfig):
        check(cfg, f"weights.{part.name}", lambda w: 0 <= w < math.inf, ">= 0 and finite")
    if not any(asdict(cfg.weights).values()):
        raise InputError("weights: all are 0; allowed: at least one > 0")
    if cfg.objective is ObjectiveKind.lexicographic:
        for part in fields(WeightsConfig):
            check(cfg, f"weights.{part.name}", lambda w: w == 1, "1 (with objective=lexicographic)")
    if not plain_cost(cfg):
        exact = "exact (with other objectives than the cost)"
        check(cfg, "method", lambda method: method is MethodKind.exact, exact)
        sets = "budget, box (with other objectives than the cost)"
        check(cfg, "uncertainty", lambda kind: kind is not SetKind.ellipsoid, sets)
    check(cfg, "mip_gap", lambda gap: 0 <= gap < 1, "in [0, 1)")
    check(cfg, "utilisation", lambda share: 0 < share <= 1, "in (0, 1]")
    check(cfg, "stress.gammas", lambda each: all(gamma >= 0 for gamma in each), "numbers >= 0")
    check(
        cfg,
        "stress.inflation",
        lambda each: bool(each) and all(0 <= s < math.inf for s in each),
        "at least one, >= 0 and finite",
    )
    check(cfg, "stress.distributions", bool, "at least one")
    check(
        cfg,
        "size",
        lambda size: size is None or (len(size) == 3 and min(size) > 0),
        "null or [query types, models, tiers], each > 0",
    )
    check(cfg, "seed", lambda seed: 0 <= seed < 2**32, "from 0 to 2^32 - 1")
    check(cfg, "u_cap", _is_cap, f"null, a number in [0, 1], {PUBLISHED_CAP}")
    _check_source(cfg)
    _check_uncertainty(cfg)
    _check_sweep(cfg)


def weights_of(cfg: AllocateConfig) -> dict[str, float] | None:
    """The weights of the parts of the cost, None where the objective has none."""
    weights = asdict(cfg.weights)
    plain = cfg.objective is not ObjectiveKind.cost or all(w == 1.0 for w in weights.values())
    return None if plain else weights


def plain_cost(cfg: AllocateConfig) -> bool:
    """Whether the cost in dollars is all that is to be minimised."""
    return cfg.objective is ObjectiveKind.cost and weights_of(cfg) is None


_POSITIVE = (
    "replicas",
    "time_limit",
    "heuristic_s",
    "threads",
    "stress.samples",
    "demand.window_s",
    *(f"scale.{each.name}" for each in fields(ScaleConfig)),
)


def _is_cap(value: Any) -> bool:
    if value is None or value == PUBLISHED_CAP:
        return True
    return isinstance(value, int | float) and 0 <= value <= 1


def trace_paths(given: Any) -> list[Any]:
    """The files that `demand.trace` names."""
    if isinstance(given, dict):
        return list(given.values())
    return [] if given is None else [given]


def _check_source(cfg: AllocateConfig) -> None:
    """Files are there; one has numbers of its own, so that keys of generated instances are idle."""
    if cfg.against is not None:
        _check_file("against", cfg.against, "null or the path of a file")
    traces = "null, the path of a trace, or {query type: path of a trace}"
    for path in trace_paths(cfg.demand.trace):
        _check_file("demand.trace", path, traces)
    if cfg.instance == GENERATED:
        return
    _check_file("instance", cfg.instance, f"{GENERATED}, or the path of a JSON file")
    for key in ("legacy_stream", "size"):
        check(cfg, key, lambda value: not value, "the default, unless instance=generated")


def _check_file(key: str, given: Any, allowed: str) -> None:
    """Raise `InputError`, which says whether there is nothing or a directory, unless it is one."""
    if isinstance(given, str) and Path(given).is_file():
        return
    why = ""
    if isinstance(given, str):
        why = ", which is a directory" if Path(given).is_dir() else ", and there is no such file"
    raise InputError(f"{key}: {given} given{why}; allowed: {allowed}")


def _check_uncertainty(cfg: AllocateConfig) -> None:
    other = f"null (with uncertainty={cfg.uncertainty.name})"
    absent: Callable[[Any], bool] = lambda value: value is None  # noqa: E731
    if cfg.uncertainty is SetKind.ellipsoid:
        check(cfg, "radius", lambda value: value is not None, ">= 0 (uncertainty=ellipsoid)")
    else:
        check(cfg, "radius", absent, other)
    if cfg.uncertainty is not SetKind.budget:
        for key in (*_BUDGETS, "violation_probability"):
            check(cfg, key, absent, other)
    check(cfg, "violation_probability", lambda p: p is None or 0 < p <= 1, "null or in (0, 1]")
    if cfg.violation_probability is not None:
        for key in _BUDGETS:
            check(cfg, key, absent, "null (violation_probability chooses it)")


_BUDGETS = ("gamma", "gamma_delay", "gamma_error")


def _check_sweep(cfg: AllocateConfig) -> None:
    if analysis_of(cfg) is None:
        return
    check(cfg, "sweep.workers", lambda value: value is None or value > 0, "null or > 0")
    for key in ("stress.enabled", "against", "violation_probability"):
        check(cfg, key, lambda value: not value, "the default (in a sweep)")
    check(cfg, "method", lambda method: method is MethodKind.exact, "exact (in a sweep)")
    if not plain_cost(cfg):
        raise InputError("objective, weights: others than the cost given; allowed in a sweep: cost")


def analysis_of(cfg: AllocateConfig) -> Analysis | None:
    """The sensitivity analysis that is asked for, if any: a published one by its name alone.

    Raises InputError on scales and grids that are none.
    """
    sweep = cfg.sweep
    given = () if sweep is None else (sweep.a, sweep.b, sweep.grid_a, sweep.grid_b)
    if sweep is None or (not any(given) and sweep.name is None):
        return None
    if sweep.name in ANALYSES and not any(given):
        return ANALYSES[sweep.name]
    name = sweep.name or f"{sweep.a}_{sweep.b}"
    if not name.isidentifier():
        raise InputError(f"sweep.name: {name} given; allowed: letters, digits and _")
    return make_analysis(
        name, sweep.a or "null", sweep.b or "null", sweep.grid_a or [], sweep.grid_b or []
    )
