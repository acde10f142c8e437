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


def make_protocol(cfg: ProtocolConfig) -> workload.Protocol:
    """The evaluation protocol; bins, context and lead are free in `lead_time` only."""
    if cfg.name is ProtocolKind.lead_time:
        return workload.lead_time(bin_s=cfg.bin_s, context=cfg.context, lead=cfg.lead)
    return workload.honest() if cfg.name is ProtocolKind.honest else workload.paper()


def make_task(cfg: ProvisionConfig, bin_s: float) -> provision.CapacityTask:
    """The capacity task of a preset, for bins of `bin_s` seconds."""
    if cfg.preset is Preset.newsvendor:
        return provision.newsvendor(cfg.c_over, cfg.c_under)
    return provision.utility(provision.PRESETS[cfg.preset.name], bin_s)


def make_forecaster(
    cfg: ForecastConfig, scaler: workload.Scaler, context: int
) -> forecast.Forecaster:
    """The predictor's network with its head and scaling."""
    head = (
        forecast.point_head()
        if cfg.head is HeadKind.point
        else forecast.quantile_head(tuple(cfg.levels))
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
