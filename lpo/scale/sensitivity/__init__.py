"""What the answer depends on: derivatives, one number at a time, other laws. docs/scale.md."""

from lpo.scale.sensitivity.chosen import Chosen as Chosen
from lpo.scale.sensitivity.parameters import LIMITS as LIMITS
from lpo.scale.sensitivity.parameters import used_parameters as used_parameters
from lpo.scale.sensitivity.score_laws import ScoreLaws as ScoreLaws
from lpo.scale.sensitivity.score_laws import score_laws as score_laws
from lpo.scale.sensitivity.slopes import Moments as Moments
from lpo.scale.sensitivity.slopes import Sensitivities as Sensitivities
from lpo.scale.sensitivity.slopes import Slopes as Slopes
from lpo.scale.sensitivity.slopes import slopes as slopes
from lpo.scale.sensitivity.tornado import Moves as Moves
from lpo.scale.sensitivity.tornado import Tornado as Tornado
from lpo.scale.sensitivity.tornado import tornado as tornado
