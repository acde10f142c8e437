"""From configuration to what is trained on: the problem, the task and the predictor."""

from lpo import forecast, provision, workload
from lpo.train.config import (
    ForecastConfig,
    ForecastKind,
    HeadKind,
    Preset,
    ProtocolConfig,
    ProtocolKind,
    ProvisionConfig,
    TaskKind,
    TrainConfig,
    WorkloadConfig,
    WorkloadKind,
)


def load_workload(cfg: WorkloadConfig) -> workload.Workload:
    """Read or make the demand. Raises `InputError` for a missing or broken file."""
    if cfg.name is WorkloadKind.synthetic:
        return workload.synthetic(days=cfg.days, seed=cfg.seed)
    if cfg.name is WorkloadKind.azure:
        return workload.load_azure(cfg.root)
    assert cfg.path is not None, "validate() requires a path"
    columns = workload.Columns(
        cfg.time_column, cfg.context_column, cfg.generated_column, cfg.series_column
    )
    series = workload.load_trace(
        cfg.path,
        kind=cfg.kind.name,
        tokens=cfg.tokens.name,
        columns=columns,
        series_bin_s=cfg.series_bin_s,
    )
    return workload.from_trace(series)


def describe(demand: workload.Workload) -> list[str]:
    """One line a series: how it was read."""
    return [
        f"{name}: {len(series.tokens)} bins of {series.bin_s:g} s, "
        f"{len(series.tokens) * series.bin_s / 3600:.1f} hours, "
        f"mean {series.tokens.mean():,.0f} tokens a bin"
        + (f", from {series.source.rows} rows of {series.source.path}" if series.source else "")
        for name, series in demand.series.items()
    ]


def make_protocol(cfg: ProtocolConfig, task: ProvisionConfig) -> workload.Protocol:
    """The evaluation protocol; bins, context and lead are free in `lead_time` only."""
    if cfg.name is ProtocolKind.lead_time:
        horizon = task.horizon if task.name is TaskKind.fleet else None
        return workload.lead_time(cfg.bin_s, cfg.context, cfg.lead, horizon)
    return workload.honest() if cfg.name is ProtocolKind.honest else workload.paper()


def make_problem(
    demand: workload.Workload, protocol: workload.Protocol, cfg: TrainConfig
) -> workload.Problem:
    """The windows and sets of a run."""
    suite = cfg.protocol.suite.name
    most = cfg.protocol.max_windows
    return workload.build(demand, protocol, seed=cfg.seed, suite=suite, max_windows=most)


def catalogue_of(cfg: ProvisionConfig) -> provision.Catalogue:
    """The configurations to choose from. Raises `InputError` for a missing or broken file."""
    if cfg.catalogue is None:
        return provision.default_catalogue()
    return provision.read_catalogue(cfg.catalogue)


def make_fleet(cfg: ProvisionConfig, bin_s: float) -> provision.Fleet:
    """The numbers of the catalogue in slots of `bin_s` seconds."""
    return provision.to_fleet(
        catalogue_of(cfg),
        bin_s,
        unserved_ratio=cfg.unserved_ratio,
        electricity_usd_per_kwh=cfg.electricity_usd_per_kwh,
    )


def make_task(
    cfg: ProvisionConfig,
    problem: workload.Problem,
    *,
    throw: bool = True,
    demand_scale: float = 1.0,
) -> provision.Task:
    """The decision task, for the bins of `problem` and, a fleet, for demand of `demand_scale` times
    the size of its train part: ridges are squares, whose weight depends on that size.

    `throw` False: an unsolved relaxation is NaN, at which the training loop stops and names the
    step, so that the compiled step needs no check of its own.
    """
    bin_s = problem.protocol.bin_s
    if cfg.name is TaskKind.fleet:
        return provision.fleet_task(
            make_fleet(cfg, bin_s),
            cfg.horizon,
            backend=cfg.backend.name,
            ridge_n=cfg.ridge_n,
            ridge_other=cfg.ridge_other,
            demand_scale=demand_scale * problem.scaler.mean,
            throw=throw,
        )
    if cfg.preset is Preset.newsvendor:
        return provision.newsvendor(cfg.c_over, cfg.c_under)
    return provision.utility(provision.PRESETS[cfg.preset.name], bin_s)


def make_forecaster(
    cfg: ForecastConfig, scaler: workload.Scaler, layout: workload.Layout
) -> forecast.Forecaster:
    """The predictor's network with its head, for each slot of a horizon, and its scaling."""
    context = layout.context
    head = (
        forecast.point_head(layout.horizon)
        if cfg.head is HeadKind.point
        else forecast.quantile_head(tuple(cfg.levels), layout.horizon)
    )
    if cfg.name is ForecastKind.linear_normalised:
        return forecast.linear_normalised(scaler, context, head)
    options = {
        ForecastKind.mlp: {"widths": tuple(cfg.widths)},
        ForecastKind.lstm: {"hidden": (cfg.hidden[0], cfg.hidden[1]), "dense": cfg.dense},
        ForecastKind.mixer: {"width": cfg.width, "blocks": cfg.blocks},
    }[cfg.name]
    build = forecast.FORECASTERS[cfg.name.name]
    return build(
        scaler, context, head, normalise=cfg.normalise.name, dropout=cfg.dropout, **options
    )
