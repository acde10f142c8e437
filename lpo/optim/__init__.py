"""Shared numerical machinery: the training loop."""

from lpo.optim.training import Diverged as Diverged
from lpo.optim.training import Segment as Segment
from lpo.optim.training import Training as Training
from lpo.optim.training import adam as adam
from lpo.optim.training import fit as fit
from lpo.optim.training import run as run
from lpo.optim.training import seed_keys as seed_keys
