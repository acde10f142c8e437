"""Service levels that a plan must keep, or pays for missing. docs/serve.md lists them."""

from typing import Any, NamedTuple

import numpy as np

from lpo.errors import InputError


class Penalised(NamedTuple):
    """A level that may be missed: `price`, currency per second, for each unit of excess.

    limit: what the level would be without a price. What a unit of excess is: docs/serve.md.
    """

    limit: Any
    price: Any


class ServiceLevels(NamedTuple):
    """Levels by name, in steady state and per GPU; None: not asked for. All linear.

    A level is a number, or for those [I] one number a class, and hard; or it is `Penalised`.

    **Of arXiv 2602.02987**, there with an empty decode queue:
    prefill_fairness: largest difference of occupied prefill slots, max x - min x, between classes.
    decode_fairness: the same of streams on GPUs without a prefill, max y_s - min y_s.
    tpot_s: mean time per output token when all slots are taken.

    **Ours**:
    occupancy_tpot_s: mean time per output token of the streams that there are.
    prefill_wait_s, decode_wait_s [I]: mean wait before prefill and before decoding, with those who
    abandon. ttft_s [I]: mean time to first token, wait and prefill. abandonment [I]: share of
    arrivals that abandons or is refused. service_share [I]: least share of arrivals that is served.
    kv_tokens: mean tokens in a GPU's cache, where cv_prompt and cv_decode ([I] or a number) are the
    coefficients of variation of the lengths: 1 for the exponential ones of the model, 0 for fixed.

    least_share_price: currency per second for the served share of the worst-served class, added to
    the objective; above all that there is to earn it gives max-min fairness.
    decode_queue: whether requests may wait between prefill and decode; None: unless one of the
    three first levels is asked for.
    """

    prefill_fairness: Any = None
    decode_fairness: Any = None
    tpot_s: Any = None
    occupancy_tpot_s: Any = None
    prefill_wait_s: Any = None
    decode_wait_s: Any = None
    ttft_s: Any = None
    abandonment: Any = None
    service_share: Any = None
    kv_tokens: Any = None
    least_share_price: Any = None
    cv_prompt: Any = 1.0
    cv_decode: Any = 1.0
    decode_queue: bool | None = None


class Rule(NamedTuple):
    """Whether a level is one number a class, and its range; units are in docs/serve.md."""

    per_class: bool
    allowed: str


_ANY, _POSITIVE, _SHARE = "finite and at least 0", "finite and positive", "in [0, 1]"
RULES: dict[str, Rule] = {
    "prefill_fairness": Rule(False, _ANY),
    "decode_fairness": Rule(False, _ANY),
    "tpot_s": Rule(False, _POSITIVE),
    "occupancy_tpot_s": Rule(False, _POSITIVE),
    "prefill_wait_s": Rule(True, _ANY),
    "decode_wait_s": Rule(True, _ANY),
    "ttft_s": Rule(True, _POSITIVE),
    "abandonment": Rule(True, _SHARE),
    "service_share": Rule(True, _SHARE),
    "kv_tokens": Rule(False, _POSITIVE),
}
"""Every level that is a limit, in the order of the rows of a program."""

NO_LEVELS = ServiceLevels()


def limit_of(levels: ServiceLevels, name: str) -> Any:
    """Return the limit of a level, hard or penalised; None where it is not asked for."""
    level = getattr(levels, name)
    return level.limit if isinstance(level, Penalised) else level


def asked(levels: ServiceLevels) -> tuple[str, ...]:
    """Return the names of the limits that are asked for."""
    return tuple(name for name in RULES if getattr(levels, name) is not None)


def queue_allowed(levels: ServiceLevels) -> bool:
    """Whether requests may wait between prefill and decode."""
    if levels.decode_queue is not None:
        return levels.decode_queue
    published = ("prefill_fairness", "decode_fairness", "tpot_s")
    return all(getattr(levels, name) is None for name in published)


def check_levels(levels: ServiceLevels, classes: int) -> ServiceLevels:
    """Return the levels as float64 arrays, [I] where there is one a class, after checking them.

    Raises InputError, one line, on the first that has another shape than () or [classes] or a
    number outside its range.
    """
    checked: dict[str, Any] = {}
    for name in asked(levels):
        rule, level = RULES[name], getattr(levels, name)
        shape = (classes,) if rule.per_class else ()
        limit = _numbers(name, limit_of(levels, name), shape, rule.allowed)
        if isinstance(level, Penalised):
            price = _numbers(f"{name}.price", level.price, shape, _ANY)
            checked[name] = Penalised(limit, price)
        else:
            checked[name] = limit
    for name in ("cv_prompt", "cv_decode"):
        checked[name] = _numbers(name, getattr(levels, name), (classes,), _ANY)
    if levels.least_share_price is not None:
        checked["least_share_price"] = _numbers(
            "least_share_price", levels.least_share_price, (), _ANY
        )
    return levels._replace(**checked)


def _numbers(name: str, given: Any, shape: tuple[int, ...], allowed: str) -> np.ndarray:
    try:
        array = np.asarray(given)
    except ValueError:  # ragged
        array = np.asarray(None)
    if array.dtype.kind not in "iuf" or array.shape not in ((), shape):
        wanted = f"one number or {shape[0]}, one a class" if shape else "one number"
        raise InputError(f"`{name}` must be {wanted}, got {given!r}.")
    numbers = array.astype(np.float64)
    good = np.isfinite(numbers) & (numbers >= 0.0)
    if allowed == _POSITIVE:
        good &= numbers > 0.0
    elif allowed == _SHARE:
        good &= numbers <= 1.0
    if not good.all():
        raise InputError(f"`{name}` must be {allowed}, got {given!r}.")
    return np.broadcast_to(numbers, shape).copy()
