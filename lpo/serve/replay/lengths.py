"""Lengths drawn from the law that the plans assume, in place of a trace's own.

docs/serve_replay.md.
"""

import numpy as np

from lpo.serve.replay.trace import Trace


def with_exponential_lengths(trace: Trace, kinds: np.ndarray, *, seed: int = 0) -> Trace:
    """Return the same arrivals with geometric lengths of the same mean by class.

    Geometric on 1, 2, ...: the exponential law in whole tokens, without a change of the mean. The
    difference to a replay of the true lengths is the error of the model of exponential lengths.
    """
    rng = np.random.default_rng(seed)
    drawn = []
    for lengths in (trace.prompt, trace.decode):
        requests = np.bincount(kinds)
        mean = np.bincount(kinds, lengths) / np.maximum(requests, 1)
        drawn.append(rng.geometric(1.0 / mean[kinds]))
    return trace._replace(prompt=drawn[0], decode=drawn[1])
