"""Sensitivity analyses over two scales of an instance; `table` has pandas in it, the rest not."""

from lpo.allocate.sweep.analyses import ANALYSES as ANALYSES
from lpo.allocate.sweep.analyses import Analysis as Analysis
from lpo.allocate.sweep.analyses import Axis as Axis
from lpo.allocate.sweep.analyses import make_analysis as make_analysis
from lpo.allocate.sweep.point import Point as Point
from lpo.allocate.sweep.run import sweep as sweep
