"""What trains and samples well on each family, by few trials. docs/l2o.md, "What came out"."""

from typing import NamedTuple

WORK = (8, 16, 32, 64, 128, 256)


class Recipe(NamedTuple):
    """denoiser: its name. width, layers: of it. scale, octaves: of guidance. least, most, rho:
    noise levels. steps, batch, rate: of training. gap_scale: under the gap of its objective, times
    the dimension of landscapes. levels: of samples, one number or more. polish: the method that
    goes on from a sample, its rate, None where it has none. polish_steps: of it. problems: for
    training; tests, validation: others. work: gradients at which methods are compared. success:
    what counts as found where the least is 0. starts: of baselines, zero, prior, and draws, the
    best of as many draws of the prior as there are samples."""

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
    polish_steps: int = 100
    problems: int = 20000
    tests: int = 512
    validation: int = 128
    work: tuple[int, ...] = WORK
    success: float = 1e-2
    starts: tuple[str, ...] = ("zero", "prior", "draws")


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
_PROVISIONING = Recipe(
    denoiser="mlp",
    width=256,
    layers=3,
    scale=0.1,
    octaves=0,
    least=0.02,
    most=2.0,
    rho=5.0,
    steps=3000,
    batch=256,
    rate=2e-3,
    gap_scale=0.1,
    levels=(1, 4, 12),
    polish="pdhg",
    polish_rate=None,
    polish_steps=512,
    problems=3000,
    tests=256,
    validation=16,
    work=(*WORK, 512),
    success=1e-3,
    starts=("prior",),  # which is the cold start, the same point in every draw
)
RECIPES = {
    "lasso": _LASSO,
    "rastrigin": _RASTRIGIN,
    "ackley": _RASTRIGIN._replace(scale=3.0, steps=3000, gap_scale=1.0),
    "open_rastrigin": _RASTRIGIN._replace(
        denoiser="mlp",
        width=256,
        octaves=4,
        rate=2e-3,
        polish_rate=0.02,
        problems=5000,
        tests=256,
        validation=32,
    ),
    "digits": _RASTRIGIN._replace(
        width=32,
        layers=2,
        scale=1e-3,
        octaves=0,
        least=0.05,
        most=1.0,
        steps=1000,
        batch=16,
        rate=5e-3,
        gap_scale=1.0,
        levels=(1, 4, 8),
        polish_rate=0.03,
        problems=512,
        tests=64,
        validation=8,
        starts=("prior", "draws"),  # at zero all hidden units are the same, and stay so
    ),
    "provisioning": _PROVISIONING,
    "allocation": _PROVISIONING._replace(polish_steps=1024, work=(*WORK, 512, 1024)),
}
