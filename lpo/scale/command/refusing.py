"""Settings that an experiment cannot honour."""

from collections.abc import Mapping
from enum import Enum
from functools import partial
from operator import eq
from typing import Any

from lpo.runs import check
from lpo.scale.command.config import ScaleConfig


def refuse_others(cfg: ScaleConfig, only: Mapping[str, Any], where: str) -> None:
    """Raise InputError, one line, where a key of `only` has another value than the one there.

    where: of what the line says that it knows no other, such as `in mixes`.
    """
    for key, value in only.items():
        words = value.name if isinstance(value, Enum) else "null" if value is None else value
        check(cfg, key, partial(eq, value), f"{words} ({where})")
