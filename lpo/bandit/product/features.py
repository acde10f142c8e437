"""Contexts as features in which rewards are nearly linear. docs/bandit_product.md, "Features"."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from lpo.bandit.product.contexts import CODE, LOAD, OUTPUT, PRICE, PROMPT
from lpo.bandit.product.costs import Economics, hurry_of, value_of

FEATURES = (
    "conversation",
    "code",
    "buy_read",
    "buy_write",
    "wait_read",
    "wait_write",
    "wait_load",
    "wait_write_load",
)
"""Which task it is; price x tokens over the value of an answer; price of waiting x prompt, output,
load, and output x load. All arms see the same."""

_WIDE = 0.95  # quantile of a feature in the log that becomes 1
_LONG = 0.99  # quantile of norms in the log that becomes 1


def raw_features(economics: Economics, values: Any) -> Any:
    """Return features [..., 8] of contexts [..., 6], not scaled; NumPy or JAX."""
    xp = np if isinstance(values, np.ndarray) else jnp
    code, prompt, output = (values[..., column] for column in (CODE, PROMPT, OUTPUT))
    dollars = values[..., PRICE] / value_of(economics, values)
    hurry = hurry_of(economics, values)
    columns = (
        1.0 - code,
        code,
        dollars * prompt,
        dollars * output,
        hurry * prompt,
        hurry * output,
        hurry * values[..., LOAD],
        hurry * values[..., LOAD] * output,
    )
    return xp.stack(columns, axis=-1)


def scales_of(economics: Economics, values: np.ndarray) -> np.ndarray:
    """Return what raw features are divided by, [8], so that those of the log's contexts [n, 6] have
    a norm of at most 1, but for one in a hundred."""
    raw = raw_features(economics, values)
    wide = np.quantile(raw, _WIDE, axis=0)
    wide = np.where(wide > 0.0, wide, np.maximum(raw.max(0), 1e-12))
    length = np.quantile(np.linalg.norm(raw / wide, axis=-1), _LONG)
    return wide * length


def features_of(economics: Economics, scales: np.ndarray, values: Any) -> Any:
    """Return the features [..., 8] of contexts [..., 6]."""
    return raw_features(economics, values) / scales
