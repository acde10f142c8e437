"""The checks of a configuration that types cannot express."""

import math
from pathlib import Path
from typing import Any

from lpo.errors import InputError
from lpo.runs import check
from lpo.runs.without_effect import given_keys, refuse_without_effect
from lpo.scale.command.config import (
    ALL,
    AZURE,
    FeasibilityKind,
    RuleKind,
    ScaleConfig,
    ScenarioConfig,
)
from lpo.scale.command.without_effect import NEEDS


def validate(cfg: ScaleConfig) -> None:
    """Refuse values that have the right type and no meaning, and drop models that a file replaces.

    Raises `InputError` with the key, what was given and what is allowed.
    """
    check(cfg, "seed", lambda seed: 0 <= seed < 2**32, "from 0 to 2^32 - 1")
    check(cfg, "k_max", lambda k: 1 <= k <= 4096, "from 1 to 4096")
    words = "whole numbers from 1 to 4096, each once"
    check(cfg, "parallel", lambda p: bool(p) and len(set(p)) == len(p) and _within(p), words)
    check(cfg, "trials", lambda trials: trials >= 2, ">= 2")
    check(cfg, "bootstrap", lambda draws: draws >= 0, ">= 0")
    check(cfg, "epsilon", lambda share: 0 < share < 1, "in (0, 1)")
    check(cfg, "slot_price", lambda price: 0 <= price < math.inf, ">= 0 and finite")
    check(cfg, "most_parallel", lambda p: p is None or p >= min(cfg.parallel), _least(cfg))
    check(cfg, "lengths.most", lambda most: most >= 1, ">= 1")
    check(cfg, "scenario", bool, "at least one scenario")
    for name, limits in cfg.scenario.items():
        _check_limits(f"scenario.{name}", limits)
    if cfg.feasibility is FeasibilityKind.chance:
        check(cfg, "slot_price", lambda price: price == 0, "0 (with feasibility=chance)")
        check(cfg, "bootstrap", lambda draws: draws == 0, "0 (with feasibility=chance)")
    if cfg.aggregate.rule in (RuleKind.majority, RuleKind.weighted):
        check(cfg, "k_max", lambda k: k <= 1000, f"up to 1000 (with {cfg.aggregate.rule.name})")
    check(cfg, "aggregate.wrong_answers", lambda wrong: 1 <= wrong <= 100, "from 1 to 100")
    _check_files(cfg)
    _check_models(cfg)
    _check_cluster(cfg)
    refuse_without_effect(cfg, NEEDS, given_keys())


def _check_limits(key: str, limits: ScenarioConfig) -> None:
    for name in ("cost_usd", "time_s"):
        if not 0 < getattr(limits, name) < math.inf:
            given = getattr(limits, name)
            raise InputError(f"{key}.{name}: {given} given; allowed: > 0 and finite")
    if not 0 <= limits.accuracy < 1:
        raise InputError(f"{key}.accuracy: {limits.accuracy} given; allowed: in [0, 1)")


def _within(parallel: list[int]) -> bool:
    return all(1 <= p <= 4096 for p in parallel)


def _least(cfg: ScaleConfig) -> str:
    return f"null or >= {min(cfg.parallel)} (the least of parallel)"


def _check_files(cfg: ScaleConfig) -> None:
    given: dict[str, Any] = {
        name: getattr(cfg.lengths, name)
        for name in ("trace", "pairs", "histograms")
        if getattr(cfg.lengths, name) is not None
    }
    if len(given) > 1:
        raise InputError(f"lengths: {' and '.join(given)} given; allowed: one of them")
    files = {f"lengths.{name}": path for name, path in given.items() if path != AZURE}
    if cfg.models_file is not None:
        files["models_file"] = cfg.models_file
    for key, path in files.items():
        if not isinstance(path, str) or not Path(path).is_file():
            raise InputError(f"{key}: {path} given, no such file; allowed: null or a file")


def _check_models(cfg: ScaleConfig) -> None:
    """Refuse `models=...` and `models.name.field=...` beside a file, whose models count alone.

    Models that an experiment chooses are of the reference: beside a file that is given on the
    command line all of the file count, unless `model=...` is given too.
    """
    if cfg.models_file is None:
        return
    keys = given_keys()
    for key in keys:
        if key.partition(".")[0] == "models":
            raise InputError(
                f"models_file: {cfg.models_file} given, and {key}; allowed: one of them"
            )
    if "models_file" in keys and "model" not in keys:
        cfg.model = ALL
    cfg.models = {}


def _check_cluster(cfg: ScaleConfig) -> None:
    """Numbers of analysis under_load; policy and hardware are looked up there."""
    for key in ("queries_per_s", "gpu_hour_usd", "seconds"):
        check(cfg, f"cluster.{key}", lambda value: 0 < value < math.inf, "> 0 and finite")
    for key in ("warm_up_s", "cool_down_s"):
        words = "null, or >= 0 and finite"
        check(cfg, f"cluster.{key}", lambda s: s is None or 0 <= s < math.inf, words)
    check(cfg, "cluster.gpus", lambda gpus: 1 <= gpus <= 4096, "from 1 to 4096")
    check(cfg, "cluster.seeds", lambda seeds: 1 <= seeds <= 256, "from 1 to 256")
