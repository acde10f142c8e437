"""Solutions by HiGHS with a progress bar."""

import jax
import jax.numpy as jnp

from lpo.l2o.family import Labels, Problem
from lpo.l2o.linear import LinearFamily, labels
from lpo.runs import progress

_AT_ONCE = 500  # problems between two steps of the bar


def labelled(linear: LinearFamily, problems: Problem) -> Labels:
    """Return `labels` of problems [B, ...]; raises InputError as that does."""
    count = jax.tree.leaves(problems)[0].shape[0]
    parts = []
    with progress(count, "solving for training", "problem") as advance:
        for begin in range(0, count, _AT_ONCE):
            end = min(begin + _AT_ONCE, count)
            part = jax.tree.map(lambda leaf, at=slice(begin, end): leaf[at], problems)
            parts.append(labels(linear, part))
            advance(end - begin)
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)
