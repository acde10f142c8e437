"""How many passes of which model answer a query: accuracy, cost, time. docs/scale.md.

What each method chooses is `lpo.scale.select.select`: here that name is the package.
"""

from lpo.scale.curves import Curves as Curves
from lpo.scale.curves import Estimate as Estimate
from lpo.scale.curves import Limits as Limits
from lpo.scale.curves import confidence as confidence
from lpo.scale.exact import exact_curves as exact_curves
from lpo.scale.laws import AccuracyLaw as AccuracyLaw
from lpo.scale.laws import Latency as Latency
from lpo.scale.laws import LawNumbers as LawNumbers
from lpo.scale.laws import Laws as Laws
from lpo.scale.laws import Rule as Rule
from lpo.scale.laws import make_laws as make_laws
from lpo.scale.models import Models as Models
from lpo.scale.models import ModelSet as ModelSet
from lpo.scale.models import chosen as chosen
from lpo.scale.models import make_models as make_models
from lpo.scale.monte_carlo import query_paths as query_paths
from lpo.scale.monte_carlo import resampled_means as resampled_means
from lpo.scale.monte_carlo import simulate as simulate
from lpo.scale.select import Joint as Joint
from lpo.scale.select import Options as Options
from lpo.scale.select import Points as Points
from lpo.scale.select import Selections as Selections
from lpo.scale.select import allowed_grid as allowed_grid
from lpo.scale.select import chosen_k_bootstrap as chosen_k_bootstrap
from lpo.scale.select import feasible_by_chance as feasible_by_chance
from lpo.scale.select import feasible_by_mean as feasible_by_mean
from lpo.scale.select import front_hypervolume as front_hypervolume
from lpo.scale.select import joint as joint
from lpo.scale.select import make_options as make_options
from lpo.scale.select import points_of as points_of
from lpo.scale.select import shortfall as shortfall
