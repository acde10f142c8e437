"""The one line about a value that has the right type and no meaning."""

from collections.abc import Callable
from enum import Enum
from typing import Any

from lpo.errors import InputError


def check(config: Any, key: str, allowed: Callable[[Any], bool], words: str) -> None:
    """Raise `InputError` unless the value of `key` (dots lead into nested ones) is allowed.

    words: what is allowed, as the line says it.
    """
    value = config
    for name in key.split("."):
        value = getattr(value, name)
    if not allowed(value):
        given = value.name if isinstance(value, Enum) else value
        raise InputError(f"{key}: {given} given; allowed: {words}")
