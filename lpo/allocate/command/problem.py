"""What the configuration asks to be solved: instance, options and uncertainty sets."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np

from lpo.allocate.command.checks import trace_paths, weights_of
from lpo.allocate.command.config import (
    GENERATED,
    PUBLISHED_CAP,
    AllocateConfig,
    DemandConfig,
    PresetKind,
    SetKind,
)
from lpo.allocate.instance import Instance, check_instance
from lpo.allocate.instances.files import read_instance
from lpo.allocate.instances.generate import generate
from lpo.allocate.instances.scaling import scaled
from lpo.allocate.options import Options, make_options
from lpo.allocate.uncertainty import Box, Budget, Ellipsoid, Uncertainty, budget
from lpo.errors import InputError
from lpo.runs import source_of


class Problem(NamedTuple):
    """An instance, the model of it, and the sets it is protected against.

    sources: path and checksum of every file that was read. notes: what must be said beside a plan.
    weights: of the parts of the cost in the objective, None for the cost in dollars.
    """

    instance: Instance
    options: Options
    uncertainty: Uncertainty
    sources: list[dict[str, Any]]
    notes: tuple[str, ...] = ()
    weights: dict[str, float] | None = None


def load_problem(cfg: AllocateConfig) -> Problem:
    """Read or generate the instance and change it as the configuration says.

    Demand from a trace comes first, then scales, then the cap on dropped queries (which may depend
    on the arrivals) and the fleet limit. Raises InputError on a broken file and on values that do
    not fit the instance.
    """
    sources = []
    if cfg.instance == GENERATED:
        size = None if cfg.size is None else (cfg.size[0], cfg.size[1], cfg.size[2])
        instance = generate(cfg.preset.name, cfg.seed, legacy_stream=cfg.legacy_stream, size=size)
    else:
        instance = read_instance(cfg.instance)
        sources.append(source_of(cfg.instance))
    if cfg.demand.trace is not None:
        instance = _with_demand(cfg.demand, instance)
        sources += [source_of(path) for path in trace_paths(cfg.demand.trace)]
    instance = scaled(instance, **asdict(cfg.scale))
    data = instance.data
    if cfg.u_cap is not None:
        data = data._replace(unmet_cap=_caps(cfg.u_cap, data.arrivals_per_hour))
    if cfg.fleet_limit is not None:
        data = data._replace(tier_limit=_fleet(cfg.fleet_limit, instance))
    instance = check_instance(instance._replace(data=data))
    notes = []
    if cfg.decision_dependent and not (data.impact_delay.any() or data.impact_error.any()):
        notes.append("decision_dependent has no effect: all impact factors of the instance are 0")
    options, sets = options_of(cfg), uncertainty_of(cfg, instance)
    return Problem(instance, options, sets, sources, tuple(notes), weights_of(cfg))


def gammas_of(uncertainty: Uncertainty) -> dict[str, float]:
    """gamma_delay and gamma_error: infinite for a box, not a number for an ellipsoid."""
    numbers = {
        name: chosen.gamma if isinstance(chosen, Budget) else math.inf
        for name, chosen in uncertainty._asdict().items()
        if not isinstance(chosen, Ellipsoid)
    }
    return {f"gamma_{name}": numbers.get(name, math.nan) for name in uncertainty._fields}


def options_of(cfg: AllocateConfig) -> Options:
    """The switches as the core's options; null ones as the instance and the profile have them."""
    published_units = not (cfg.instance == GENERATED and cfg.preset is PresetKind.catalog)
    given = {
        name: getattr(cfg, name)
        for name in Options._fields
        if name not in ("profile", "storage_accounting", "legacy_units")
    }
    if cfg.storage_accounting is not None:
        given["storage_accounting"] = cfg.storage_accounting.name
    units = published_units if cfg.legacy_units is None else cfg.legacy_units
    return make_options(profile=cfg.profile.name, legacy_units=units, **given)


def uncertainty_of(
    cfg: AllocateConfig, instance: Instance, gamma: float | None = None
) -> Uncertainty:
    """The sets of delay and error; `gamma` instead of the configured budgets if it is given."""
    if gamma is not None:
        return budget(gamma, gamma)
    if cfg.uncertainty is SetKind.box:
        return Uncertainty(Box(), Box())
    if cfg.uncertainty is SetKind.ellipsoid:
        assert cfg.radius is not None
        return Uncertainty(Ellipsoid(cfg.radius), Ellipsoid(cfg.radius))
    both = (cfg.gamma_delay, cfg.gamma_error)
    own = (instance.gamma_delay, instance.gamma_error)
    delay, error = (
        next(value for value in (mine, cfg.gamma, default) if value is not None)
        for mine, default in zip(both, own, strict=True)
    )
    return budget(delay, error)


def _with_demand(cfg: DemandConfig, instance: Instance) -> Instance:
    """Arrivals and lengths from one trace, divided by length, or from one trace a query type."""
    from lpo.allocate.instances import demand  # readers of traces take half a second to import
    from lpo.allocate.instances.length_classes import Classes
    from lpo.workload.readers import Columns

    columns = Columns(cfg.time_column, cfg.context_column, cfg.generated_column)
    classes = Classes(tuple(cfg.prompt_edges), tuple(cfg.output_edges))
    options: dict[str, Any] = {
        "quantile": cfg.quantile,
        "window_s": cfg.window_s,
        "columns": columns,
    }
    if isinstance(cfg.trace, dict):
        each = [
            demand.estimate_demand(path, name=str(name), **options)
            for name, path in cfg.trace.items()
        ]
        return demand.with_demand(instance, demand.joined(each))
    found = demand.estimate_demand(cfg.trace, classes, **options)
    names = instance.query_types if cfg.query_types is None else tuple(cfg.query_types)
    if len(names) != len(found.query_types):
        classes = f"{len(found.query_types)} class{'es' * (len(found.query_types) > 1)}"
        edges = f"demand.prompt_edges and demand.output_edges make {classes} of requests"
        if cfg.query_types is None:
            raise InputError(
                f"demand: the instance has {len(names)} query types and {edges}; set "
                "demand.query_types=[...] to the types that they are, or other edges"
            )
        raise InputError(
            f"demand.query_types: {', '.join(names)} given, but {edges}; allowed: one name a class"
        )
    if cfg.query_types is None:
        return demand.with_demand(instance, found, by="order")
    return demand.with_demand(instance, found._replace(query_types=names))


def _caps(given: float | str, arrivals: np.ndarray) -> np.ndarray:
    """[I]; `published`: min(1, .01 lambda), the cap behind the published result tables."""
    if given == PUBLISHED_CAP:
        return np.minimum(1.0, 0.01 * arrivals)
    return np.full(len(arrivals), float(given))


def _fleet(given: Any, instance: Instance) -> np.ndarray:
    """[K] GPUs from a mapping of tiers, the others as the instance has them, or from a list."""
    tiers, limits = instance.tiers, np.array(instance.data.tier_limit, np.float64)
    if isinstance(given, Mapping):
        pairs = {str(tier): value for tier, value in given.items()}
    elif isinstance(given, list) and len(given) == len(tiers):
        pairs = dict(zip(tiers, given, strict=True))
    else:
        raise InputError(
            f"fleet_limit: {given} given; allowed: null, {{tier: GPUs}}, or a list of {len(tiers)}"
        )
    for tier, value in pairs.items():
        if tier not in tiers:
            raise InputError(f"fleet_limit: {tier} given; allowed: {', '.join(tiers)}")
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float | None)
            or not (value is None or value >= 0)
        ):
            raise InputError(f"fleet_limit.{tier}: {value} given; allowed: null or GPUs >= 0")
        limits[tiers.index(tier)] = np.inf if value is None else value
    return limits
