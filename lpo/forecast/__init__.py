"""What comes next: forecasters with point and quantile heads, and the no-learning rules."""

from lpo.forecast.heads import decision_forecast as decision_forecast
from lpo.forecast.heads import point_head as point_head
from lpo.forecast.heads import prediction_loss as prediction_loss
from lpo.forecast.heads import quantile_head as quantile_head
from lpo.forecast.linear import linear_normalised as linear_normalised
from lpo.forecast.lstm import lstm as lstm
from lpo.forecast.mixer import mixer as mixer
from lpo.forecast.mlp import mlp as mlp
from lpo.forecast.registry import FORECASTERS as FORECASTERS
from lpo.forecast.rules import RULES as RULES
from lpo.forecast.rules import Rule as Rule
from lpo.forecast.rules import applicable_rules as applicable_rules
from lpo.forecast.rules import fit_rules as fit_rules
from lpo.forecast.types import Forecaster as Forecaster
from lpo.forecast.types import Head as Head
from lpo.forecast.types import Normalise as Normalise
