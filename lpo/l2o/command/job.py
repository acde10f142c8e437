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
    environment,
    interruptible,
    prepare_report,
    tracking,
    write_findings,
)
from lpo.runs.stages import Stages


def job(cfg: L2oConfig, folder: RunFolder) -> Mapping[str, Any]:
    """Train on solved problems, and compare with what needs no training."""
    prepare_report()
    if cfg.analysis.name is not None:
        return _analysed(cfg, folder)
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
        clock = perf_counter()
        found = interruptible(
            partial(compare, cfg, family, world, denoiser, state.ema, others, stages.timings_s)
        )
        folder.record(timings_s={"comparing": perf_counter() - clock})
        clock = perf_counter()
        write_findings(folder, f"lpo l2o: {family.name}", found)
        folder.record(timings_s={"writing": perf_counter() - clock})
        log({name: value for name, value in found.metrics.items() if value is not None}, steps)
    return {"result": found.result, "metrics": found.metrics}


def _analysed(cfg: L2oConfig, folder: RunFolder) -> Mapping[str, Any]:
    """Carry out an experiment instead."""
    name = cfg.analysis.name
    assert name is not None
    with tracking(cfg.tracking, folder.path, folder.read_config(), cfg.command) as log:
        clock = perf_counter()
        found = interruptible(partial(analysis_named(name), cfg, folder))
        folder.record(timings_s={name.name: perf_counter() - clock}, environment=environment())
        clock = perf_counter()
        write_findings(folder, f"lpo l2o: {name.name}", found)
        folder.record(timings_s={"writing": perf_counter() - clock})
        log({name: value for name, value in found.metrics.items() if value is not None}, 0)
    return {"result": found.result, "metrics": found.metrics}
