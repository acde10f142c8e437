"""Each service level as a row of the program: its numbers, and its left side made of them.

Every row reads left <= 0, and its numbers are affine in the limit. docs/serve.md, "Service levels".
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import cvxpy as cp
import numpy as np

from lpo.serve.instance import Instance
from lpo.serve.plans.levels import ServiceLevels
from lpo.serve.plans.variables import Variables
from lpo.serve.rates import Rates, service_rates


def level_values(
    name: str, instance: Instance, levels: ServiceLevels, impatient: np.ndarray, limit: Any
) -> dict[str, Any]:
    """Return the numbers of a level's row at a limit, NumPy or JAX as those given are.

    impatient [I] bool: which classes abandon, fixed where the patience may be traced by JAX.
    """
    kind = _LEVELS[name]
    situation = _Situation(instance, service_rates(instance), levels, impatient.astype(np.float64))
    names = [f"{name}.{part}" for part in kind.parts]
    return dict(zip(names, kind.coefficients(situation, limit), strict=True))


def level_row(name: str, v: Variables, completed: Any, parameters: dict[str, cp.Parameter]) -> Any:
    """Return the left side of a level's row. completed [I]: decodes completed per second."""
    kind = _LEVELS[name]
    return kind.row(v, completed, [parameters[f"{name}.{part}"] for part in kind.parts])


class _Situation(NamedTuple):
    """impatient [I]: 1 where a class abandons, else 0."""

    instance: Instance
    rates: Rates
    levels: ServiceLevels
    impatient: np.ndarray

    @property
    def leaving(self) -> Any:
        """[I] patience; 1 where there is none, so that it can be divided by."""
        return self.instance.patience * self.impatient + (1.0 - self.impatient)


class _Level(NamedTuple):
    """A level as a row, left <= 0: its numbers at a limit, and its left side made of them."""

    parts: tuple[str, ...]
    coefficients: Callable[[_Situation, Any], tuple[Any, ...]]
    row: Callable[[Variables, Any, list[Any]], Any]


def _difference(slots: Any, limit: Any) -> Any:
    return cp.max(slots) - cp.min(slots) - limit


def _tpot(s: _Situation, limit: Any) -> tuple[Any, ...]:
    # (tau (B - 1) X + tau_solo B (1 - X)) / ((B - 1) X + B (1 - X)) <= limit, multiplied out
    B, tau_solo = s.instance.hardware.batch, s.instance.hardware.tau_solo
    return s.rates.tau * (B - 1) - B * tau_solo + limit, B * (limit - tau_solo)


def _occupancy_tpot(s: _Situation, limit: Any) -> tuple[Any, ...]:
    # streams <= limit times the tokens that they generate in a second
    return 1.0 - limit / s.rates.tau, 1.0 - limit * s.rates.gamma


def _occupancy_tpot_row(v: Variables, completed: Any, p: list[Any]) -> Any:
    return p[0] * cp.sum(v.y_m) + p[1] * cp.sum(v.y_s)


def _prefill_wait(s: _Situation, limit: Any) -> tuple[Any, ...]:
    # Little's law, q = arrival wait, times the patience. Who is refused on arrival does not wait.
    waits = s.impatient + 0.0 * s.instance.arrival
    return waits, s.leaving * s.instance.arrival * limit


def _ttft(s: _Situation, limit: Any) -> tuple[Any, ...]:
    return _prefill_wait(s, limit - 1.0 / s.rates.mu_p)


def _prefill_wait_row(v: Variables, completed: Any, p: list[Any]) -> Any:
    return cp.multiply(p[0], v.lost_prefill) - p[1]


def _decode_wait(s: _Situation, limit: Any) -> tuple[Any, ...]:
    return (s.leaving * limit * s.rates.mu_p,)


def _decode_wait_row(v: Variables, completed: Any, p: list[Any]) -> Any:
    return v.lost_decode - cp.multiply(p[0], v.x)


def _kv(s: _Situation, limit: Any) -> tuple[Any, ...]:
    # a request in service has a length-biased age, of mean (1 + cv^2) / 2 lengths
    prompt, decode = s.instance.prompt, s.instance.decode
    reading = prompt * (1.0 + s.levels.cv_prompt**2) / 2.0
    decoding = prompt + decode * (1.0 + s.levels.cv_decode**2) / 2.0
    return reading, decoding, prompt * s.impatient / s.leaving, limit


def _kv_row(v: Variables, completed: Any, p: list[Any]) -> Any:
    return p[0] @ v.x + p[1] @ (v.y_m + v.y_s) + p[2] @ v.lost_decode - p[3]


_LEVELS: dict[str, _Level] = {
    "prefill_fairness": _Level(
        ("limit",), lambda s, limit: (limit,), lambda v, _, p: _difference(v.x, p[0])
    ),
    "decode_fairness": _Level(
        ("limit",), lambda s, limit: (limit,), lambda v, _, p: _difference(v.y_s, p[0])
    ),
    "tpot_s": _Level(("slope", "right"), _tpot, lambda v, _, p: p[0] * cp.sum(v.x) - p[1]),
    "occupancy_tpot_s": _Level(("mixed", "solo"), _occupancy_tpot, _occupancy_tpot_row),
    "prefill_wait_s": _Level(("waits", "right"), _prefill_wait, _prefill_wait_row),
    "decode_wait_s": _Level(("slope",), _decode_wait, _decode_wait_row),
    "ttft_s": _Level(("waits", "right"), _ttft, _prefill_wait_row),
    "abandonment": _Level(
        ("right",),
        lambda s, limit: (s.instance.arrival * limit,),
        lambda v, _, p: v.lost_prefill + v.lost_decode - p[0],
    ),
    "service_share": _Level(
        ("right",),
        lambda s, limit: (s.instance.arrival * limit,),
        lambda v, completed, p: p[0] - completed,
    ),
    "kv_tokens": _Level(("reading", "decoding", "queue", "limit"), _kv, _kv_row),
}
