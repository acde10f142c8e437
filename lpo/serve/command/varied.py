"""What an experiment varies: the numbers of `analysis.values`."""

from collections.abc import Sequence

from lpo.errors import InputError
from lpo.serve.command.config import ServeConfig


def varied(cfg: ServeConfig, **defaults: Sequence[float]) -> dict[str, list[float]]:
    """Return the numbers of every name that an experiment knows, positive and at least one each.

    Raises InputError on other names and numbers.
    """
    given = cfg.analysis.values
    wrong = sorted(set(given) - set(defaults))
    if wrong:
        allowed = ", ".join(defaults)
        raise InputError(f"analysis.values: {wrong[0]} given; allowed: {allowed}")
    values = {name: list(given.get(name, default)) for name, default in defaults.items()}
    for name, numbers in values.items():
        if not numbers or not all(0.0 < number < float("inf") for number in numbers):
            raise InputError(
                f"analysis.values.{name}: {numbers} given; allowed: at least one, each > 0"
            )
    return values
