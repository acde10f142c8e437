"""What a policy would have earned, from the log of another. docs/off_policy_evaluation.md."""

from lpo.bandit.ope.estimators import Estimator as Estimator
from lpo.bandit.ope.evaluation import Evaluation as Evaluation
from lpo.bandit.ope.evaluation import Row as Row
from lpo.bandit.ope.evaluation import evaluate as evaluate
from lpo.bandit.ope.intervals import Interval as Interval
from lpo.bandit.ope.intervals import Ranges as Ranges
from lpo.bandit.ope.log import Log as Log
from lpo.bandit.ope.log import make_log as make_log
from lpo.bandit.ope.reward_model import predicted_rewards as predicted_rewards
from lpo.bandit.ope.shift import Shift as Shift
from lpo.bandit.ope.shift import shift_allowance as shift_allowance
from lpo.bandit.ope.targets import always as always
from lpo.bandit.ope.targets import epsilon_greedy as epsilon_greedy
from lpo.bandit.ope.targets import greedy as greedy
from lpo.bandit.ope.targets import linear_greedy as linear_greedy
from lpo.bandit.ope.targets import softmax as softmax
from lpo.bandit.ope.targets import uniform as uniform
