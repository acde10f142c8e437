"""Whether any of k answers is right, over queries that are not equally hard; an estimator of it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lpo.errors import InputError
from lpo.scale.accuracy.beta import shapes

_SHIFT = 8
_STIRLING = (1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0)


def any_right_varied(mean: Any, sd: Any, k: Any) -> jax.Array:
    """Return the mean of 1 - (1 - p)^k for p of a Beta distribution, [m, K].

    mean, sd [m]: of p, by moments; k [K]: real, at least 0. That is 1 - B(a, b + k) / B(a, b).
    """
    a, b = (shape[:, None] for shape in shapes(mean, sd))
    return -jnp.expm1(_log_rising(b, k) - _log_rising(a + b, k))


def pass_at_k_estimate(n: Any, c: Any, k: Any) -> np.ndarray:
    """Return the unbiased estimate of pass@k from n answers of which c are right, broadcast.

    1 - C(n - c, k) / C(n, k) as a product that neither overflows nor cancels (Chen et al., 2021,
    "Evaluating Large Language Models Trained on Code"). Raises InputError unless
    0 <= c <= n and 1 <= k <= n, whole numbers.
    """
    n, c, k = np.broadcast_arrays(*(np.asarray(each) for each in (n, c, k)))
    for name, given, least in (("n", n, 1), ("c", c, 0), ("k", k, 1)):
        if not ((given == np.floor(given)) & (given >= least) & (given <= n)).all():
            most = "" if name == "n" else " and at most n"
            raise InputError(f"`{name}` must be whole, at least {least}{most}, got {given}.")
    wrong = n - c
    among = wrong[..., None] + 1 + np.arange(int(c.max(initial=0)))
    factors = np.where(among <= n[..., None], 1.0 - k[..., None] / among, 1.0)
    return 1.0 - np.where(wrong < k, 0.0, factors.prod(-1))


def _log_rising(x: Any, k: Any) -> Any:
    """log(Gamma(x + k) / Gamma(x)) for x > 0, k >= 0, also where x is so large that the difference
    of two logarithms of Gamma has no digits left: Stirling's series beyond `_SHIFT`."""
    steps = x[..., None] + np.arange(_SHIFT)
    near = jnp.log1p(k[..., None] / steps).sum(-1)
    z = x + _SHIFT
    more = (z + k - 0.5) * jnp.log1p(k / z) - k + k * jnp.log(z)
    return more + _correction(z + k) - _correction(z) - near


def _correction(z: Any) -> Any:
    square = 1.0 / (z * z)
    return jnp.polyval(jnp.asarray(_STIRLING[::-1]), square) / z
