"""Revenue and load against what a GPU is, with derivatives of the optimal revenue."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lpo.errors import InputError
from lpo.runs import Findings, ResultTable
from lpo.runs.experiments import find_conf
from lpo.runs.numbers_given import numbers_given
from lpo.runs.pictures import bar_picture
from lpo.serve.command.config import ServeConfig
from lpo.serve.command.hardware_pictures import (
    UNITS,
    chunk_picture,
    load_picture,
    map_picture,
    revenue_picture,
)
from lpo.serve.command.problem import Problem
from lpo.serve.instance import Hardware, Instance, make_hardware
from lpo.serve.iteration_time import hardware_of
from lpo.serve.plans.knapsack import load
from lpo.serve.plans.sensitivities import Sensitivities, revenue_sensitivities
from lpo.serve.readers import read_published_fit


def find(cfg: ServeConfig, problem: Problem) -> Findings:
    """Vary each of `analysis.values` alone, and batch and beta together where both are given."""
    given = numbers_given(cfg, tuple(UNITS))
    points = [_Point("given", problem.instance.hardware)]
    points += _sweeps(problem.instance.hardware, given) + _grid(problem.instance.hardware, given)
    table, found = _solved(problem, points)
    elasticities = _elasticities(problem.instance, found)
    sweeps = table.loc[table["varied"].isin(list(given))].reset_index(drop=True)
    grid = table.loc[table["varied"] == "map"].drop(columns=["varied", "slope", "elasticity"])
    chunks = _chunks(problem.instance, given["chunk"]) if "chunk" in given else None

    tables = {
        "elasticities": ResultTable(
            "Elasticities",
            "At the instance as given: the derivative of R* in each number, and by how many per "
            "cent R* changes with one per cent more of it.",
            elasticities,
        ),
        "sweeps": ResultTable(
            "One number at a time",
            "R* per GPU and second, load, and the elasticity of R* in the number that is varied. "
            "Without a value where C is below b0 = (tau_solo - alpha) / beta, where alpha + beta C "
            "is no measured time.",
            sweeps.drop(columns=["slope"]),
        ),
    }
    pictures = {
        "revenue": revenue_picture(sweeps),
        "load": load_picture(sweeps),
        "elasticities": bar_picture(
            "Elasticities",
            "Change of R* in per cent for one per cent more of each number, from the gradient of "
            "the linear program at the instance as given.",
            elasticities,
            "number",
            ["elasticity"],
            "elasticity of R*",
        ),
    }
    if len(grid):
        tables["map"] = ResultTable("B and beta", "R* and load over both.", grid)
        pictures["map"] = map_picture(grid)
    if chunks is not None:
        tables["chunks"] = ResultTable(
            "Chunks",
            "Load with the times of published hardware: on the fitted line, for C >= b0, and by "
            "the table of times itself, where a chunk stands beside batch - 1 streams.",
            chunks,
        )
        pictures["chunks"] = chunk_picture(chunks)
    own = dict(zip(elasticities["number"], elasticities["elasticity"], strict=True))
    return Findings(
        result=f"R* {found.value[0]:.4g}{_steepest(own)}",
        metrics={
            "lp_reward_per_gpu": problem.optimum.value,
            "load": load(problem.instance),
            "b0_tokens": _b0(problem.instance.hardware),
            **{f"elasticity_{name}": _number(own[name]) for name in UNITS},
        },
        tables=tables,
        pictures=pictures,
        shown=[("elasticities", elasticities)],
        notes=_notes(problem.instance.hardware, sweeps, chunks),
    )


class _Point(NamedTuple):
    """A GPU, and which number it differs in from the one that is given."""

    varied: str
    hardware: Hardware


def _sweeps(base: Hardware, given: dict[str, np.ndarray]) -> list[_Point]:
    return [
        _Point(name, _hardware(base, **{name: number}))
        for name, numbers in given.items()
        for number in numbers
    ]


def _grid(base: Hardware, given: dict[str, np.ndarray]) -> list[_Point]:
    if not {"batch", "beta"} <= set(given):
        return []
    return [
        _Point("map", _hardware(base, batch=batch, beta=beta))
        for batch in given["batch"]
        for beta in given["beta"]
    ]


def _hardware(base: Hardware, **changes: float) -> Hardware:
    try:
        numbers: dict[str, Any] = base._asdict() | changes
        return make_hardware(**numbers)
    except InputError as error:
        raise InputError(f"analysis.values.{next(iter(changes))}: {error}") from error


def _b0(hardware: Hardware) -> float | None:
    """Tokens from which on the line is a measured time; None where time does not grow."""
    if hardware.beta <= 0.0:
        return None
    return float((hardware.tau_solo - hardware.alpha) / hardware.beta)


def _on_line(hardware: Hardware) -> bool:
    """Whether C >= b0, up to rounding."""
    tau = hardware.alpha + hardware.beta * hardware.chunk
    return tau >= hardware.tau_solo * (1.0 - 1e-9)


def _solved(problem: Problem, points: list[_Point]) -> tuple[pd.DataFrame, Sensitivities]:
    """One row a point; the first one counts even if its chunk is below b0."""
    shown = np.array([k == 0 or _on_line(point.hardware) for k, point in enumerate(points)])
    found = revenue_sensitivities(
        [
            problem.instance._replace(hardware=point.hardware)
            for point, on in zip(points, shown, strict=True)
            if on
        ],
        problem.levels,
        pricing=problem.pricing,
    )
    rows, place = [], np.cumsum(shown) - 1
    for point, on, k in zip(points, shown, place, strict=True):
        row: dict[str, object] = {"varied": point.varied, **point.hardware._asdict()}
        row["status"] = "below_b0"
        if on:
            known = bool(np.isfinite(found.value[k]))
            row |= {
                "status": "optimal" if known else "infeasible",
                "revenue": found.value[k],
                "load": load(problem.instance._replace(hardware=point.hardware)),
            }
            if point.varied in UNITS:
                row["slope"] = getattr(found.slopes.hardware, point.varied)[k]
                row["elasticity"] = getattr(found.elasticities.hardware, point.varied)[k]
        rows.append(row)
    head = ["varied", *Hardware._fields, "status", "revenue", "load", "slope", "elasticity"]
    return pd.DataFrame(rows, columns=pd.Index(head)), found


def _elasticities(instance: Instance, found: Sensitivities) -> pd.DataFrame:
    """At the first point, which is the instance as given."""
    rows = []
    for name in Hardware._fields:
        values = (getattr(each.hardware, name) for each in (found.slopes, found.elasticities))
        rows.append((name, getattr(instance.hardware, name), *(each[0] for each in values)))
    for name in ("price_prompt", "price_decode", "arrival", "prompt", "decode"):
        numbers = np.atleast_1d(getattr(instance, name))
        slopes, shares = (
            np.atleast_1d(getattr(each, name)[0]) for each in (found.slopes, found.elasticities)
        )
        several = np.ndim(getattr(instance, name)) > 0
        for i, row in enumerate(zip(numbers, slopes, shares, strict=True)):
            rows.append((f"{name}_{i}" if several else name, *row))
    table = pd.DataFrame(rows, columns=pd.Index(["number", "given", "slope", "elasticity"]))
    nothing = table["elasticity"].abs() < 1e-9  # rounding
    table.loc[nothing, ["slope", "elasticity"]] = 0.0
    return table.astype({"given": "float64"})


def _steepest(elasticities: dict[str, float]) -> str:
    """The number of a GPU in which R* is most elastic, in words; nothing without revenue."""
    known = {name: elasticities[name] for name in UNITS if np.isfinite(elasticities[name])}
    if not known:
        return ""
    name = max(known, key=lambda each: abs(known[each]))
    return f", of a GPU's numbers most elastic in {name} ({known[name]:+.3g})"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _chunks(instance: Instance, chunks: np.ndarray) -> pd.DataFrame:
    """Load by chunk on published hardware with a table, B and the requests as given."""
    rows = []
    for path in sorted((find_conf() / "hardware").glob("*.yaml")):
        published = read_published_fit(path)
        if published.table is None:
            continue
        for chunk in chunks:
            batch = instance.hardware.batch
            line = _hardware(published.hardware, chunk=chunk)._replace(batch=batch)
            table = hardware_of(published.table, batch=batch, chunk=int(chunk))
            on = _on_line(line)
            rows.append(
                {
                    "hardware": published.name,
                    "chunk": chunk,
                    "load_on_line": load(instance._replace(hardware=line)) if on else np.nan,
                    "load_by_table": load(instance._replace(hardware=table)),
                }
            )
    return pd.DataFrame(rows)


def _notes(hardware: Hardware, sweeps: pd.DataFrame, chunks: pd.DataFrame | None) -> list[str]:
    notes = []
    left = sweeps.loc[sweeps["status"] == "below_b0"]
    if len(left):
        names = ", ".join(dict.fromkeys(left["varied"]))
        notes.append(f"{len(left)} points have no value, because C is below b0 there ({names}).")
    if chunks is None:
        return notes
    # kappa = B gamma beta - (B - 1 - B gamma alpha) / C
    shorter = hardware.alpha < hardware.tau_solo * (hardware.batch - 1) / hardware.batch
    kind, sign = ("short", "<") if shorter else ("long", ">=")
    notes.append(
        f"As long as prefill slots are left, the line alone prefers {kind} chunks (alpha {sign} "
        "tau_solo (B - 1) / B). It does not know the overhead of an iteration below b0 = "
        f"{_b0(hardware) or 0.0:.3g} tokens, so that C is held to C >= b0; tables of measured "
        "times, which know it, are shown beside."
    )
    if len(chunks):
        by_table = chunks.loc[chunks.groupby("hardware")["load_by_table"].idxmin()]
        pairs = zip(by_table["hardware"], by_table["chunk"], strict=True)
        said = ", ".join(f"{name} {chunk:g}" for name, chunk in pairs)
        notes.append(f"Chunk with the least load by the tables: {said}.")
    return notes
