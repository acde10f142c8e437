"""The Markov chain of a fleet GPU by GPU."""

from lpo.serve.per_gpu.chain import advance as advance
from lpo.serve.per_gpu.chain import empty as empty
from lpo.serve.per_gpu.chain import simulate as simulate
from lpo.serve.per_gpu.step import Fleet as Fleet
