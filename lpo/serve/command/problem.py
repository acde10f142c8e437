"""What a configuration asks for: instance, iteration times, service levels, policies and plans."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from lpo.errors import InputError
from lpo.serve.calibrate import Fit, fit
from lpo.serve.command.checks import levels_given, policies_of
from lpo.serve.command.config import InstanceConfig, IterationKind, ServeConfig
from lpo.serve.command.traces import GivenTrace, given_trace, instance_of_trace
from lpo.serve.instance import Hardware, Instance, make_hardware, make_instance
from lpo.serve.iteration_time import (
    IterationTime,
    Tabular,
    TwoRegime,
    TwoRegimeKV,
    hardware_of,
)
from lpo.serve.plans.levels import Penalised, ServiceLevels, check_levels
from lpo.serve.plans.plan import FluidPlan, solve_plan
from lpo.serve.plans.program import Pricing
from lpo.serve.policies import Policy, Pools, Rounding, Targets, plan_for, targets_of
from lpo.serve.readers import read_measurements


class Problem(NamedTuple):
    """An instance and how it is looked at.

    trace: what is replayed; the instance is then that of its head. optimum: the plan under what is
    paid, without pools, which no policy beats in the limit. iteration_time: of the request-level
    simulator. fitted: of the user's measurements.
    """

    name: str
    instance: Instance
    levels: ServiceLevels
    pricing: Pricing
    policies: list[Policy]
    optimum: FluidPlan
    iteration_time: IterationTime
    fitted: Fit | None
    trace: GivenTrace | None


class Planned(NamedTuple):
    """A policy, its plan per GPU and what it follows on the fleet."""

    policy: Policy
    plan: FluidPlan
    targets: Targets


def load_problem(cfg: ServeConfig) -> Problem:
    """Read what the configuration names and solve the plan.

    Raises InputError on numbers and files that mean nothing, `lpo.serve.Infeasible` where the
    service levels exclude each other.
    """
    hardware, fitted = hardware_given(cfg)
    instance, trace = instance_of(cfg.instance, hardware), None
    if cfg.trace.path is not None:
        trace = given_trace(cfg)
        instance = instance_of_trace(trace, cfg, hardware)
    levels = levels_of(cfg, len(instance.arrival))
    pricing = Pricing(cfg.pricing.name)
    return Problem(
        name=cfg.instance.name if trace is None else trace.name,
        instance=instance,
        levels=levels,
        pricing=pricing,
        policies=[adjusted(cfg, priced(policy, pricing)) for policy in policies_of(cfg)],
        optimum=solve_plan(instance, levels, pricing=pricing),
        iteration_time=iteration_time_of(cfg, hardware, fitted),
        fitted=fitted,
        trace=trace,
    )


def priced(policy: Policy, pricing: Pricing) -> Policy:
    """The policy with plans for what is paid; one that is made for separate prices keeps them."""
    return policy if policy.pricing == Pricing.SEPARATE else policy._replace(pricing=pricing)


def adjusted(cfg: ServeConfig, policy: Policy) -> Policy:
    """The policy with the switches of the configuration."""
    rounding = policy.rounding if cfg.rounding is None else Rounding(cfg.rounding.name)
    return policy._replace(
        rounding=rounding, refuse_unplanned=policy.refuse_unplanned or cfg.refuse_unplanned
    )


def planned(problem: Problem, policy: Policy, gpus: int) -> Planned:
    """Return the plan that a policy follows and its targets on `gpus` GPUs."""
    same = policy.pricing == problem.pricing and policy.pools != Pools.SPLIT
    plan = problem.optimum if same else plan_for(policy, problem.instance, problem.levels)
    return Planned(policy, plan, targets_of(policy, problem.instance, plan, gpus))


def instance_of(cfg: InstanceConfig, hardware: Hardware) -> Instance:
    """Return the checked instance; raises InputError with the key of `instance`."""
    parts = ("arrival", "prompt", "decode", "patience", "price_prompt", "price_decode")
    try:
        return make_instance(**{part: getattr(cfg, part) for part in parts}, hardware=hardware)
    except InputError as error:
        raise InputError(f"instance: {error}") from error


def hardware_given(cfg: ServeConfig) -> tuple[Hardware, Fit | None]:
    """The GPU of the instance, or of the user's measurements at its batch and chunk."""
    given = asdict(cfg.instance)
    numbers = {name: given[name] for name in Hardware._fields}
    if cfg.measurements.path is None:
        try:
            return make_hardware(**numbers), None
        except InputError as error:
            raise InputError(f"instance: {error}") from error
    asked = cfg.measurements
    measured = read_measurements(Path(asked.path or ""))
    try:
        fitted = fit(
            measured,
            asked.kind.name,
            solo_to=asked.solo_to,
            mixed_from=asked.mixed_from,
            **({} if asked.mixed_to is None else {"mixed_to": asked.mixed_to}),
        )
    except InputError as error:
        raise InputError(f"measurements, {asked.path}: {error}") from error
    hardware = hardware_of(
        fitted.model,
        batch=numbers["batch"],
        chunk=numbers["chunk"],
        kv_tokens=_mean_cache(cfg) if asked.kind is IterationKind.two_regime_kv else 0.0,
    )
    return hardware, fitted


def _mean_cache(cfg: ServeConfig) -> float:
    """Tokens in the cache with all slots taken, every class as often as it arrives."""
    given = cfg.instance
    total = sum(given.arrival) or 1.0
    each = zip(given.arrival, given.prompt, given.decode, strict=False)
    return given.batch * sum(rate * (P + D / 2.0) for rate, P, D in each) / total


def iteration_time_of(cfg: ServeConfig, hardware: Hardware, fitted: Fit | None) -> IterationTime:
    """The model of the request-level simulator; raises InputError where it has no numbers."""
    kind = cfg.requests.iteration_time
    key = f"requests.iteration_time: {kind.name} given"
    if fitted is not None and kind is cfg.measurements.kind:
        return fitted.model
    if fitted is not None and kind is not IterationKind.two_regime:
        allowed = f"two_regime, or {kind.name} for measurements.kind too"
        raise InputError(f"{key}; allowed: {allowed} (the measurements were fitted otherwise)")
    if kind is IterationKind.two_regime_kv:
        if cfg.hardware.k_kv is None:
            raise InputError(f"{key}; allowed: two_regime ({cfg.hardware.name} has no k_kv)")
        return TwoRegimeKV(*_line(hardware), cfg.hardware.k_kv)
    if kind is IterationKind.tabular:
        if not cfg.hardware.tokens or not cfg.hardware.time_s:
            raise InputError(f"{key}; allowed: two_regime ({cfg.hardware.name} has no table)")
        if _line(hardware) != (cfg.hardware.alpha, cfg.hardware.beta, cfg.hardware.tau_solo):
            raise InputError(
                f"{key}; allowed: two_regime (instance.alpha, beta or tau_solo are not those of "
                f"{cfg.hardware.name}, whose table it would be)"
            )
        return Tabular(cfg.hardware.tokens, cfg.hardware.time_s)
    return TwoRegime(*_line(hardware))


def _line(hardware: Hardware) -> tuple[float, float, float]:
    return hardware.alpha, hardware.beta, hardware.tau_solo


def levels_of(cfg: ServeConfig, classes: int) -> ServiceLevels:
    """Return the checked levels; raises InputError with the key of `levels`."""
    levels = {name: _level(name, given) for name, given in levels_given(cfg).items()}
    try:
        return check_levels(ServiceLevels(**levels), classes)
    except InputError as error:
        raise InputError(f"levels: {error}") from error


def _level(name: str, given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    if sorted(given) != ["limit", "price"] or name == "least_share_price":
        allowed = "null or a number" if name == "least_share_price" else "limit and price"
        raise InputError(f"levels.{name}: {given} given; allowed: {allowed}")
    return Penalised(given["limit"], given["price"])
