"""One pass: its tokens, what it costs, how long it takes, and the longest of several."""

from lpo.scale.passes.longest import longest as longest
from lpo.scale.passes.longest import longest_spread as longest_spread
from lpo.scale.passes.moments import PassMoments as PassMoments
from lpo.scale.passes.moments import pass_moments as pass_moments
from lpo.scale.passes.pairs import Pairs as Pairs
from lpo.scale.passes.pairs import make_pairs as make_pairs
from lpo.scale.passes.pairs import pairs_of_histograms as pairs_of_histograms
from lpo.scale.passes.pairs import pairs_of_trace as pairs_of_trace
