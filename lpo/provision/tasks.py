"""The decision tasks that methods are trained for and judged by."""

from typing import TypeAlias

from lpo.provision.capacity import CapacityTask
from lpo.provision.fleet.task import FleetTask

Task: TypeAlias = CapacityTask | FleetTask
"""Both have decide, cost, optimum, fractile, normalised, unit and horizon of the same meaning."""
