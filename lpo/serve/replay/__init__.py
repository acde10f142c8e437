"""Replay of traces of requests on a simulated fleet. docs/serve_replay.md."""

from lpo.serve.replay.arrival_rates import measured_rates as measured_rates
from lpo.serve.replay.arrival_rates import window_counts as window_counts
from lpo.serve.replay.arrival_rates import window_edges as window_edges
from lpo.serve.replay.classes import Classes as Classes
from lpo.serve.replay.classes import ClassTable as ClassTable
from lpo.serve.replay.classes import ClusterClasses as ClusterClasses
from lpo.serve.replay.classes import ThresholdClasses as ThresholdClasses
from lpo.serve.replay.classes import class_table as class_table
from lpo.serve.replay.classes import cluster_classes as cluster_classes
from lpo.serve.replay.classes import instance_of as instance_of
from lpo.serve.replay.classes import threshold_classes as threshold_classes
from lpo.serve.replay.lengths import with_exponential_lengths as with_exponential_lengths
from lpo.serve.replay.prediction import mistaken as mistaken
from lpo.serve.replay.replanning import Planning as Planning
from lpo.serve.replay.replanning import Replay as Replay
from lpo.serve.replay.replanning import replay as replay
from lpo.serve.replay.report import Series as Series
from lpo.serve.replay.report import Summary as Summary
from lpo.serve.replay.report import series as series
from lpo.serve.replay.report import summary as summary
from lpo.serve.replay.trace import Trace as Trace
from lpo.serve.replay.trace import compressed as compressed
from lpo.serve.replay.trace import cut as cut
from lpo.serve.replay.trace import pooled as pooled
from lpo.serve.replay.trace import trace_of as trace_of
