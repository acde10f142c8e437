"""The requests that the product family routes: of the Azure traces, of files, or made up."""

from pathlib import Path
from typing import Any, NamedTuple

from lpo.bandit.command.azure import azure_files
from lpo.bandit.command.config import BanditConfig, RequestsKind, ridge_of
from lpo.bandit.environment import Environment
from lpo.bandit.product.contexts import Periods, synthetic_contexts
from lpo.bandit.product.environment import environment_of
from lpo.bandit.product.product import Product, make_product
from lpo.bandit.product.readers import read_periods
from lpo.errors import InputError
from lpo.runs import source_of

_MOST_ROWS = 8000  # of the log, unless told


class Routing(NamedTuple):
    """product: that a configuration describes. requests: where they are from, in words. sources:
    the files that were read."""

    product: Product
    requests: str
    sources: list[dict[str, Any]]

    @property
    def environment(self) -> Environment:
        """The problem as policies meet it."""
        return environment_of(self.product)


def routing_of(cfg: BanditConfig, **changes: Any) -> Routing:
    """Return the routing problem of a configuration; `changes`: to arguments of `make_product`.

    Raises InputError on files that are missing or not traces, on a log longer than the requests,
    and as `make_product`.
    """
    periods, words, sources = _periods_of(cfg)
    given, count = cfg.product, len(periods.log.time_s)
    rows = changes.pop("rows", given.rows)
    if rows is not None and rows > count:
        raise InputError(
            f"product.rows: {rows} given; allowed: up to {count}, the requests of the log"
        )
    try:
        product = make_product(
            periods,
            change=given.change.name,
            what=given.what,
            size=given.size,
            known=given.known,
            unchanged=given.unchanged,
            rows=min(count, _MOST_ROWS) if rows is None else rows,
            noise=given.noise,
            spread=given.spread,
            capacity=given.capacity,
            drift=given.drift,
            most_delay=cfg.environment.most_delay,
            regularisation=ridge_of(cfg),
            delta=cfg.delta,
            **changes,
        )
    except InputError as error:
        raise InputError(f"product: {error}") from error
    return Routing(
        product, f"{words} ({count} before, {len(periods.rounds.time_s)} after)", sources
    )


def _periods_of(cfg: BanditConfig) -> tuple[Periods, str, list[dict[str, Any]]]:
    match cfg.product.requests:
        case RequestsKind.azure:
            paths, words = azure_files(), "requests of the Azure traces of 2023"
            if paths is None:
                raise InputError(
                    "product.requests: azure given; allowed: with both traces of 2023 in the "
                    "folder that LPO_DATA names (python -m lpo.workload download fetches them)"
                )
        case RequestsKind.files:
            named = {key: getattr(cfg.product, key) for key in ("conversation", "code")}
            paths, words = [Path(path) for path in named.values()], "requests of two traces"
            for key, path in named.items():
                if not Path(path).is_file():
                    raise InputError(f"product.{key}: {path} is not there")
        case _:
            return synthetic_contexts(), "made-up requests", []
    return read_periods(*paths), words, [source_of(path) for path in paths]
