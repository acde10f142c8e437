"""How many passes of which model answer a query: accuracy, cost, time. docs/scale.md."""

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
from lpo.scale.monte_carlo import simulate as simulate
