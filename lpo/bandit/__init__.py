"""How do logs help online decisions? Ellipsoidal-MINUCB. docs/bandit.md."""

from lpo.bandit.alignment import alignment as alignment
from lpo.bandit.alignment import effective_dimension as effective_dimension
from lpo.bandit.alignment import remaining_dimension as remaining_dimension
from lpo.bandit.assumptions import Assumptions as Assumptions
from lpo.bandit.assumptions import make_assumptions as make_assumptions
from lpo.bandit.certificate import Certificate as Certificate
from lpo.bandit.decide import Bounds as Bounds
from lpo.bandit.decide import Decision as Decision
from lpo.bandit.decide import bounds_of as bounds_of
from lpo.bandit.environment import Environment as Environment
from lpo.bandit.environment import Round as Round
from lpo.bandit.families import Case as Case
from lpo.bandit.families import disjoint_family as disjoint_family
from lpo.bandit.learner import learner_of as learner_of
from lpo.bandit.offline import Offline as Offline
from lpo.bandit.offline import offline_sums as offline_sums
from lpo.bandit.policy import Claim as Claim
from lpo.bandit.policy import OfflineNoise as OfflineNoise
from lpo.bandit.policy import Policy as Policy
from lpo.bandit.policy import Pooling as Pooling
from lpo.bandit.policy import Rule as Rule
from lpo.bandit.policy import Settings as Settings
from lpo.bandit.policy import Widths as Widths
from lpo.bandit.simulation import Played as Played
from lpo.bandit.simulation import simulate as simulate
