"""What k passes are worth: exact means and spreads of every rule. docs/scale_laws.md."""

from lpo.scale.accuracy.moments import accuracy_moments as accuracy_moments
from lpo.scale.accuracy.moments import check_beta as check_beta
from lpo.scale.accuracy.pass_at_k import pass_at_k_estimate as pass_at_k_estimate
from lpo.scale.accuracy.score import latent_of as latent_of
from lpo.scale.accuracy.score import quantile_of as quantile_of
from lpo.scale.accuracy.slopes import Slopes as Slopes
from lpo.scale.accuracy.slopes import best_of_k_slopes as best_of_k_slopes
