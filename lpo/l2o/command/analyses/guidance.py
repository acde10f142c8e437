"""What each part of the guidance is worth: `+experiment=l2o_guidance`. docs/l2o.md, "Ablations"."""

from typing import Any

import jax

from lpo.errors import InputError
from lpo.l2o.command.analyses.refusing import OF_OTHER_METHODS, refuse
from lpo.l2o.command.analyses.variant_findings import findings
from lpo.l2o.command.analyses.variants import Variant, changed, measure, train
from lpo.l2o.command.building import denoiser_of, family_of
from lpo.l2o.command.config import DenoiserKind, L2oConfig
from lpo.l2o.command.world import make_world
from lpo.l2o.family import Family
from lpo.runs import Findings, RunFolder
from lpo.runs.numbers_given import numbers_or

PARTS = ("gradient", "loss", "previous", "features")
_NOTES = (
    "Without any part a network knows the noisy point and the noise level. All networks have the "
    "same size, but for the inputs that octaves are; gradients are counted as if all were told of "
    "them.",
)


def find(cfg: L2oConfig, folder: RunFolder) -> Findings:
    """Train a network that is told everything, one without each part, and one without any.

    Raises InputError on a denoiser that is told nothing and settings without effect, TrainingFailed
    where a number is not finite.
    """
    numbers_or(cfg)  # no name has a meaning
    if cfg.denoiser.name is DenoiserKind.unrolled:
        raise InputError(
            "denoiser.name: unrolled given with analysis.name=guidance; allowed: coordinate, mlp "
            "(unrolled looks at the problem by itself; family=rastrigin has coordinate)"
        )
    refuse(
        cfg,
        {
            **OF_OTHER_METHODS,
            "work": "other experiments",
            **{f"guidance.{part}": "other experiments (here each is off once)" for part in PARTS},
        },
    )
    family = family_of(cfg)
    world, kept = make_world(cfg, family), changes(cfg, family)
    variants = []
    for name, values in kept.items():
        own = changed(cfg, "guidance", **values)
        variants.append(Variant(name, own, denoiser_of(own, family)))
    found = measure(folder, family, world, train(family, world, variants))
    notes = [*_NOTES]
    if "without_features" not in kept:
        notes.append(f"{family.name} tells nothing of its problems: no network without features.")
    return findings(cfg, world, found, f"What a network is told, {family.name}", notes)


def changes(cfg: L2oConfig, family: Family) -> dict[str, dict[str, Any]]:
    """Return settings of `guidance` by variant, those that change nothing left out."""
    told = jax.eval_shape(lambda key: family.features(family.sample(key)), jax.random.key(0))
    parts = [part for part in PARTS if part != "features" or told.size]
    found: dict[str, dict[str, Any]] = {"all": {}}
    found |= {f"without_{part}": {part: False} for part in parts}
    if cfg.guidance.octaves:
        found["without_octaves"] = {"octaves": 0}
    found["nothing"] = dict.fromkeys(PARTS, False)
    return found
