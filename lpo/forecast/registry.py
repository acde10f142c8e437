"""Forecaster builders by name, for configuration and for tests that cover them all."""

from collections.abc import Callable

from lpo.forecast.linear import linear_normalised
from lpo.forecast.lstm import lstm
from lpo.forecast.mixer import mixer
from lpo.forecast.mlp import mlp
from lpo.forecast.types import Forecaster

FORECASTERS: dict[str, Callable[..., Forecaster]] = {
    "lstm": lstm,
    "mlp": mlp,
    "mixer": mixer,
    "linear_normalised": linear_normalised,
}
"""Each is called with (scaler, context, head) and its own options by keyword. All but
`linear_normalised` take `normalise`."""
