"""What settings need to have an effect."""

from collections.abc import Mapping

from lpo.bandit.command.config import (
    AnalysisKind,
    BanditConfig,
    ChangeKind,
    FamilyKind,
    IntervalKind,
    RequestsKind,
)
from lpo.bandit.contenders import CLAIMING
from lpo.runs.without_effect import (
    Needs,
    experiment_keys,
    given_keys,
    refuse_without_effect,
)

_Needs = Needs[BanditConfig]
# an experiment may set what decides
_FAMILY = ("environment.family", "experiment")
_ANALYSIS = ("analysis.name", "experiment")
_INTERVAL = ("log.interval", "experiment")


def _off_policy(cfg: BanditConfig) -> bool:
    return cfg.analysis.name is AnalysisKind.off_policy


_PRODUCT = _Needs(
    _FAMILY,
    lambda cfg: cfg.environment.family is FamilyKind.product,
    "environment.family=product",
)
_FAMILIES = _Needs(
    _FAMILY,
    lambda cfg: cfg.environment.family is not FamilyKind.product,
    "environment.family=disjoint or spherical",
)
_CHANGED = _Needs(
    ("product.change", "experiment"),
    lambda cfg: cfg.product.change is not ChangeKind.none,
    "product.change=model_upgrade, price_change or new_hardware",
)
_FILES = _Needs(
    ("product.requests", "experiment"),
    lambda cfg: cfg.product.requests is RequestsKind.files,
    "product.requests=files",
)
_BOOTSTRAP = _Needs(
    _INTERVAL, lambda cfg: cfg.log.interval is IntervalKind.bootstrap, "log.interval=bootstrap"
)
_BERNSTEIN = _Needs(
    _INTERVAL,
    lambda cfg: cfg.log.interval is IntervalKind.empirical_bernstein,
    "log.interval=empirical_bernstein",
)
_CHANGES = _Needs(
    ("log.changes", "experiment"),
    lambda cfg: cfg.log.changes is not None,
    "log.changes={action: budget}",
)
_LOG = _Needs(_ANALYSIS, _off_policy, "+experiment=off_policy")
_PLAYED = _Needs(_ANALYSIS, lambda cfg: not _off_policy(cfg), "any experiment but off_policy")


def _not(name: AnalysisKind, instead: str) -> Needs[BanditConfig]:
    return _Needs(_ANALYSIS, lambda cfg: cfg.analysis.name is not name, instead)


def _plays(*names: str) -> Needs[BanditConfig]:
    """One of these policies; what is no list is refused later."""

    def good(cfg: BanditConfig) -> bool:
        return not isinstance(cfg.policies, list) or any(name in cfg.policies for name in names)

    return _Needs(("policies", "experiment"), good, f"policies that have {' or '.join(names)}")


_ROWS = _not(AnalysisKind.horizons, "other experiments (here analysis.values has the rows)")
_OF_PLAY = (
    "seeds",
    "horizon",
    "policies",
    "width_scales",
    "width_scale",
    "discount",
    "delta",
    "union_split",
    "certificate",
    "x64",
)
NEEDS: Mapping[str, tuple[Needs[BanditConfig], ...]] = {
    "log": (_LOG,),
    "log.draws": (_LOG, _BOOTSTRAP),
    **{f"log.{key}": (_LOG, _CHANGES) for key in ("unchanged", "cap")},
    **{f"log.{key}": (_LOG, _BERNSTEIN) for key in ("reward_low", "reward_high", "weight_high")},
    "product": (_PLAYED, _PRODUCT),
    **{f"product.{key}": (_PLAYED, _PRODUCT, _CHANGED) for key in ("what", "size", "known")},
    **{f"product.{key}": (_PLAYED, _PRODUCT, _FILES) for key in ("conversation", "code")},
    "product.rows": (_PLAYED, _PRODUCT, _ROWS),
    "environment": (_PLAYED,),
    **{
        f"environment.{key}": (_PLAYED, _FAMILIES)
        for key in ("arms", "features", "noise", "norm", "available")
    },
    "environment.rows": (_PLAYED, _FAMILIES, _ROWS),
    "environment.case": (
        _PLAYED,
        _FAMILIES,
        _not(AnalysisKind.widths, "other experiments (here all cases are played)"),
    ),
    "rounds": (_PLAYED, _not(AnalysisKind.widths, "other experiments")),
    "analysis.values": (
        _Needs(
            _ANALYSIS,
            lambda cfg: cfg.analysis.name is AnalysisKind.horizons,
            "+experiment=horizon_sweep",
        ),
    ),
    **dict.fromkeys(_OF_PLAY, (_PLAYED,)),
    "posterior_scale": (_PLAYED, _plays("lints")),
    "claim": (_PLAYED, _plays(*CLAIMING)),
}
"""By key, or by the section that a key is in: what has to hold for an effect."""


def refuse_settings(cfg: BanditConfig) -> None:
    """Raise InputError, one line, for the first setting of the command line without effect, and for
    one in a section of an experiment where the command line chooses another family."""
    keys = given_keys()
    if "environment.family" in keys:
        keys += [key for key in experiment_keys() if "." in key]
    refuse_without_effect(cfg, NEEDS, keys)
