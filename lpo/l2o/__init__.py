"""Can solutions be sampled? Learned optimisation by diffusion, and warm starts. docs/l2o.md."""

from lpo.l2o.classical.method import Method as Method
from lpo.l2o.classical.method import path as path
from lpo.l2o.contest import draw as draw
from lpo.l2o.contest import follow as follow
from lpo.l2o.contest import polish as polish
from lpo.l2o.denoisers.coordinate import coordinate as coordinate
from lpo.l2o.denoisers.mlp import mlp as mlp
from lpo.l2o.denoisers.unrolled import unrolled as unrolled
from lpo.l2o.families.landscapes import ackley as ackley
from lpo.l2o.families.landscapes import rastrigin as rastrigin
from lpo.l2o.families.lasso import lasso as lasso
from lpo.l2o.family import Family as Family
from lpo.l2o.family import Labels as Labels
from lpo.l2o.family import sample_problems as sample_problems
from lpo.l2o.guidance import Guidance as Guidance
from lpo.l2o.noise import Noise as Noise
from lpo.l2o.noise import normaliser_of as normaliser_of
from lpo.l2o.sampling import Model as Model
from lpo.l2o.sampling import Sampler as Sampler
from lpo.l2o.training import Objective as Objective
from lpo.l2o.training import Trainer as Trainer
from lpo.l2o.training import make_training as make_training
from lpo.l2o.training import solved as solved
