"""What every command shares: configuration shell, run folder, checkpoints, tracking, tables."""

from typing import TYPE_CHECKING

from lpo.lazy import lazily
from lpo.runs.checks import check as check
from lpo.runs.command import Infeasible as Infeasible
from lpo.runs.command import run_command as run_command
from lpo.runs.environment import environment as environment
from lpo.runs.findings import Findings as Findings
from lpo.runs.findings import write_findings as write_findings
from lpo.runs.folder import RunFolder as RunFolder
from lpo.runs.interruptible import interruptible as interruptible
from lpo.runs.job import carry_out as carry_out
from lpo.runs.job import conclude as conclude
from lpo.runs.progress import progress as progress
from lpo.runs.report import Picture as Picture
from lpo.runs.report import Report as Report
from lpo.runs.report import ResultTable as ResultTable
from lpo.runs.report import prepare_report as prepare_report
from lpo.runs.report import write_report as write_report
from lpo.runs.schema import CommandConfig as CommandConfig
from lpo.runs.schema import TrackingConfig as TrackingConfig
from lpo.runs.schema import TrackingMode as TrackingMode
from lpo.runs.sources import source_of as source_of
from lpo.runs.terminal import print_table as print_table
from lpo.runs.tracking import tracking as tracking

if TYPE_CHECKING:
    from lpo.runs.checkpoints import Checkpoints as Checkpoints

# Orbax and JAX take a second that not every command has to wait
__getattr__ = lazily(__name__, {"Checkpoints": "checkpoints"})
