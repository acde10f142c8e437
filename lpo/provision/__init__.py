"""How much capacity: decision tasks with their cost, optimum and regret."""

from lpo.provision.capacity import CapacityTask as CapacityTask
from lpo.provision.capacity import newsvendor as newsvendor
from lpo.provision.capacity import utility as utility
from lpo.provision.conic import ProvisioningProgram as ProvisioningProgram
from lpo.provision.conic import ProvisioningSolution as ProvisioningSolution
from lpo.provision.conic import provisioning_program as provisioning_program
from lpo.provision.conic import solve as solve
from lpo.provision.intervals import Interval as Interval
from lpo.provision.intervals import block_interval as block_interval
from lpo.provision.intervals import ratio_of_sums as ratio_of_sums
from lpo.provision.intervals import seed_interval as seed_interval
from lpo.provision.objective import CODE as CODE
from lpo.provision.objective import PAPER as PAPER
from lpo.provision.objective import PRESETS as PRESETS
from lpo.provision.objective import UtilityParameters as UtilityParameters
from lpo.provision.objective import objective as objective
from lpo.provision.objective import optimal_share as optimal_share
from lpo.provision.regret import Score as Score
from lpo.provision.regret import regret as regret
from lpo.provision.regret import score as score
