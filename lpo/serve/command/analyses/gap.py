"""How the distance to R* closes as fleets grow: 1 - R^n / R* = a n^-b, gate by gate."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from lpo.runs import Findings, Picture, ResultTable
from lpo.runs.lines import Lines
from lpo.runs.numbers_given import numbers_or
from lpo.serve.command.config import ServeConfig
from lpo.serve.command.drawing import line_picture
from lpo.serve.command.fleets import Run, share_of_optimum, simulate_runs, sizes_of
from lpo.serve.command.problem import Problem
from lpo.serve.command.simulating import Simulated
from lpo.serve.measures import Estimate
from lpo.serve.plans.knapsack import load
from lpo.serve.plans.plan import solve_plan
from lpo.serve.policies import Gate, Policy, Pools
from lpo.serve.scaling_law import ScalingLaw, fit_scaling_law

SEEDS = (16, 16, 16, 8, 8)
DECODE_TIMES = (100, 100, 50, 20, 8)
"""Defaults, for five fleets: at the largest, few short runs of very many requests."""
LARGE = 50
"""GPUs from which on the law of the paper's gates is fitted: below, M is a few whole GPUs."""


class Claim(NamedTuple):
    """That a gate's gap closes: fitted from `at_least` GPUs on, with an exponent in between."""

    at_least: int
    low: float
    high: float


CLAIMS = {
    Gate.CREDIT: Claim(1, 0.4, 0.65),
    Gate.INDEX: Claim(LARGE, 0.15, np.inf),
    Gate.STRICT: Claim(LARGE, 0.15, np.inf),
}
"""Of gates under a plan with mixed GPUs; others lose a fixed share however large the fleet is."""


class Curve(NamedTuple):
    """A policy at a load: shares of R* and their standard errors by number of GPUs, [fleets]."""

    policy: Policy
    load: float
    gpus: np.ndarray
    share: np.ndarray
    error: np.ndarray

    @property
    def claim(self) -> Claim | None:
        return CLAIMS.get(self.policy.gate) if self.policy.pools == Pools.MIXED else None


class Fit(NamedTuple):
    """The law of a curve from `at_least` GPUs on; None where it has less than two gaps."""

    curve: Curve
    at_least: int
    law: ScalingLaw | None


def find(cfg: ServeConfig, problem: Problem) -> Findings:
    """Simulate each policy on every fleet, at each multiple of the arrivals, and fit the law."""
    values = numbers_or(cfg, seeds=SEEDS, decode_times=DECODE_TIMES, arrivals=(1.0,))
    sizes = sizes_of(cfg, problem.instance, values["seeds"], values["decode_times"])
    busier = [_with_arrivals(problem, times) for times in values["arrivals"]]
    runs = [
        Run(one, policy, size) for one in busier for policy in problem.policies for size in sizes
    ]
    found = simulate_runs(cfg, runs)
    fits: list[Fit] = []
    for start in range(0, len(runs), len(sizes)):
        whole = slice(start, start + len(sizes))
        fits.append(_fit(_curve(runs[whole], found[whole])))
    gaps = pd.DataFrame([_gap(run, each) for run, each in zip(runs, found, strict=True)])
    gaps["law"] = np.concatenate([_heights(fit) for fit in fits])
    laws = pd.DataFrame([_law_row(fit) for fit in fits])
    checks = _check_table(fits)
    passed = sum(checks["passed"].tolist())
    return Findings(
        result=f"{_words(fits[0])}; {passed} of {len(checks)} checks hold",
        metrics=_metrics(fits) | {"checks_passed": float(passed), "checks": float(len(checks))},
        tables={
            "fits": ResultTable(
                "Fits",
                "gap = factor n^-exponent, weighted least squares on logarithms, from from_n GPUs "
                "on; exponent_error: standard error, factor_error: of the factor's logarithm; "
                "misfit: chi-square per degree of freedom, about 1 where the law explains the gaps "
                "as well as their errors allow.",
                laws,
            ),
            "checks": ResultTable(
                "Checks",
                "above_r: the largest (R^n - R*) in standard errors. rise: the largest increase of "
                "the gap from a fleet to the next larger one, in standard errors of the "
                "difference. exponent: of the fit. Only for gates whose gap should close.",
                checks,
            ),
            "gaps": ResultTable(
                "Gaps",
                "share: R^n / R*, from intensities, with the flow out of the system as control "
                "variate; share_se: its standard error over seeds; plain_share: without control.",
                gaps,
            ),
        },
        pictures={"gap": _picture(cfg, gaps)},
        shown=[
            ("gap = factor n^-exponent", laws),
            ("checks", checks),
        ],
        notes=list(problem.optimum.notes),
    )


def _with_arrivals(problem: Problem, times: float) -> Problem:
    instance = problem.instance._replace(arrival=times * problem.instance.arrival)
    optimum = solve_plan(instance, problem.levels, pricing=problem.pricing)
    return problem._replace(instance=instance, optimum=optimum)


def _share(run: Run, found: Simulated) -> Estimate:
    return share_of_optimum(run.problem, found, run.size.gpus)


def _gap(run: Run, found: Simulated) -> dict[str, object]:
    best, share = run.problem.optimum.value, _share(run, found)
    return {
        "policy": run.policy.name,
        "load": load(run.problem.instance),
        "n": run.size.gpus,
        "seeds": run.size.seeds,
        "seconds": run.size.seconds,
        "share": float(share.mean),
        "share_se": float(share.error),
        "plain_share": float(found.measures.reward.mean) / best,
        "plain_share_se": float(found.measures.reward.error) / best,
        "gap": 1.0 - float(share.mean),
        "lp_reward_per_gpu": best,
    }


def _curve(runs: Sequence[Run], found: Sequence[Simulated]) -> Curve:
    shares = [_share(run, each) for run, each in zip(runs, found, strict=True)]
    return Curve(
        runs[0].policy,
        load(runs[0].problem.instance),
        gpus=np.array([float(run.size.gpus) for run in runs]),
        share=np.array([float(share.mean) for share in shares]),
        error=np.array([float(share.error) for share in shares]),
    )


def _fit(curve: Curve) -> Fit:
    """From as many GPUs on as the claim says, of all fleets where too few are so large."""
    gap = 1.0 - curve.share
    for at_least in (curve.claim.at_least if curve.claim else 1, 1):
        used = curve.gpus >= at_least
        if np.sum(gap[used] > 0.0) >= 2:
            law = fit_scaling_law(curve.gpus[used], gap[used], curve.error[used])
            return Fit(curve, at_least, law)
    return Fit(curve, 1, None)


def _heights(fit: Fit) -> np.ndarray:
    """The gap of the law on each fleet that it was fitted on, [fleets]; of claims only, the loss
    of others does not follow one."""
    if fit.law is None or fit.curve.claim is None:
        return np.full(len(fit.curve.gpus), np.nan)
    return np.where(fit.curve.gpus >= fit.at_least, fit.law.at(fit.curve.gpus), np.nan)


def _law_row(fit: Fit) -> dict[str, object]:
    row: dict[str, object] = {"policy": fit.curve.policy.name, "load": fit.curve.load}
    law = dict.fromkeys(ScalingLaw._fields) if fit.law is None else fit.law._asdict()
    used = fit.curve.gpus[fit.curve.gpus >= fit.at_least]
    return row | {"from_n": int(used.min())} | law


def _check_table(fits: Sequence[Fit]) -> pd.DataFrame:
    """One row a check of each curve that should close its gap."""
    rows: list[dict[str, object]] = []
    for fit in fits:
        if fit.curve.claim:
            name = {"policy": fit.curve.policy.name, "load": fit.curve.load}
            rows += [name | check for check in _checks(fit, fit.curve.claim)]
    columns = ["policy", "load", "check", "value", "allowed", "passed"]
    return pd.DataFrame(rows, columns=pd.Index(columns))


def _checks(fit: Fit, claim: Claim) -> list[dict[str, object]]:
    share, error = fit.curve.share, fit.curve.error
    above = float(np.max((share - 1.0) / error))
    checks = [_check("above_r", above, "<= 3", above <= 3.0)]
    if len(share) > 1:
        rise = float(np.max(-np.diff(share) / np.hypot(error[1:], error[:-1])))
        checks.append(_check("rise", rise, "<= 2", rise <= 2.0))
    if fit.law:
        b = fit.law.exponent
        allowed = f"{claim.low} to {claim.high}" if claim.high < np.inf else f"> {claim.low}"
        checks.append(_check("exponent", b, allowed, claim.low <= b <= claim.high))
    return checks


def _check(name: str, value: float, allowed: str, passed: bool) -> dict[str, object]:
    return {"check": name, "value": value, "allowed": allowed, "passed": passed}


def _words(fit: Fit) -> str:
    name = f"{fit.curve.policy.name} at load {fit.curve.load:.3g}"
    if fit.law is None:
        return f"{name}: no gap"
    return f"{name}: the gap is {fit.law.factor:.3g} n^-{fit.law.exponent:.2f}"


def _metrics(fits: Sequence[Fit]) -> dict[str, float | None]:
    """Exponents by policy and load."""
    return {
        f"exponent/{fit.curve.policy.name}/load_{fit.curve.load:.3g}": fit.law and fit.law.exponent
        for fit in fits
    }


def _picture(cfg: ServeConfig, gaps: pd.DataFrame) -> Picture:
    """A panel a load, its columns beside those of the others."""
    table, panels = gaps.copy(), []
    for i, busy in enumerate(gaps["load"].unique()):
        here = gaps["load"] == busy
        for name in ("gap", "share_se", "law"):
            table[f"{name}_{i}"] = gaps[name].where(here)
        panels.append(
            Lines(
                f"Load {busy:.3g}",
                "n",
                f"gap_{i}",
                "policy",
                error=f"share_se_{i}",
                reference=f"law_{i}",
                log=(True, True),
            )
        )
    words = {f"gap_{i}": "gap: 1 - revenue / R*" for i in range(len(panels))}
    return line_picture(
        "Gap to the plan's revenue against fleet size",
        f"{cfg.instance.name}. Bars: 95 % over seeds. Dashed: the fitted law a n^-b. The gap of a "
        "gate that is optimal in the limit falls along a straight line; that of FCFS stays.",
        table,
        panels,
        words,
    )
