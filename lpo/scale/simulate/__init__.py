"""Monte Carlo: single queries with more and more passes, and curves of their statistics."""

from lpo.scale.simulate.paths import Paths as Paths
from lpo.scale.simulate.paths import query_paths as query_paths
from lpo.scale.simulate.resampling import Resampled as Resampled
from lpo.scale.simulate.resampling import resampled_means as resampled_means
from lpo.scale.simulate.resampling import trial_weights as trial_weights
from lpo.scale.simulate.simulation import simulate as simulate
