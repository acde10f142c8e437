"""The aggregated Markov chain of a fleet with pools."""

from lpo.serve.aggregated.chain import simulate as simulate
