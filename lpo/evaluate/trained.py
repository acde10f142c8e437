"""Trained runs as `lpo.train` left them: configuration, problem, task and predictors."""

from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lpo import provision, workload
from lpo.errors import InputError
from lpo.runs import Checkpoints, RunFolder
from lpo.train.config import TrainConfig, WorkloadConfig
from lpo.train.methods import Trained
from lpo.train.predictors import load_predictors
from lpo.train.problem import load_workload, make_problem, make_protocol, make_task


class TrainedRun(NamedTuple):
    """A run of `lpo.train`. `problem` is cut so that scored windows start every `replan` bins."""

    name: str
    cfg: TrainConfig
    problem: workload.Problem
    task: provision.Task
    methods: dict[str, Trained]


def load_run(path: Path, replan: int | None, demand_scale: float) -> TrainedRun:
    """Read a finished run of `lpo.train`, its data included, which fixes scaler and rules.

    `replan` None: as in training. `demand_scale`: how many times the demand that the run saw the
    task is for. Raises `InputError` when the run did not finish, is of another
    command, lacks its predictors, or when its data has changed since.
    """
    folder = RunFolder(path)
    cfg = _read_config(folder)
    status = folder.summary().get("status")
    if status != "finished":
        raise InputError(f"run: {path} has status {status}; allowed: a finished run")
    protocol = make_protocol(cfg.protocol, cfg.provision)
    if protocol.horizon is not None and replan is not None:
        if replan > protocol.horizon:
            raise InputError(
                f"replan: {replan} given; allowed: at most {protocol.horizon}, "
                f"the horizon of {path}"
            )
        protocol = protocol._replace(test_stride=replan)
    problem = make_problem(load_workload(cfg.workload), protocol, cfg)
    _refuse_changed_data(folder, problem)
    with Checkpoints(folder.checkpoints) as checkpoints:
        methods = load_predictors(checkpoints, cfg, problem)
    if not methods:
        raise InputError(f"run: {path} kept no predictors; train it again with this version")
    task = make_task(cfg.provision, problem, demand_scale=demand_scale)
    return TrainedRun(path.name, cfg, problem, task, methods)


def on_other_demand(run: TrainedRun, cfg: WorkloadConfig) -> dict[str, Any]:
    """Windows of every series of another workload, the whole of it, as this run sees them.

    Raises `InputError` when a series is shorter than a window.
    """
    protocol, layout = run.problem.protocol, run.problem.layout
    windows = {}
    for name, series in load_workload(cfg).series.items():
        tokens = workload.coarsen(series, protocol.bin_s).tokens
        windows[name] = workload.cut(tokens, layout, protocol.test_stride)
        if not len(windows[name]):
            raise InputError(
                f"workload: series `{name}` has {len(tokens)} bins of {protocol.bin_s:g} s; "
                f"allowed: at least {layout.window}, a window of the run"
            )
    return windows


def _read_config(folder: RunFolder) -> TrainConfig:
    stored = OmegaConf.load(folder.config)
    command = stored.get("command") if isinstance(stored, type(OmegaConf.create({}))) else None
    if command != "train":
        raise InputError(f"run: {folder.path} is a run of lpo.{command}; allowed: of lpo.train")
    try:
        cfg = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(TrainConfig), stored))
    except OmegaConfBaseException as error:
        line = str(error).partition("\n")[0]
        raise InputError(f"run: {folder.config} is not of this version: {line}") from None
    assert isinstance(cfg, TrainConfig)
    return cfg


def _refuse_changed_data(folder: RunFolder, problem: workload.Problem) -> None:
    known = {Path(each["path"]).name: each["sha256"] for each in folder.summary().get("data", [])}
    for source in problem.sources:
        if known.get(Path(source.path).name, source.sha256) != source.sha256:
            raise InputError(
                f"run: {source.path} has changed since {folder.path} was trained on it"
            )
