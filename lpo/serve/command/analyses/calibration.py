"""Iteration times and the lines that are fitted to them: published ones and the user's own."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from lpo.runs import Findings, Picture, ResultTable
from lpo.runs.experiments import find_conf
from lpo.runs.overlays import Look, Overlay, OverlayPanel
from lpo.serve.calibrate import LARGE_ERROR, Fit
from lpo.serve.command.config import ServeConfig
from lpo.serve.command.drawing import overlay_picture
from lpo.serve.command.problem import Problem
from lpo.serve.iteration_time import Tabular, TwoRegime, TwoRegimeKV
from lpo.serve.readers import PublishedFit, read_measurements, read_published_fit

OWN = "measurements"


def find(cfg: ServeConfig, problem: Problem) -> Findings:
    """Draw every file of conf/hardware, and `measurements.path` where there is one."""
    files = sorted((find_conf() / "hardware").glob("*.yaml"))
    fitted = [_published(read_published_fit(path)) for path in files]
    if problem.fitted is not None:
        fitted.append(_own(problem.fitted, read_measurements(cfg.measurements.path or "")))
    table = pd.DataFrame([_row(each) for each in fitted])
    errors = pd.concat([_points(each) for each in fitted], ignore_index=True)
    missed = [each for each in fitted if _worst(each) > LARGE_ERROR]
    largest = max(fitted, key=_worst)
    notes = []
    if missed:
        named = ", ".join(f"{each.name} ({_worst(each):.1%}{_where(each)})" for each in missed)
        notes.append(f"Off by more than {LARGE_ERROR:.0%}: {named}; a table describes these times.")
    metrics: dict[str, float | None] = {
        "fits": len(fitted),
        "fits_above_15_percent": len(missed),
        "largest_error": _worst(largest),
    }
    if problem.fitted is not None:
        own = table.iloc[-1]
        for name in ("alpha_ms", "beta_us", "tau_solo_ms", "b0_tokens", "r2", "max_error"):
            metrics[f"own_{name}"] = None if pd.isna(own[name]) else float(own[name])
        notes += [f"{OWN}: {note}" for note in problem.fitted.notes]
    return Findings(
        result=f"{len(missed)} of {len(fitted)} fits miss a time by more than {LARGE_ERROR:.0%}",
        metrics=metrics,
        tables={
            "fits": ResultTable(
                "Fits",
                "An iteration takes tau_solo up to b0 tokens in the batch and alpha + beta tokens "
                "from there on. r2, mean_error and max_error: of the line, as published or as "
                "fitted; empty where they were not published. error_of_points: largest error at "
                "the sizes that are drawn, between the two regimes too, and at how many tokens.",
                table,
            ),
            "points": ResultTable(
                "Points", "Measured times and what the fit says; error: fit / time - 1.", errors
            ),
        },
        pictures={"times": _times(fitted), "errors": _errors(fitted)},
        shown=[("iteration times", table.drop(columns=["gpu", "model", "tensor_parallel"]))],
        notes=notes,
    )


class _Fitted(NamedTuple):
    """tokens, time_s [K] are empty where no times were published; errors None where they were
    not. model: without the cache, whose share is taken off the times."""

    name: str
    gpu: str
    served: str
    tensor_parallel: int | None
    model: TwoRegime | Tabular
    tokens: np.ndarray
    time_s: np.ndarray
    r2: float
    mean_error: float | None
    max_error: float | None
    b0: float | None

    @property
    def error(self) -> np.ndarray:
        """Relative error of the model at the points [K]."""
        return np.asarray(self.model.mixed(self.tokens, 0)) / self.time_s - 1.0


def _published(fit: PublishedFit) -> _Fitted:
    hardware, table = fit.hardware, fit.table
    return _Fitted(
        name=fit.name,
        gpu=fit.gpu,
        served=fit.model,
        tensor_parallel=fit.tensor_parallel,
        model=TwoRegime(hardware.alpha, hardware.beta, hardware.tau_solo),
        tokens=np.empty(0) if table is None else np.asarray(table.tokens),
        time_s=np.empty(0) if table is None else np.asarray(table.time_s),
        r2=fit.r2,
        mean_error=fit.mean_error,
        max_error=fit.max_error,
        b0=fit.b0,
    )


def _own(fit: Fit, measured: pd.DataFrame) -> _Fitted:
    model, time_s = fit.model, measured["time_s"].to_numpy(np.float64)
    if isinstance(model, TwoRegimeKV):
        time_s = time_s - model.k_kv * measured["kv_tokens"].to_numpy(np.float64)
        model = TwoRegime(model.alpha, model.beta, model.tau_solo)
    return _Fitted(
        name=OWN,
        gpu=OWN,
        served=OWN,
        tensor_parallel=None,
        model=model,
        tokens=measured["tokens"].to_numpy(np.float64),
        time_s=time_s,
        r2=fit.r2,
        mean_error=fit.mean_error,
        max_error=fit.max_error,
        b0=fit.b0,
    )


def _worst(fitted: _Fitted) -> float:
    """The largest error that is known, of the line or at a point."""
    return max(fitted.max_error or 0.0, *np.abs(fitted.error).tolist(), 0.0)


def _where(fitted: _Fitted) -> str:
    """At how many tokens the largest error is, if it is one of those that are drawn."""
    error = np.abs(fitted.error)
    if not len(error) or error.max() < _worst(fitted):
        return ""
    return f" at {fitted.tokens[error.argmax()]:g} tokens"


def _row(fitted: _Fitted) -> dict[str, object]:
    line = fitted.model if isinstance(fitted.model, TwoRegime) else None
    error = np.abs(fitted.error)
    return {
        "fit": fitted.name,
        "gpu": fitted.gpu,
        "model": fitted.served,
        "tensor_parallel": fitted.tensor_parallel,
        "alpha_ms": None if line is None else 1e3 * line.alpha,
        "beta_us": None if line is None else 1e6 * line.beta,
        "tau_solo_ms": None if line is None else 1e3 * line.tau_solo,
        "b0_tokens": fitted.b0,
        "r2": fitted.r2,
        "mean_error": fitted.mean_error,
        "max_error": fitted.max_error,
        "points": len(error),
        "error_of_points": float(error.max()) if len(error) else None,
        "at_tokens": float(fitted.tokens[error.argmax()]) if len(error) else None,
    }


def _points(fitted: _Fitted) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "fit": fitted.name,
            "tokens": fitted.tokens,
            "time_ms": 1e3 * fitted.time_s,
            "fit_ms": 1e3 * np.asarray(fitted.model.mixed(fitted.tokens, 0)),
            "error": fitted.error,
        }
    )


def _times(fitted: list[_Fitted]) -> Picture:
    sizes = [each.tokens for each in fitted if len(each.tokens)]
    every = np.concatenate(sizes) if sizes else np.array([8.0, 4096.0])
    tokens = np.geomspace(every.min(), every.max(), 200)
    panels = []
    for each in fitted:
        missing = "" if len(each.tokens) else ", no times published"
        panels.append(
            OverlayPanel(
                f"{each.name}{missing}",
                "tokens in the batch",
                "iteration, ms",
                [
                    Overlay(
                        "fit", tokens, 1e3 * np.asarray(each.model.mixed(tokens, 0)), Look.LINE
                    ),
                    Overlay("measured", each.tokens, 1e3 * each.time_s, Look.POINTS),
                ],
                log=(True, True),
            )
        )
    caption = (
        "Points: measured times of an iteration. Line: tau_solo, and alpha + beta tokens where "
        "that is more. On logarithmic scales equal distances are equal relative errors."
    )
    return overlay_picture("Iteration times and their fits", caption, panels)


def _errors(fitted: list[_Fitted]) -> Picture:
    panels = []
    for gpu in dict.fromkeys(each.gpu for each in fitted if len(each.tokens)):
        drawn = [each for each in fitted if each.gpu == gpu and len(each.tokens)]
        look = Look.POINTS if gpu == OWN else Look.BOTH  # several measurements of a size
        layers = [Overlay(each.name, each.tokens, 100.0 * each.error, look) for each in drawn]
        ends = np.array([min(e.tokens.min() for e in drawn), max(e.tokens.max() for e in drawn)])
        limit = np.full(2, 100.0 * LARGE_ERROR)
        name = f"± {LARGE_ERROR:.0%}"
        layers += [Overlay(name, ends, sign * limit, Look.DASHES) for sign in (1.0, -1.0)]
        panels.append(
            OverlayPanel(gpu, "tokens in the batch", "fit / time - 1, %", layers, log=(True, False))
        )
    caption = (
        f"Relative error of the fit at each measured size. Outside ± {LARGE_ERROR:.0%} a table "
        "(measurements.kind=tabular, requests.iteration_time=tabular) is the better model."
    )
    return overlay_picture("Errors of the fits", caption, panels)
