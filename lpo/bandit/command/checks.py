"""The checks of a configuration that types cannot express."""

import math

from lpo.bandit.command.azure import azure_files
from lpo.bandit.command.config import (
    BanditConfig,
    ChangeKind,
    FamilyKind,
    RequestsKind,
    ridge_of,
)
from lpo.bandit.command.without_effect import refuse_without_effect
from lpo.bandit.contenders import NAMED
from lpo.errors import InputError
from lpo.runs import check


def validate(cfg: BanditConfig) -> None:
    """Refuse values that have the right type and no meaning or no effect, and fill in what is left
    to the family and to the files that are there.

    Raises `InputError` with the key, what was given and what is allowed.
    """
    refuse_without_effect(cfg)
    product = cfg.environment.family is FamilyKind.product
    cfg.regularisation = ridge_of(cfg)
    check(cfg, "seed", lambda seed: 0 <= seed < 2**32, "from 0 to 2^32 - 1")
    most = 2**32 - cfg.seed
    check(cfg, "seeds", lambda seeds: 1 <= seeds <= most, f"from 1 to {most} (seed + seeds)")
    check(cfg, "horizon", lambda horizon: 1 <= horizon < 2**31, "from 1 to 2^31 - 1")
    words = "rounds of at least 1, each once"
    check(cfg, "rounds", lambda at: len(set(at)) == len(at) and all(t >= 1 for t in at), words)
    for key in ("noise", "norm"):
        _positive(cfg, f"environment.{key}")
    _positive(cfg, "regularisation")
    check(cfg, "environment.arms", lambda arms: 2 <= arms <= 1000, "from 2 to 1000")
    check(cfg, "environment.features", lambda features: 1 <= features <= 1000, "from 1 to 1000")
    check(cfg, "environment.rows", lambda rows: 0 <= rows <= 10**7, "from 0 to 10^7")
    check(cfg, "environment.available", lambda share: 0 < share <= 1, "in (0, 1]")
    check(cfg, "environment.most_delay", lambda delay: 0 <= delay <= 1000, "from 0 to 1000")
    check(cfg, "delta", lambda delta: 0 < delta < 1, "in (0, 1)")
    check(cfg, "width_scale", lambda scale: 0 <= scale < math.inf, ">= 0 and finite")
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
