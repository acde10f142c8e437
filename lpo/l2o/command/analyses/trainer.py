"""Levels of their own against a chain, in training: `+experiment=l2o_trainer`. docs/l2o.md."""

from lpo.l2o.command.analyses.refusing import OF_OTHER_METHODS, refuse
from lpo.l2o.command.analyses.variant_findings import findings
from lpo.l2o.command.analyses.variants import Variant, changed, measure, train
from lpo.l2o.command.building import denoiser_of, family_of
from lpo.l2o.command.config import L2oConfig, TrainerKind
from lpo.l2o.command.world import make_world
from lpo.runs import Findings, RunFolder
from lpo.runs.numbers_given import numbers_or


def find(cfg: L2oConfig, folder: RunFolder) -> Findings:
    """Train without a chain, and along one with as many steps, with as many evaluations of the
    network, and for as many seconds; and without one with all evaluations of the first chains.

    A chain evaluates the network `training.rollout_steps` times a step. The steps of the one with
    as many seconds are those that they allow at the pace of the other chains, so they differ from
    run to run. Samples also have as many levels as the chain, where both kinds are at home.

    Raises InputError on settings without effect, TrainingFailed where a number is not finite.
    """
    numbers_or(cfg)  # no name has a meaning
    both = "other experiments (here both trainers)"
    refuse(cfg, {**OF_OTHER_METHODS, "work": "other experiments", "training.trainer": both})
    family, levels, chain = family_of(cfg), cfg.samples.levels, cfg.training.rollout_steps
    steps = cfg.training.steps
    assert levels is not None and steps is not None
    world, denoiser = make_world(cfg, family), denoiser_of(cfg, family)
    wider = changed(cfg, "samples", levels=sorted({*levels, chain}))

    def variant(name: str, trainer: TrainerKind, steps: int) -> Variant:
        return Variant(name, changed(wider, "training", trainer=trainer, steps=steps), denoiser)

    rollout = TrainerKind.rollout
    first = train(
        family,
        world,
        [
            variant("stateless", TrainerKind.stateless, steps),
            variant("rollout_same_steps", rollout, steps),
            variant("rollout_same_evaluations", rollout, max(1, steps // chain)),
            variant("stateless_longer", TrainerKind.stateless, steps * chain),
        ],
    )
    same_seconds = max(1, round(steps * first[0].seconds / first[1].seconds))
    last = train(family, world, [variant("rollout_same_seconds", rollout, same_seconds)])
    found = measure(folder, family, world, first + last)
    notes = [
        f"A step of rollout evaluates the network {chain} times where one of stateless does once; "
        f"rollout_same_evaluations has {max(1, steps // chain)} steps, rollout_same_seconds "
        f"{same_seconds}, as timed on this machine. stateless_longer evaluates it as often as "
        "rollout_same_steps.",
        f"Rollout is trained along chains of {chain} levels, and tested on those and others.",
    ]
    return findings(cfg, world, found, f"Levels of their own or a chain, {family.name}", notes)
