"""The nine models of arXiv 2510.18905, as its code has them: illustrative constants."""

from contextlib import contextmanager
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from lpo.scale.models import ModelSet, make_models
from tests import quick

# where it is called, and the places of its static arguments
_PROGRAMS = {
    "lpo.scale.accuracy.moments._moments": (0, 1),
    "lpo.scale.accuracy.slopes._slopes": (),
    "lpo.scale.exact._compiled": (0, 1, 2),
    "lpo.scale.mixed.over_pieces": (1,),
    "lpo.scale.monte_carlo.runs.scores_for": (0,),
    "lpo.scale.monte_carlo.runs.simulate_chunk": (0, 1),
    "lpo.scale.select.selections._fronts": (),
    "lpo.scale.sensitivity.slopes._slopes": (0, 1, 2),
    "lpo.scale.under_load.cluster._pass_moments": (),
    "lpo.serve.requests.engine._advanced": (0, 1),
}


def _quickly(path: str, static: tuple[int, ...]) -> tuple[ModuleType, str, Any]:
    place, _, name = path.rpartition(".")
    module = import_module(place)
    return module, name, quick.program(getattr(module, name), *static)


_QUICK = [_quickly(*each) for each in _PROGRAMS.items()]

# dollars per million tokens, microseconds per token, mean and standard deviation of the score
_NINE = {
    "gpt5": (1.25, 10.00, 500, 5000, 0.94, 0.02),
    "gpt5-mini": (0.25, 2.00, 250, 2000, 0.92, 0.03),
    "gpt5-nano": (0.05, 0.40, 100, 1000, 0.91, 0.04),
    "nvidia-nemotron-ultra-253b": (0.90, 2.80, 1000, 10000, 0.93, 0.05),
    "nvidia-nemotron-h-47b": (0.40, 1.50, 400, 4000, 0.92, 0.06),
    "nvidia-nemotron-nano-9b-v2": (0.20, 1.00, 120, 1200, 0.91, 0.07),
    "qwen3-max": (0.90, 2.40, 800, 8000, 0.90, 0.04),
    "qwen3-next-80b-a3b": (0.50, 1.25, 400, 4000, 0.89, 0.05),
    "qwen3-30b-a3b": (0.35, 0.90, 250, 2000, 0.88, 0.06),
}


@contextmanager
def _compiled_quickly():
    with pytest.MonkeyPatch.context() as patch:
        for place in _QUICK:
            patch.setattr(*place)
        yield


@pytest.fixture(scope="module", autouse=True)
def compiled_quickly():
    """Here most programs of the package run once or twice; `test_shipped.py` says that they are the
    same programs."""
    with _compiled_quickly():
        yield


@pytest.fixture(scope="session")
def quickly():
    return _compiled_quickly


@pytest.fixture(scope="session")
def reference_models() -> ModelSet:
    fields = ("input_price", "output_price", "input_s", "output_s")
    lengths = {"prompt": 1024.0, "prompt_sd": 64.0, "output": 2048.0, "output_sd": 128.0}
    return make_models(
        {
            name: {field: 1e-6 * number for field, number in zip(fields, row, strict=False)}
            | {"accuracy": row[4], "accuracy_sd": row[5]}
            | lengths
            for name, row in _NINE.items()
        }
    )


@cache
def _order_statistic(n: int) -> tuple[float, float]:
    """Mean and standard deviation of the greatest of n standard normal numbers."""

    def moment(power: int) -> float:
        def over(x: float) -> float:
            return float(x**power * n * stats.norm.pdf(x) * stats.norm.cdf(x) ** (n - 1))

        return integrate.quad(over, -9.0, 9.0, epsabs=1e-12, limit=200)[0]

    return moment(1), float(np.sqrt(moment(2) - moment(1) ** 2))


@pytest.fixture(scope="session")
def order_statistic():
    return _order_statistic
