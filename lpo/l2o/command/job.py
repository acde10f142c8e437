"""One run of `python -m lpo.l2o`: solve, train, compete, write."""

from collections.abc import Mapping
from functools import partial
from time import perf_counter
from typing import Any

from lpo.l2o.command.analyses import analysis_named
from lpo.l2o.command.building import denoiser_of, family_of, training_of
from lpo.l2o.command.comparing import compare
from lpo.l2o.command.config import L2oConfig
from lpo.l2o.command.learning import learned
from lpo.l2o.command.world import make_world
from lpo.optim.training import Training, seed_keys
from lpo.runs import (
    Checkpoints,
    RunFolder,
    carry_out,
    conclude,
    environment,
    interruptible,
    prepare_report,
    source_of,
    tracking,
)
from lpo.runs.stages import Stages


def job(cfg: L2oConfig, folder: RunFolder) -> Mapping[str, Any]:
    """Train on solved problems and compare with what needs no training, or carry out an experiment
    instead."""
    prepare_report()
    if cfg.family.path is not None:
        folder.record(data=[source_of(cfg.family.path)])
    name = cfg.analysis.name
    if name is not None:
        find = partial(analysis_named(name), cfg, folder)
        return carry_out(cfg, folder, name.name, find, timing=name.name)
    family = family_of(cfg)
    denoiser = denoiser_of(cfg, family)
    clock = perf_counter()
    world = interruptible(partial(make_world, cfg, family))
    folder.record(timings_s={"labels": perf_counter() - clock}, environment=environment())
    with (
        tracking(cfg.tracking, folder.path, folder.read_config(), cfg.command) as log,
        Checkpoints(folder.checkpoints) as checkpoints,
    ):
        keys = seed_keys(cfg.seed, cfg.seeds)
        stages = Stages(folder, checkpoints, log, keys, command=cfg.command)
        steps = cfg.training.steps
        assert steps is not None
        state = stages.run(
            "denoiser",
            training_of(cfg, family, denoiser),
            world.training,
            steps=steps,
            segment_steps=min(cfg.training.checkpoint_every, steps),
            timing="training",
        )

        def train(name: str, training: Training, data: Any, steps: int) -> Any:
            return stages.run(
                name, training, data, steps=steps, segment_steps=steps, timing=f"training_{name}"
            )

        others = learned(cfg, family, world, train)
        find = partial(compare, cfg, family, world, denoiser, state.ema, others, stages.timings_s)
        return conclude(cfg, folder, family.name, find, log, timing="comparing", step=stages.steps)
