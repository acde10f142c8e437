"""Training of a small network on pictures of digits: x are its weights. docs/l2o.md, "Families"."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from lpo.errors import InputError
from lpo.l2o.family import Family, Labels, Least, Score
from lpo.l2o.labels import in_batches

CLASSES = 10


class Images(NamedTuple):
    """pixels: from 0 (empty) to 1, float32 [N, p]. digits: 0 to 9, int32 [N]."""

    pixels: np.ndarray
    digits: np.ndarray


class Subset(NamedTuple):
    """rows: of the pictures that a problem is about, each once, int32 [n]."""

    rows: jax.Array


def digits(
    images: Images,
    held_out: Images | None = None,
    *,
    hidden: int = 20,
    rows: int = 128,
    penalty: float = 0.0,
    iterations: int = 1000,
    seed: int = 0,
    name: str = "digits",
) -> Family:
    """Cross-entropy of a network of one layer of sigmoid units, on a random subset of pictures.

    x: W1 [p, hidden], b1, W2 [hidden, 10] and b2 one after another, flat. Methods start from
    normal weights of variance 1 over the number of a unit's inputs, and zero biases. What is told
    of a problem is its mean picture and the shares of its digits.

    Labels are near-optima: the weights after Adam from one start, that of `seed`, the same for all
    problems, so that hidden units, which may be permuted without a change, keep their order. A
    subset that can be separated has no least objective without a penalty: it falls towards 0.

    **Arguments:**

    - `images`: those of training, of which `rows` are a problem's. `held_out`: those on which the
      accuracy of weights is their score.
    - `penalty`: times |x|^2 / 2, added to the mean cross-entropy.
    - `iterations`: of Adam for a label.

    **Raises:** InputError on sizes below 1, fewer pictures than `rows`, and a negative penalty.
    """
    count, p = images.pixels.shape
    if min(hidden, rows, iterations) < 1:
        raise InputError(
            "`hidden`, `rows` and `iterations` must be at least 1, got "
            f"{hidden}, {rows}, {iterations}."
        )
    if rows > count:
        raise InputError(f"`rows` must be at most the {count} pictures there are, got {rows}.")
    if not penalty >= 0.0:
        raise InputError(f"`penalty` must not be negative, got {penalty}.")
    pixels, labels = np.asarray(images.pixels, np.float32), np.asarray(images.digits, np.int32)

    def objective(x: jax.Array, problem: Subset) -> jax.Array:
        out = logits(x, jnp.asarray(pixels)[problem.rows], hidden)
        truth = jnp.asarray(labels)[problem.rows]
        fit = optax.softmax_cross_entropy_with_integer_labels(out, truth).mean()
        return fit + 0.5 * penalty * x @ x

    def prior(key: jax.Array) -> jax.Array:
        of_first, of_second = jax.random.split(key)
        first = jax.random.normal(of_first, (p * hidden,)) / np.sqrt(p)
        second = jax.random.normal(of_second, (hidden * CLASSES,)) / np.sqrt(hidden)
        return jnp.concatenate([first, jnp.zeros(hidden), second, jnp.zeros(CLASSES)])

    def features(problem: Subset) -> jax.Array:
        shares = jax.nn.one_hot(jnp.asarray(labels)[problem.rows], CLASSES).mean(0)
        return jnp.concatenate([jnp.asarray(pixels)[problem.rows].mean(0), shares])

    rule = optax.adam(optax.cosine_decay_schedule(_RATE, iterations))

    def one(problem: Subset) -> Labels:
        def step(
            _: int, state: tuple[jax.Array, optax.OptState]
        ) -> tuple[jax.Array, optax.OptState]:
            x, inner = state
            move, inner = rule.update(jax.grad(objective)(x, problem), inner)
            return x + jnp.asarray(move), inner

        x = prior(jax.random.key(seed))
        x, _ = jax.lax.fori_loop(0, iterations, step, (x, rule.init(x)))
        return Labels(x, objective(x, problem))

    return Family(
        name,
        weights_of(p, hidden),
        lambda key: Subset(jax.random.choice(key, count, (rows,), replace=False)),
        objective,
        prior,
        partial(in_batches, jax.jit(jax.vmap(one)), batch=32),
        features,
        least=Least.ZERO if penalty == 0.0 else Least.BEST_KNOWN,
        score=None
        if held_out is None
        else Score("accuracy", partial(accuracy, images=held_out, hidden=hidden)),
    )


_RATE = 0.03  # of Adam for labels, at first


def weights_of(pixels: int, hidden: int) -> int:
    """Return how many weights the network has."""
    return (pixels + 1) * hidden + (hidden + 1) * CLASSES


def logits(x: jax.Array, pixels: jax.Array, hidden: int) -> jax.Array:
    """Return what the network of weights x says of pictures [n, p], [n, 10]."""
    p = pixels.shape[-1]
    W1, b1, W2, b2 = jnp.split(x, np.cumsum([p * hidden, hidden, hidden * CLASSES]).tolist())
    units = jax.nn.sigmoid(pixels @ W1.reshape(p, hidden) + b1)
    return units @ W2.reshape(hidden, CLASSES) + b2


def accuracy(x: jax.Array, images: Images, hidden: int = 20) -> jax.Array:
    """Return the share of pictures whose digit the network of weights x tells, []."""
    told = logits(x, jnp.asarray(images.pixels), hidden).argmax(-1)
    return (told == jnp.asarray(images.digits)).mean()
