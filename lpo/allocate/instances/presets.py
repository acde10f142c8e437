"""The published instance as tables, and the settings its sources disagree on.

docs/allocate_instances.md says what is wrong with the numbers; `physical.py` corrects them.
A pair (low, high) is the range of a uniform draw.
"""

from itertools import starmap
from typing import NamedTuple

Range = tuple[float, float]


class QueryType(NamedTuple):
    """arrivals: whole queries/h, the upper end excluded. tflop: per 1000 tokens. data: MB/token.

    input_tokens, output_tokens: a query. unmet_usd: a dropped query, before the preset's scale.
    base_delay: ms/token of a model of factor 1 on the first tier. base_error: a fraction.
    """

    name: str
    input_tokens: float
    output_tokens: float
    arrivals: tuple[int, int]
    tflop: Range
    data: Range
    unmet_usd: Range
    base_delay: Range
    base_error: Range


class Model(NamedTuple):
    """Sizes in GB, factors that multiply delay and divide error, complexity (0 low to 2 high)."""

    name: str
    weights_gb: float
    kv_gb_per_token: float
    delay_factor: float
    quality: float
    complexity: int


class Tier(NamedTuple):
    """A GPU at a precision; usd_per_hour is drawn within a fifth of it."""

    name: str
    precision: str
    memory_gb: float
    tflops: float
    usd_per_hour: float


class Preset(NamedTuple):
    """What the published sources set differently; tuples hold one entry a query type.

    tiers_count: whether delay and error depend on the tier.
    """

    budget_usd: float
    delay_limit_ms: tuple[float, ...]
    error_limit: tuple[float, ...]
    gamma: float
    delay_usd_per_ms: tuple[Range, ...]
    unmet_scale: float
    unmet_cap: float
    storage_gb: float
    tiers_count: bool


_TEXT: Range = (0.0008, 0.0012)  # data of a token
# fmt: off
_QUERY_TYPE_ROWS = (
    ("Summarization", 512, 256, (80, 120), (.3, .7), _TEXT, (30, 50), (.4, .6), (.03, .05)),
    ("Code_Gen", 256, 512, (60, 100), (.6, 1), _TEXT, (80, 100), (.7, .9), (.02, .03)),
    ("Translation", 128, 128, (100, 140), (.2, .4), _TEXT, (20, 40), (.3, .4), (.02, .03)),
    ("Math_Solving", 64, 256, (40, 80), (1, 1.5), _TEXT, (80, 100), (1, 1.2), (.05, .07)),
    ("Image_Gen", 32, 1024, (20, 60), (2, 3), (.004, .006), (150, 200), (2, 2.5), (.06, .08)),
    ("Video_Gen", 48, 2048, (10, 30), (3.5, 4.5), (.008, .012), (150, 200), (3.5, 4), (.08, .10)),
)
# fmt: on
QUERY_TYPES = tuple(starmap(QueryType, _QUERY_TYPE_ROWS))

MODELS = (
    Model("Llama-3.2-1B", 2, 0.02, 0.3, 0.5, 0),
    Model("Llama-3.2-3B", 6, 0.05, 0.5, 1.5, 0),
    Model("Llama-3.1-8B", 16, 0.15, 1.5, 3, 1),
    Model("Llama-3.1-70B", 140, 1.4, 5, 8, 2),
    Model("Llama-3.2-31B", 810, 8.0, 3.5, 5, 2),
    Model("Llama-3.2-11B-Vision", 22, 0.25, 2.5, 2.5, 1),
)

TIERS = (
    Tier("A6000_FP16", "FP16", 48, 40.7, 0.65),
    Tier("A6000_INT8", "INT8", 48, 58.1, 0.65),
    Tier("A6000_INT4", "INT4", 80, 67, 2.50),
    Tier("RTX_4090_FP16", "FP16", 48, 77.4, 0.65),
    Tier("RTX_4090_INT8", "INT8", 24, 82.6, 0.35),
    Tier("RTX_4090_INT4", "INT4", 24, 123.9, 0.35),
    Tier("A100_40GB_FP16", "FP16", 24, 165.2, 1.20),
    Tier("A100_40GB_INT8", "INT8", 40, 468, 1.20),
    Tier("H100_80GB_FP16", "FP16", 80, 989, 2.00),
    Tier("H100_80GB_INT8", "INT8", 80, 1483.5, 2.50),
)

PRECISION_ERROR = {"FP16": 1.00, "INT8": 1.15, "INT4": 1.35}
TENSOR_PARALLEL = (1, 2, 4, 8)
PRICE_SPREAD: Range = (0.8, 1.2)
STORAGE_USD_PER_GB_HOUR: Range = (0.001, 0.005)
DEVIATION: Range = (0.10, 0.25)  # of the nominal delay and error
RESIDENCY_H = 0.1
RENTAL_HOURS = 12.0

_RHO_TEXT = ((0.005, 0.010), (0.015, 0.025), (0.005, 0.010), (0.010, 0.020))
_RHO_DET = (*_RHO_TEXT, (0.025, 0.035), (0.040, 0.060))

PRESETS = {
    "robust": Preset(  # the robust script
        budget_usd=3000,
        delay_limit_ms=(1000, 1200, 800, 1500, 4000, 5000),
        error_limit=(0.04, 0.08, 0.03, 0.10, 0.12, 0.15),
        gamma=50,
        delay_usd_per_ms=(*_RHO_TEXT, (0.020, 0.030), (0.030, 0.050)),
        unmet_scale=0.1,
        unmet_cap=0.01,
        storage_gb=1000,
        tiers_count=True,
    ),
    "det": Preset(  # the deterministic script
        budget_usd=5000,
        delay_limit_ms=(1000, 1500, 800, 2000, 4000, 5000),
        error_limit=(0.04, 0.08, 0.03, 0.10, 0.12, 0.20),
        gamma=0,
        delay_usd_per_ms=_RHO_DET,
        unmet_scale=1.0,
        unmet_cap=0.0,
        storage_gb=5000,
        tiers_count=False,
    ),
    "paper": Preset(  # the parameter module, which is the README's table
        budget_usd=5000,
        delay_limit_ms=(1000, 1500, 800, 2000, 4000, 5000),
        error_limit=(0.08, 0.10, 0.08, 0.10, 0.15, 0.25),
        gamma=10,
        delay_usd_per_ms=_RHO_DET,
        unmet_scale=1.0,
        unmet_cap=0.01,
        storage_gb=1000,
        tiers_count=True,
    ),
}


class Picked(NamedTuple):
    """The rows that an instance is made of.

    settings: [I], which entry of the preset's tuples belongs to each query type.
    """

    query_types: tuple[QueryType, ...]
    models: tuple[Model, ...]
    tiers: tuple[Tier, ...]
    settings: tuple[int, ...]


def published() -> Picked:
    """All rows of the published tables, in their order."""
    return Picked(QUERY_TYPES, MODELS, TIERS, tuple(range(len(QUERY_TYPES))))
