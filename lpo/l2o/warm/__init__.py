"""Learned starts of allocation solves and of exact fleet plans. docs/l2o_warm_starts.md."""

from lpo.l2o.warm.allocation import AllocationStart as AllocationStart
from lpo.l2o.warm.allocation import allocation_start as allocation_start
from lpo.l2o.warm.fleet import FleetStart as FleetStart
from lpo.l2o.warm.fleet import fleet_start as fleet_start
from lpo.l2o.warm.kinds import Kind as Kind
from lpo.l2o.warm.kinds import Settings as Settings
