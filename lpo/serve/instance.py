"""What a serving cluster is given: request classes, how a GPU runs them, prices. docs/serve.md."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lpo.errors import InputError


class Hardware(NamedTuple):
    """One GPU, that is, one replica of the model, with tensor parallelism or without.

    batch: B, streams that it decodes at once; a prefill takes the place of one of them. chunk: C,
    prompt tokens of an iteration with a prefill. alpha [s], beta [s per token]: such a mixed
    iteration takes tau = alpha + beta chunk. tau_solo: s, an iteration that only decodes.
    """

    batch: Any
    chunk: Any
    alpha: Any
    beta: Any
    tau_solo: Any


class Instance(NamedTuple):
    """I request classes on identical GPUs; a pytree of numbers (NumPy; JAX arrays in a layer).

    arrival [I] (lambda): requests per GPU and second. prompt, decode [I] (P, D): mean tokens that
    are read and generated. patience [I] (theta): a waiting request abandons at this rate per
    second; 0 where nobody does, and then requests are refused on arrival instead. price_prompt,
    price_decode [] (c_p, c_d): currency per token read and per token generated.
    """

    arrival: Any
    prompt: Any
    decode: Any
    patience: Any
    hardware: Hardware
    price_prompt: Any
    price_decode: Any


_LARGEST = 1e12  # of any number, so that products of a few stay finite


def make_hardware(
    *, batch: int, chunk: int, alpha: float, beta: float, tau_solo: float
) -> Hardware:
    """Return checked hardware; the arguments are the fields of `Hardware`.

    Raises InputError on a batch or chunk that is not a whole number of at least 1, on a negative
    beta, on times that are not finite, and where an iteration would take no time.
    """
    times = []
    for name, given in (("alpha", alpha), ("beta", beta), ("tau_solo", tau_solo)):
        number = _numbers(name, given)
        if number.shape != () or not abs(number) <= _LARGEST:
            raise InputError(f"`{name}` must be one finite number of seconds, got {given!r}.")
        times.append(float(number))
    hardware = Hardware(_whole("batch", batch), _whole("chunk", chunk), *times)
    if hardware.beta < 0.0:
        raise InputError(f"`beta` must be at least 0 s per token, got {hardware.beta}.")
    if hardware.tau_solo <= 0.0:
        raise InputError(f"`tau_solo` must be positive, in seconds, got {hardware.tau_solo}.")
    if hardware.alpha + hardware.beta * hardware.chunk <= 0.0:
        raise InputError(
            f"`alpha` must make alpha + beta chunk positive, got {hardware.alpha} s with "
            f"beta chunk = {hardware.beta * hardware.chunk:g} s."
        )
    return hardware


def make_instance(
    *,
    arrival: Sequence[float] | np.ndarray,
    prompt: Sequence[float] | np.ndarray | float,
    decode: Sequence[float] | np.ndarray | float,
    patience: Sequence[float] | np.ndarray | float,
    hardware: Hardware,
    price_prompt: float,
    price_decode: float,
) -> Instance:
    """Return a checked instance of float64 arrays; the arguments are the fields of `Instance`.

    `arrival` says how many classes there are; of the other three one number counts for all of them.
    Raises InputError on another shape, on a number that is negative or not finite (prompts and
    decodes must be positive), and as `make_hardware`. `hardware_notes` says where the theory does
    not reach.
    """
    rates = _numbers("arrival", arrival)
    if rates.ndim != 1 or not len(rates):
        raise InputError(
            f"`arrival` must be a list of at least one class, got shape {rates.shape}."
        )
    columns = [_checked("arrival", rates, positive=False)]
    for name, given, positive in (
        ("prompt", prompt, True),
        ("decode", decode, True),
        ("patience", patience, False),
    ):
        numbers = _numbers(name, given)
        if numbers.shape not in ((), rates.shape):
            raise InputError(
                f"`{name}` must be one number or one a class, shape {rates.shape}, "
                f"got shape {numbers.shape}."
            )
        columns.append(_checked(name, np.broadcast_to(numbers, rates.shape).copy(), positive))
    prices: dict[str, float] = {}
    for name, price in (("price_prompt", price_prompt), ("price_decode", price_decode)):
        number = _numbers(name, price)
        if number.shape != ():
            raise InputError(f"`{name}` must be one number, got shape {number.shape}.")
        prices[name] = float(_checked(name, number, positive=False))
    return Instance(*columns, hardware=make_hardware(**hardware._asdict()), **prices)


def hardware_notes(hardware: Hardware) -> tuple[str, ...]:
    """Return what a user should know about a GPU that the model takes but the theory does not."""
    tau = hardware.alpha + hardware.beta * hardware.chunk
    ratio, needed = tau / hardware.tau_solo, (hardware.batch - 1) / hardware.batch
    if ratio < needed:
        return (
            f"tau / tau_solo is {ratio:.3g}, below (batch - 1) / batch = {needed:.3g}: decoding is "
            "faster beside a prefill than without, so that an optimum may keep a queue of "
            "prefilled requests, and the closed form does not hold.",
        )
    if ratio < 1.0:
        return (
            f"tau / tau_solo is {ratio:.3g}, below 1: `chunk` = {hardware.chunk} is shorter than "
            "the batch from which on time grows with tokens, where alpha + beta chunk is no "
            "measured time.",
        )
    return ()


def paper_two_class() -> Instance:
    """Return the two classes of arXiv 2602.02987, decode-heavy and prompt-heavy, at load 1.04."""
    return make_instance(
        arrival=[0.5, 0.5],
        prompt=[300.0, 3000.0],
        decode=[1000.0, 400.0],
        patience=0.1,
        hardware=make_hardware(batch=16, chunk=256, alpha=0.0174, beta=6.2e-5, tau_solo=0.022),
        price_prompt=0.1,
        price_decode=0.2,
    )


def paper_two_class_x2() -> Instance:
    """Return `paper_two_class` with twice the arrivals, load 2.09."""
    instance = paper_two_class()
    return instance._replace(arrival=2.0 * instance.arrival)


INSTANCES = {"paper_two_class": paper_two_class, "paper_two_class_x2": paper_two_class_x2}
"""Functions that make the named instances."""


def _whole(name: str, value: Any) -> int:
    number = _numbers(name, value)
    if number.shape != () or not 1.0 <= number <= _LARGEST or number != np.floor(number):
        raise InputError(f"`{name}` must be a whole number of at least 1, got {value}.")
    return int(number)


def _numbers(name: str, given: Any) -> np.ndarray:
    try:
        array = np.asarray(given)
    except ValueError:  # ragged
        array = np.asarray(None)
    if array.dtype.kind not in "iuf":
        raise InputError(f"`{name}` must be numbers, got {given!r}.")
    return array.astype(np.float64)


def _checked(name: str, numbers: np.ndarray, positive: bool) -> np.ndarray:
    good = (numbers > 0.0 if positive else numbers >= 0.0) & (numbers <= _LARGEST)
    if good.all():
        return numbers
    at = int(np.argmin(good))
    place = f"{name}[{at}]" if numbers.ndim else name
    allowed = "positive" if positive else "at least 0"
    raise InputError(
        f"`{place}` must be {allowed} and at most {_LARGEST:g}, got {numbers.ravel()[at]:g}."
    )
