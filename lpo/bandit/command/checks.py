"""The checks of a configuration that types cannot express."""

import math
from typing import Any

from lpo.bandit.command.azure import azure_files
from lpo.bandit.command.config import (
    AnalysisKind,
    BanditConfig,
    ChangeKind,
    FamilyKind,
    IntervalKind,
    RequestsKind,
    ridge_of,
)
from lpo.bandit.command.without_effect import refuse_settings
from lpo.bandit.contenders import NAMED
from lpo.errors import InputError
from lpo.runs import check
from lpo.runs.without_effect import given_keys


def validate(cfg: BanditConfig) -> None:
    """Refuse values that have the right type and no meaning or no effect, and fill in what is left
    to the family and to the files that are there.

    Raises `InputError` with the key, what was given and what is allowed.
    """
    refuse_settings(cfg)
    product = cfg.environment.family is FamilyKind.product
    cfg.regularisation = ridge_of(cfg)
    check(cfg, "seed", lambda seed: 0 <= seed < 2**32, "from 0 to 2^32 - 1")
    most = 2**32 - cfg.seed
    check(cfg, "seeds", lambda seeds: 1 <= seeds <= most, f"from 1 to {most} (seed + seeds)")
    check(cfg, "horizon", lambda horizon: 1 <= horizon < 2**31, "from 1 to 2^31 - 1")
    words = "rounds of at least 1, each once"
    check(cfg, "rounds", lambda at: len(set(at)) == len(at) and all(t >= 1 for t in at), words)
    if "rounds" in given_keys():
        words = f"rounds up to the horizon, {cfg.horizon}"
        check(cfg, "rounds", lambda at: all(t <= cfg.horizon for t in at), words)
    cfg.rounds = [t for t in cfg.rounds if t <= cfg.horizon]
    for key in ("environment.noise", "environment.norm", "regularisation", "width_scale"):
        _positive(cfg, key)
    check(cfg, "environment.arms", lambda arms: 2 <= arms <= 1000, "from 2 to 1000")
    check(cfg, "environment.features", lambda features: 1 <= features <= 1000, "from 1 to 1000")
    check(cfg, "environment.rows", lambda rows: 0 <= rows <= 10**7, "from 0 to 10^7")
    check(cfg, "environment.available", lambda share: 0 < share <= 1, "in (0, 1]")
    check(cfg, "environment.most_delay", lambda delay: 0 <= delay <= 1000, "from 0 to 1000")
    check(cfg, "delta", lambda delta: 0 < delta < 1, "in (0, 1)")
    words = "numbers >= 0 and finite, each once"
    check(
        cfg,
        "width_scales",
        lambda scales: len(set(scales)) == len(scales) and all(0 <= s < math.inf for s in scales),
        words,
    )
    check(cfg, "posterior_scale", lambda scale: 0 <= scale < math.inf, ">= 0 and finite")
    check(cfg, "epsilon", lambda epsilon: 0 <= epsilon <= 1, "in [0, 1]")
    check(cfg, "discount", lambda discount: 0 < discount <= 1, "in (0, 1]")
    _check_policies(cfg)
    if product:
        _check_product(cfg)
    if cfg.analysis.name is AnalysisKind.off_policy:
        _check_log(cfg)


def _check_log(cfg: BanditConfig) -> None:
    check(cfg, "log.level", lambda level: 0 < level < 1, "in (0, 1)")
    check(cfg, "log.draws", lambda draws: draws >= 1, ">= 1")
    check(cfg, "log.clip", lambda clip: clip > 0, "> 0")
    check(cfg, "log.switch", lambda switch: switch >= 0, ">= 0")
    check(cfg, "log.folds", lambda folds: folds >= 2, ">= 2")
    check(cfg, "log.temperature", lambda at: at is None or at > 0, "null or > 0")
    for key in ("unchanged", "cap"):
        check(cfg, f"log.{key}", lambda number: 0 <= number < math.inf, ">= 0 and finite")
    check(cfg, "log.changes", _are_budgets, "null, or by action null or a number >= 0")
    if cfg.log.interval is IntervalKind.empirical_bernstein:
        for key in ("reward_low", "reward_high"):
            words = "a finite number (with log.interval=empirical_bernstein)"
            check(cfg, f"log.{key}", lambda end: end is not None and math.isfinite(end), words)
        low = cfg.log.reward_low or 0.0
        check(cfg, "log.reward_high", lambda high: high > low, f"above log.reward_low, {low:g}")
        check(cfg, "log.weight_high", lambda most: most is None or most >= 1, "null or >= 1")
    check(cfg, "log.path", lambda path: path is not None, "a .csv, .csv.gz or .parquet file")


def _are_budgets(changes: Any) -> bool:
    if changes is None:
        return True
    return isinstance(changes, dict) and all(
        budget is None
        or (isinstance(budget, int | float) and budget is not True and 0 <= budget < math.inf)
        for budget in changes.values()
    )


def _check_product(cfg: BanditConfig) -> None:
    """Also decides which requests are `available`, and drops what says how nothing has changed."""
    given = cfg.product
    if given.change is ChangeKind.none:
        given.what = given.size = None
    check(cfg, "product.size", lambda size: size is None or 0 <= size <= 1, "null or from 0 to 1")
    check(
        cfg, "product.rows", lambda rows: rows is None or 0 <= rows <= 10**7, "null, or 0 to 10^7"
    )
    for key in ("unchanged", "noise", "spread"):
        check(cfg, f"product.{key}", lambda number: 0 <= number < math.inf, ">= 0 and finite")
    if given.requests is RequestsKind.available:
        given.requests = RequestsKind.azure if azure_files() else RequestsKind.made_up
    for key in ("conversation", "code"):
        if given.requests is RequestsKind.files:
            check(cfg, f"product.{key}", bool, "a trace (with product.requests=files)")
        else:
            words = "null (without product.requests=files)"
            check(cfg, f"product.{key}", lambda path: path is None, words)


def _positive(cfg: BanditConfig, key: str) -> None:
    check(cfg, key, lambda number: 0 < number < math.inf, "> 0 and finite")


def _check_policies(cfg: BanditConfig) -> None:
    words = f"a list, each once, of {', '.join(NAMED)}"
    given = cfg.policies
    if not isinstance(given, list) or not given or len(set(map(str, given))) != len(given):
        raise InputError(f"policies: {given} given; allowed: {words}")
    for name in given:
        if name not in NAMED:
            raise InputError(f"policies: {name} given; allowed: {words}")
    if cfg.discount < 1 and {"precision", "staged"} & set(given):
        raise InputError(
            f"discount: {cfg.discount} given; allowed: 1 with the policies precision and staged"
        )
