"""How a cluster is run: which request is prefilled next, and where it decodes."""

from lpo.serve.policies.gates import Seen as Seen
from lpo.serve.policies.gates import admit as admit
from lpo.serve.policies.gates import earn as earn
from lpo.serve.policies.gates import spend as spend
from lpo.serve.policies.kinds import POLICIES as POLICIES
from lpo.serve.policies.kinds import SAMPLED as SAMPLED
from lpo.serve.policies.kinds import Gate as Gate
from lpo.serve.policies.kinds import Policy as Policy
from lpo.serve.policies.kinds import Pools as Pools
from lpo.serve.policies.kinds import Rounding as Rounding
from lpo.serve.policies.kinds import Router as Router
from lpo.serve.policies.kinds import policy_named as policy_named
from lpo.serve.policies.routers import MIXED as MIXED
from lpo.serve.policies.routers import SOLO as SOLO
from lpo.serve.policies.routers import WAIT_MIXED as WAIT_MIXED
from lpo.serve.policies.routers import WAIT_SOLO as WAIT_SOLO
from lpo.serve.policies.routers import Queues as Queues
from lpo.serve.policies.routers import queues_of as queues_of
from lpo.serve.policies.routers import refill_weights as refill_weights
from lpo.serve.policies.routers import route as route
from lpo.serve.policies.targets import LIGHT as LIGHT
from lpo.serve.policies.targets import Targets as Targets
from lpo.serve.policies.targets import mixed_gpus as mixed_gpus
from lpo.serve.policies.targets import plan_for as plan_for
from lpo.serve.policies.targets import targets_of as targets_of
