"""Decisions that survive shift: empirical risk, decision-focused learning and 3D-Learning."""

from lpo.robust.adversary import EPSILON as EPSILON
from lpo.robust.adversary import Adversary as Adversary
from lpo.robust.adversary import AdversarySettings as AdversarySettings
from lpo.robust.adversary import Nominal as Nominal
from lpo.robust.adversary import make_adversary as make_adversary
from lpo.robust.constraint import dual_step as dual_step
from lpo.robust.constraint import growth_of as growth_of
from lpo.robust.constraint import step_back as step_back
from lpo.robust.dro_diffusion import DATA_AXES as DATA_AXES
from lpo.robust.dro_diffusion import RobustData as RobustData
from lpo.robust.dro_diffusion import RobustState as RobustState
from lpo.robust.dro_diffusion import dro_diffusion as dro_diffusion
from lpo.robust.empirical import PredictorState as PredictorState
from lpo.robust.empirical import Windows as Windows
from lpo.robust.empirical import empirical_risk as empirical_risk
from lpo.robust.importance import clipped_surrogate as clipped_surrogate
from lpo.robust.importance import log_ratio as log_ratio
from lpo.robust.objective import WindowLoss as WindowLoss
from lpo.robust.objective import decision_loss as decision_loss
from lpo.robust.objective import loss_scale as loss_scale
from lpo.robust.objective import prediction_loss as prediction_loss
