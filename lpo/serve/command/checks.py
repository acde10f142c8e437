"""The checks of a configuration that types cannot express."""

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

from lpo.errors import InputError
from lpo.runs import check
from lpo.serve.command.config import (
    ALL,
    AZURE,
    AnalysisKind,
    LevelsConfig,
    ServeConfig,
    SimulatorKind,
    searching,
)
from lpo.serve.policies import POLICIES, Policy, policy_named


def validate(cfg: ServeConfig) -> None:
    """Refuse values that have the right type and no meaning.

    Raises `InputError` with the key, what was given and what is allowed.
    """
    policies_of(cfg)
    check(cfg, "seed", lambda seed: 0 <= seed < 2**32, "from 0 to 2^32 - 1")
    for key in (
        "seeds",
        "n",
        "windows",
        "requests.seeds",
        "search.seeds",
        "search.most",
        "analysis.cases",
    ):
        check(cfg, key, lambda value: value is None or value >= 1, ">= 1")
    for key in _POSITIVE:
        check(cfg, key, lambda value: value is None or 0 < value < math.inf, "> 0 and finite")
    for key in ("warm_up_s", "requests.warm_up_s", "trace.start_s", "trace.patience"):
        check(cfg, key, lambda value: value is None or 0 <= value < math.inf, ">= 0 and finite")
    for key in ("search.ttft_percentile", "search.tpot_percentile"):
        check(cfg, key, lambda value: value is None or 0 < value < 100, "in (0, 100)")
    check(cfg, "search.abandonment", lambda a: a is None or 0 <= a <= 1, "null or in [0, 1]")
    check(cfg, "trace.class_error", lambda share: 0 <= share <= 1, "in [0, 1]")
    check(cfg, "trace.smoothing", lambda weight: 0 < weight <= 1, "in (0, 1]")
    check(cfg, "trace.kinds", lambda kinds: kinds >= 1, ">= 1")
    check(cfg, "analysis.fleets", lambda f: bool(f) and min(f) >= 2, "at least one, each >= 2")
    check(cfg, "instance.arrival", lambda rates: any(rate > 0 for rate in rates), "one rate > 0")
    if searching(cfg):
        one = "one name (in a search)"
        check(cfg, "policy", lambda _: len(policies_of(cfg)) == 1, one)
    _check_sources(cfg)
    _check_requests(cfg)


_POSITIVE = (
    "seconds",
    "requests.seconds",
    "requests.kv_tokens",
    "requests.ttft_limit_s",
    "requests.tpot_limit_s",
    "measurements.mixed_to",
    "trace.rate_scale",
    "trace.prior_s",
    "trace.seconds",
    "trace.replan_s",
    "trace.margin",
    "search.ttft_s",
    "search.tpot_s",
)


def policies_of(cfg: ServeConfig) -> list[Policy]:
    """Return the policies that are asked for, in order; raises InputError on an unknown name."""
    given = cfg.policy
    if given == ALL:
        return list(POLICIES.values())
    names = list(given) if isinstance(given, (list, tuple)) else [given]
    wrong = [name for name in names if name not in POLICIES]
    if wrong or not names:
        allowed = f"{ALL}, or some of {', '.join(POLICIES)}"
        raise InputError(f"policy: {wrong[0] if wrong else given} given; allowed: {allowed}")
    if len(set(names)) < len(names):
        raise InputError(f"policy: {given} given; allowed: every name once")
    return [policy_named(name) for name in names]


def trace_paths(cfg: ServeConfig) -> list[str]:
    """Return the files of the trace as they are given; raises InputError on anything else."""
    given = cfg.trace.path
    paths = [given] if isinstance(given, str) else given
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise InputError(f"trace.path: {given} given; allowed: null, {AZURE}, a path, or several")
    return paths


def _check_sources(cfg: ServeConfig) -> None:
    if cfg.measurements.path is not None and not Path(cfg.measurements.path).is_file():
        _refuse_file("measurements.path", cfg.measurements.path, "null or the path of a CSV file")
    if cfg.trace.path is None:
        if cfg.analysis.name is AnalysisKind.replay:
            raise InputError(f"trace.path: null given; allowed: {AZURE}, or paths of traces")
        return
    for path in trace_paths(cfg):
        if path != AZURE and not Path(path).is_file():
            _refuse_file("trace.path", path, f"null, {AZURE}, or paths of traces")


def _refuse_file(key: str, given: Any, allowed: str) -> None:
    why = "a directory" if Path(given).is_dir() else "no such file"
    raise InputError(f"{key}: {given} given, {why}; allowed: {allowed}")


def _check_requests(cfg: ServeConfig) -> None:
    needed = []
    if cfg.simulator is SimulatorKind.request:
        needed.append("simulator=request")
    if cfg.trace.path is not None:
        needed.append("a trace")
    if searching(cfg):
        needed.append("a search")
    if needed and not cfg.requests.enabled:
        raise InputError(f"requests.enabled: false given; allowed: true (with {needed[0]})")


def levels_given(cfg: ServeConfig) -> dict[str, Any]:
    """Return the levels that are not null."""
    each = {part.name: getattr(cfg.levels, part.name) for part in fields(LevelsConfig)}
    return {name: level for name, level in each.items() if level is not None}
