"""What trains and samples well on each family, found on validation problems. docs/l2o.md."""

from typing import NamedTuple


class Recipe(NamedTuple):
    """denoiser: its name. width, layers: of it. scale, octaves: of guidance. least, most, rho:
    noise levels. steps, batch, rate: of training. gap_scale: under the gap of its objective, times
    the dimension of landscapes. levels: of samples, one number or more. polish: the method that
    goes on from a sample, its rate, None where it has none."""

    denoiser: str
    width: int
    layers: int
    scale: float
    octaves: int
    least: float
    most: float
    rho: float
    steps: int
    batch: int
    rate: float
    gap_scale: float
    levels: tuple[int, ...]
    polish: str
    polish_rate: float | None


_LASSO = Recipe(
    denoiser="unrolled",
    width=32,
    layers=4,
    scale=1.0,
    octaves=0,
    least=0.1,
    most=2.0,
    rho=5.0,
    steps=3000,
    batch=256,
    rate=2e-3,
    gap_scale=0.1,
    levels=(1, 2, 4, 8),
    polish="fista",
    polish_rate=None,
)
_RASTRIGIN = Recipe(
    denoiser="coordinate",
    width=128,
    layers=3,
    scale=60.0,
    octaves=5,
    least=0.05,
    most=2.0,
    rho=3.0,
    steps=6000,
    batch=128,
    rate=5e-3,
    gap_scale=10.0,
    levels=(16,),
    polish="adam",
    polish_rate=0.05,
)
RECIPES = {
    "lasso": _LASSO,
    "rastrigin": _RASTRIGIN,
    "ackley": _RASTRIGIN._replace(scale=3.0, steps=3000, gap_scale=1.0),
}
