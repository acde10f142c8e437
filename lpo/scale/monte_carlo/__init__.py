"""Monte Carlo: single queries with more and more passes, and curves of their statistics."""

from lpo.scale.monte_carlo.paths import Paths as Paths
from lpo.scale.monte_carlo.paths import query_paths as query_paths
from lpo.scale.monte_carlo.resampling import Resampled as Resampled
from lpo.scale.monte_carlo.resampling import resampled_means as resampled_means
from lpo.scale.monte_carlo.resampling import trial_weights as trial_weights
from lpo.scale.monte_carlo.simulation import simulate as simulate
