"""What the study shows: tables by part and setting, pictures, report, the lines on missing cells."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lpo import workload
from lpo.runs import Picture, Report, ResultTable, RunFolder, print_table, write_report
from lpo.study.cells import Cell, load
from lpo.study.config import StudyConfig
from lpo.study.pictures import shown, summary_pictures
from lpo.study.plan import Group
from lpo.study.problem import judged_sets, problem_of
from lpo.study.publish import publish
from lpo.study.published import beside_published
from lpo.study.tables import RULE, Scored, score_setting, set_table, summary_table
from lpo.study.work import floors_path
from lpo.train.config import ProtocolKind
from lpo.train.problem import make_task
from lpo.train.results import LABELS
from lpo.train.scoring import predict_rules, score_name
