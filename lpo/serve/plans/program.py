"""The steady state of a cluster as one linear program in cvxpy. docs/serve.md.

Every number is a `cp.Parameter` that enters affinely, so that one program is solved at many
instances and is a differentiable layer as it stands.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import cvxpy as cp
import numpy as np

from lpo.errors import InputError
from lpo.serve.instance import Instance
from lpo.serve.plans.level_rows import level_row, level_values
from lpo.serve.plans.levels import (
    NO_LEVELS,
    RULES,
    Penalised,
    ServiceLevels,
    asked,
    check_levels,
    limit_of,
    queue_allowed,
)
from lpo.serve.plans.variables import Variables
from lpo.serve.rates import service_rates


class Pricing(StrEnum):
    """What is paid when: bundled, the whole request when it is complete; separate, the prompt when
    its prefill is complete and the generated tokens when they are."""

    BUNDLED = "bundled"
    SEPARATE = "separate"


class Shape(NamedTuple):
    """What a program is built for; its numbers may change, these may not.

    impatient [I]: which classes abandon. levels: names of the limits; penalised: those with a
    price. least_share: whether it is paid for. decode_queue: as in `ServiceLevels`, decided.
    """

    impatient: tuple[bool, ...]
    pricing: Pricing
    disaggregated: bool
    levels: tuple[str, ...]
    penalised: tuple[str, ...]
    least_share: bool
    decode_queue: bool


class FluidProgram(NamedTuple):
    """A parametrised problem (DPP), maximising currency per GPU and second.

    parameters: by name, in the order in which a layer takes them. rows: every constraint that has a
    price, by what it stands for.
    """

    shape: Shape
    problem: cp.Problem
    parameters: dict[str, cp.Parameter]
    variables: Variables
    rows: dict[str, Any]

    @property
    def leaves(self) -> list[cp.Variable]:
        """The variables, in the order in which `variables_of` takes their values."""
        v = self.variables
        least = [] if v.least_share is None else [v.least_share]
        return [*v[:5], *least, *v.excess.values()]


def variables_of(program: FluidProgram, values: Any) -> Variables:
    """Return values of `program.leaves` as `Variables`."""
    rest = list(values)
    first, rest = rest[:5], rest[5:]
    least = rest.pop(0) if program.shape.least_share else None
    excess = dict(zip(program.shape.penalised, rest, strict=True))
    return Variables(*first, least_share=least, excess=excess)


def shape_of(
    instance: Instance, levels: ServiceLevels, pricing: Pricing | str, disaggregated: bool
) -> Shape:
    """Return what a program for this instance and these levels must be built for.

    Raises InputError on an unknown pricing.
    """
    if pricing not in tuple(Pricing):
        raise InputError(f"`pricing` must be one of {', '.join(Pricing)}, got {pricing!r}.")
    names = asked(levels)
    return Shape(
        impatient=tuple(bool(theta > 0) for theta in np.asarray(instance.patience)),
        pricing=Pricing(pricing),
        disaggregated=disaggregated,
        levels=names,
        penalised=tuple(n for n in names if isinstance(getattr(levels, n), Penalised)),
        least_share=levels.least_share_price is not None,
        decode_queue=queue_allowed(levels),
    )


def fluid_program(
    instance: Instance,
    levels: ServiceLevels = NO_LEVELS,
    pricing: Pricing | str = Pricing.BUNDLED,
    *,
    disaggregated: bool = False,
) -> FluidProgram:
    """Build the program (arXiv 2602.02987, fluid model; levels and refusals are partly ours)

        max   revenue - penalties + least_share_price least_share
        sum x <= 1;   sum y_m <= (B - 1) sum x;   sum y_s <= B (1 - sum x)
        mu_p x + lost_prefill = arrival
        mu_p x = lost_decode + mu_m y_m + mu_s y_s;   all >= 0

    instance, levels: they say the shape of the program, and their numbers become the values of its
    parameters. disaggregated: GPUs with a prefill decode nothing, y_m = 0. A class that does not
    abandon has no one to lose after its prefill: lost_decode = 0.

    Raises InputError on levels out of range and an unknown pricing.
    """
    levels = check_levels(levels, len(instance.arrival))
    shape = shape_of(instance, levels, pricing, disaggregated)
    given = coefficients(shape, instance, levels)
    p = {name: cp.Parameter(np.shape(value), name=name) for name, value in given.items()}
    I = len(shape.impatient)
    x, y_m, y_s, lost_prefill, lost_decode = (cp.Variable(I, name=n) for n in Variables._fields[:5])
    v = Variables(
        *(x, y_m, y_s, lost_prefill, lost_decode),
        least_share=cp.Variable(1, name="least_share") if shape.least_share else None,
        excess={
            name: cp.Variable(I if RULES[name].per_class else 1, name=f"excess of {name}")
            for name in shape.penalised
        },
    )
    leaves = [*v[:5], *v.excess.values()]
    admitted = cp.multiply(p["prefill_rate"], x)
    completed = cp.multiply(p["mixed_rate"], y_m) + cp.multiply(p["solo_rate"], y_s)
    busy = cp.sum(x)
    rows: dict[str, Any] = {
        "prefill_slot": busy <= p["prefill_slots"],
        "mixed_slot": cp.sum(y_m) <= p["mixed_slots"] * busy,
        "solo_slot": cp.sum(y_s) <= p["solo_slots"] * (1 - busy),
        "arrival": admitted + lost_prefill == p["arrival"],
        "prefilled": admitted == lost_decode + completed,
    }
    # Signs are constraints and not attributes: a solver's interface may drop the latter.
    others: list[Any] = [leaf >= 0 for leaf in leaves]
    patient = np.flatnonzero(~np.array(shape.impatient) | (not shape.decode_queue))
    if len(patient):
        others.append(lost_decode[patient] == 0)
    if disaggregated:
        others.append(y_m == 0)
    if v.least_share is not None:
        rows["least_share"] = p["arrival"] * v.least_share[0] <= completed
        others.append(v.least_share <= 1)
    for name in shape.levels:
        left = level_row(name, v, completed, p)
        if name in shape.penalised:
            left -= v.excess[name] if RULES[name].per_class else v.excess[name][0]
        rows[name] = left <= 0
    problem = cp.Problem(cp.Maximize(objective(v, p)), [*rows.values(), *others])
    program = FluidProgram(shape, problem, p, v, rows)
    set_values(program, given)
    return program


def objective(v: Variables, given: Mapping[str, Any]) -> Any:
    """Return what is maximised, of expressions and parameters or of arrays: currency per second."""
    value = revenue(v, given)
    for name, excess in v.excess.items():
        value = value - given[f"{name}.price"] @ excess
    return value if v.least_share is None else value + given["least_share_price"] @ v.least_share


def revenue(v: Variables, given: Mapping[str, Any]) -> Any:
    """Return the revenue per GPU and second, of expressions and parameters or of arrays."""
    parts = zip(("prefill_reward", "mixed_reward", "solo_reward"), v[:3], strict=True)
    return sum(given[name] @ slots for name, slots in parts)


def set_values(program: FluidProgram, given: Mapping[str, Any]) -> None:
    """Give parameters their values, those of `coefficients` or some of them."""
    for name, value in given.items():
        program.parameters[name].value = np.asarray(value, np.float64)


def coefficients(shape: Shape, instance: Instance, levels: ServiceLevels) -> dict[str, Any]:
    """Return the values of a program's parameters by name; NumPy or JAX as the numbers are."""
    rates, hardware = service_rates(instance), instance.hardware
    bundled = shape.pricing is Pricing.BUNDLED
    before = 0.0 * rates.w if bundled else instance.price_prompt * instance.prompt
    after = rates.w if bundled else instance.price_decode * instance.decode
    given = {
        "arrival": instance.arrival,
        "prefill_rate": rates.mu_p,
        "mixed_rate": rates.mu_m,
        "solo_rate": rates.mu_s,
        "prefill_slots": 1.0,
        "mixed_slots": hardware.batch - 1,
        "solo_slots": hardware.batch,
        "prefill_reward": before * rates.mu_p,
        "mixed_reward": after * rates.mu_m,
        "solo_reward": after * rates.mu_s,
    }
    for name in shape.levels:
        limit = limit_of(levels, name)
        given |= level_values(name, instance, levels, np.array(shape.impatient), limit)
    for name in shape.penalised:
        flat = 1.0 + 0.0 * instance.arrival if RULES[name].per_class else np.ones(1)
        given[f"{name}.price"] = getattr(levels, name).price * flat
    if shape.least_share:
        given["least_share_price"] = levels.least_share_price * np.ones(1)
    return given


def is_money(name: str) -> bool:
    """Whether a parameter is in currency."""
    return name.endswith(("_reward", "price"))
