"""`python -m lpo.train`: forecaster, score model and adversary trained and judged end to end."""

from collections.abc import Mapping
from time import perf_counter
from typing import Any

from lpo.interrupts import loading

with loading("train"):
    from lpo.optim import data_mesh, seed_keys
    from lpo.runs import Checkpoints, RunFolder, run_command, tracking
    from lpo.runs.stages import Stages
    from lpo.train.config import TrainConfig, validate
    from lpo.train.methods import train_methods
    from lpo.train.predictors import save_predictors
    from lpo.train.problem import (
        describe,
        load_workload,
        make_problem,
        make_protocol,
        make_task,
    )
    from lpo.train.results import notes, write_results
    from lpo.train.samples import draw_samples
    from lpo.train.scoring import predict, predict_rules


def job(cfg: TrainConfig, folder: RunFolder) -> Mapping[str, Any]:
    """One run: data, training stages, samples, scores; everything lands in `folder`."""
    clock = perf_counter()
    protocol = make_protocol(cfg.protocol, cfg.provision)
    demand = load_workload(cfg.workload)
    for line in describe(demand):
        print(f"data: {line}")
    problem = make_problem(demand, protocol, cfg)
    task = make_task(cfg.provision, problem, throw=False)
    seeds = list(range(cfg.seed, cfg.seed + cfg.seeds))
    folder.record(data=problem.sources, notes=notes(problem))
    earlier = folder.summary().get("timings_s", {}) if cfg.resume else {}

    with (
        Checkpoints(folder.checkpoints) as checkpoints,
        tracking(cfg.tracking, folder.path, folder.read_config(), cfg.command) as log,
    ):
        stages = Stages(
            folder,
            checkpoints,
            log,
            seed_keys(cfg.seed, cfg.seeds),
            dict(earlier),
            mesh=data_mesh(cfg.devices),
        )
        stages.time("data", perf_counter() - clock)
        trained = train_methods(cfg, stages, problem, task)
        save_predictors(checkpoints, trained.methods)

        clock = perf_counter()
        samples = None
        if trained.players is not None:
            samples = draw_samples(
                stages.key("samples"),
                trained,
                trained.players,
                cfg.robust.method.name,
                problem,
                task,
                cfg.diffusion,
                seeds,
                stages.mesh,
            )
            stages.time("sampling", perf_counter() - clock)

        clock = perf_counter()
        predictions = predict_rules(problem, task, cfg.seeds) + [
            predict(name, method, problem, task, stages.mesh)
            for name, method in trained.methods.items()
        ]
        metrics = write_results(folder, cfg, predictions, problem, task, seeds, samples)
        stages.time("evaluation", perf_counter() - clock)
        log(metrics, stages.steps)
    return {"result": "trained and evaluated", "metrics": metrics}


if __name__ == "__main__":
    run_command("train", TrainConfig, validate, job)
