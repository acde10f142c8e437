"""What is the demand? Traces, bins, windows, splits, protocols, shifts, a synthetic workload."""

from lpo.workload.azure import load_azure as load_azure
from lpo.workload.protocols import Problem as Problem
from lpo.workload.protocols import Protocol as Protocol
from lpo.workload.protocols import build as build
from lpo.workload.protocols import from_trace as from_trace
from lpo.workload.protocols import honest as honest
from lpo.workload.protocols import lead_time as lead_time
from lpo.workload.protocols import paper as paper
from lpo.workload.readers import Columns as Columns
from lpo.workload.readers import load_trace as load_trace
from lpo.workload.series import Series as Series
from lpo.workload.series import Source as Source
from lpo.workload.series import Workload as Workload
from lpo.workload.series import coarsen as coarsen
from lpo.workload.series import part as part
from lpo.workload.splits import Split as Split
from lpo.workload.splits import temporal_split as temporal_split
from lpo.workload.synthetic import synthetic as synthetic
from lpo.workload.windows import Layout as Layout
from lpo.workload.windows import Scaler as Scaler
from lpo.workload.windows import cut as cut
from lpo.workload.windows import fit_scaler as fit_scaler
from lpo.workload.windows import pairs as pairs
from lpo.workload.windows import standardise as standardise
from lpo.workload.windows import unstandardise as unstandardise
from lpo.workload.writers import write_series as write_series
