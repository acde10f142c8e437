"""The least fleet that meets limits on what requests experience. docs/serve_replay.md."""

from lpo.serve.capacity.fleets import fleet_for as fleet_for
from lpo.serve.capacity.limits import Experience as Experience
from lpo.serve.capacity.limits import Limits as Limits
from lpo.serve.capacity.limits import Measured as Measured
from lpo.serve.capacity.limits import check_limits as check_limits
from lpo.serve.capacity.limits import check_reachable as check_reachable
from lpo.serve.capacity.limits import measure as measure
from lpo.serve.capacity.limits import met as met
from lpo.serve.capacity.search import Capacity as Capacity
from lpo.serve.capacity.search import Share as Share
from lpo.serve.capacity.search import Trial as Trial
from lpo.serve.capacity.search import Tried as Tried
from lpo.serve.capacity.search import least_fleet as least_fleet
from lpo.serve.capacity.trials import make_trial as make_trial
