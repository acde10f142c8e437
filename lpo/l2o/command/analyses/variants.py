"""Networks that differ in one thing, trained and tested on the same problems."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lpo.l2o.command.building import polish_of, training_of
from lpo.l2o.command.competing import sample_name, sampled
from lpo.l2o.command.config import L2oConfig
from lpo.l2o.command.tables import summary_table
from lpo.l2o.command.world import World
from lpo.l2o.denoisers.denoiser import Denoiser
from lpo.l2o.family import Family
from lpo.optim.training import Diverged, run, seed_keys
from lpo.runs import RunFolder, progress
from lpo.runs.progress import Advance
from lpo.runs.stages import TrainingFailed, stage_key, start_stage

_STAGE = "denoiser"  # whose keys a run without an experiment uses: its network is the same
_ENDS = (
    "gap_mean",
    "gap_mean_low",
    "gap_mean_high",
    "value_mean",
    "value_mean_low",
    "value_mean_high",
    "success",
)
_TO_TARGET = ("evaluations_to_target", "reached")


class Variant(NamedTuple):
    """name: in tables. cfg: the whole configuration, variants differing in what an experiment is
    about. denoiser: of it, one object for all variants where the network is the same."""

    name: str
    cfg: L2oConfig
    denoiser: Denoiser


class Trained(NamedTuple):
    """params: with a leading axis of seeds. seconds: of training, all seeds side by side, without
    compilation."""

    variant: Variant
    params: Any
    seconds: float


def changed(cfg: L2oConfig, section: str, **values: Any) -> L2oConfig:
    """Return the configuration with other values in one section, such as `training`."""
    return replace(cfg, **{section: replace(getattr(cfg, section), **values)})


def train(family: Family, world: World, variants: Sequence[Variant]) -> list[Trained]:
    """Train a network for each variant and seed, all of them with the same keys, so that they
    begin alike and see the same problems and noise.

    Raises TrainingFailed, with the variant's name, where a number is not finite.
    """
    total = sum(_steps(variant.cfg) for variant in variants)
    label = variants[0].name if len(variants) == 1 else f"{len(variants)} variants"
    with progress(total, label) as advance:
        return [_trained(family, world, variant, advance) for variant in variants]


def _trained(family: Family, world: World, variant: Variant, advance: Advance) -> Trained:
    cfg, steps, seconds = variant.cfg, _steps(variant.cfg), 0.0
    training = training_of(cfg, family, variant.denoiser)
    state, keys = start_stage(training, stage_key(seed_keys(cfg.seed, cfg.seeds), _STAGE))
    at_once = min(cfg.training.checkpoint_every, steps)
    try:
        for segment in run(
            training, keys, state, world.training, steps=steps, segment_steps=at_once
        ):
            state, seconds = segment.state, seconds + segment.run_s
            loss = float(np.mean(segment.metrics["loss"][:, -1]))
            advance(segment.stop - segment.start, {"loss": loss})
    except Diverged as diverged:
        raise TrainingFailed(f"variant {variant.name}: {diverged}") from diverged
    return Trained(variant, state.ema, seconds)


def _steps(cfg: L2oConfig) -> int:
    assert cfg.training.steps is not None
    return cfg.training.steps


def measure(
    folder: RunFolder, family: Family, world: World, trained: Sequence[Trained]
) -> pd.DataFrame:
    """Return one row a variant, number of levels, and number of samples (one, and all of them).

    The seconds of training and labels go to the folder's summary.

    Columns: variant, seeds, steps, training_s, levels, samples; of the best sample alone those of
    `summary_table`; `evaluations_to_target` and `reached` with the polish, and `polished_` before
    the names of what it ends with, absent without one.
    """
    record(folder, world, trained)
    with progress(len(trained), "tests", "variant") as advance:
        parts = []
        for each in trained:
            parts.append(_measured(family, world, each))
            advance(1)
    return pd.concat(parts, ignore_index=True)


def record(folder: RunFolder, world: World, trained: Sequence[Trained]) -> None:
    """Put the seconds of training and of its labels into the folder's summary."""
    training_s = sum(each.seconds for each in trained)
    folder.record(timings_s={"labels": world.label_s, "training": training_s})


def _measured(family: Family, world: World, trained: Trained) -> pd.DataFrame:
    (name, cfg, denoiser), params, seconds = trained
    entries, _ = sampled(cfg, family, world, denoiser, params)
    summary = summary_table(cfg, world, entries).set_index("method")
    assert cfg.samples.levels is not None
    rows = []
    for levels in cfg.samples.levels:
        for count in sorted({1, cfg.samples.count}):
            own = sample_name(levels, count)
            row = {"variant": name, "seeds": cfg.seeds, "steps": _steps(cfg)}
            row |= {"training_s": seconds, "levels": levels, "samples": count}
            row |= {name: summary.loc[own, name] for name in ("evaluations", "depth", *_ENDS)}
            if cfg.polish.steps:
                polished = summary.loc[f"{own}_{polish_of(cfg, family).name}"]
                row |= {name: polished[name] for name in _TO_TARGET}
                row |= {f"polished_{name}": polished[name] for name in _ENDS}
            rows.append(row)
    return pd.DataFrame(rows)
