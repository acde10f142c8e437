"""The numbers of `analysis.values`: what an experiment varies."""

from collections.abc import Callable, Sequence

from lpo.errors import InputError
from lpo.scale.command.config import ScaleConfig

Allowed = tuple[Callable[[float], bool], str]
"""Which numbers are good, and how an error says that."""

WHOLE: Allowed = (lambda number: number >= 1 and number == int(number), "whole numbers >= 1")
SHARES: Allowed = (lambda number: 0 <= number < 1, "numbers in [0, 1)")


def numbers_or(
    cfg: ScaleConfig, allowed: dict[str, Allowed], **defaults: Sequence[float]
) -> dict[str, list[float]]:
    """Return the numbers of every name in `defaults`, in the order given, each once.

    Raises InputError on other names, on an empty list and on numbers that are not allowed.
    """
    given = {name: list(numbers) for name, numbers in cfg.analysis.values.items()}
    wrong = [name for name in given if name not in defaults]
    if wrong:
        raise InputError(
            f"analysis.values: {wrong[0]} given; allowed: {', '.join(defaults) or 'nothing'}"
        )
    values = {name: given.get(name, list(numbers)) for name, numbers in defaults.items()}
    for name, numbers in values.items():
        good, words = allowed[name]
        if not numbers or not all(map(good, numbers)):
            raise InputError(f"analysis.values.{name}: {numbers} given; allowed: {words}")
    return {name: list(dict.fromkeys(numbers)) for name, numbers in values.items()}
