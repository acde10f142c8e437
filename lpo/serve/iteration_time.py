"""How long an iteration of a GPU takes, with a prefill chunk and without. docs/serve.md."""

from types import ModuleType
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from lpo.serve.instance import Hardware, make_hardware


class IterationTime(Protocol):
    """Seconds of an iteration. Numbers or arrays, NumPy or JAX; shapes broadcast.

    batch: streams that are decoded, one token each. chunk: prompt tokens that are read beside them.
    kv_tokens: tokens in the cache of the GPU.
    """

    def solo(self, batch: Any, kv_tokens: Any = 0.0) -> Any:
        """Return the seconds of an iteration that only decodes."""
        ...

    def mixed(self, chunk: Any, batch: Any, kv_tokens: Any = 0.0) -> Any:
        """Return the seconds of an iteration that also reads a chunk."""
        ...


class TwoRegime(NamedTuple):
    """max(tau_solo, alpha + beta chunk): the model of arXiv 2602.02987, which the plans assume.

    alpha, tau_solo: s. beta: s per token. Streams count neither alone nor beside a chunk.
    """

    alpha: Any
    beta: Any
    tau_solo: Any

    @property
    def b0(self) -> Any:
        """Tokens at which time begins to grow with them."""
        return (self.tau_solo - self.alpha) / self.beta

    def solo(self, batch: Any, kv_tokens: Any = 0.0) -> Any:
        """Return tau_solo."""
        return self.tau_solo + 0.0 * (batch + kv_tokens)

    def mixed(self, chunk: Any, batch: Any, kv_tokens: Any = 0.0) -> Any:
        """Return alpha + beta chunk, tau_solo at the least."""
        line = self.alpha + self.beta * chunk + 0.0 * (batch + kv_tokens)
        return _namespace(line, self.tau_solo).maximum(line, self.tau_solo)


class TwoRegimeKV(NamedTuple):
    """`TwoRegime` and k_kv seconds for every token in the cache, which attention reads."""

    alpha: Any
    beta: Any
    tau_solo: Any
    k_kv: Any

    @property
    def b0(self) -> Any:
        """As of `TwoRegime`."""
        return (self.tau_solo - self.alpha) / self.beta

    def solo(self, batch: Any, kv_tokens: Any = 0.0) -> Any:
        """Return tau_solo + k_kv kv_tokens."""
        return self._without.solo(batch) + self.k_kv * kv_tokens

    def mixed(self, chunk: Any, batch: Any, kv_tokens: Any = 0.0) -> Any:
        """Return max(tau_solo, alpha + beta chunk) + k_kv kv_tokens."""
        return self._without.mixed(chunk, batch) + self.k_kv * kv_tokens

    @property
    def _without(self) -> TwoRegime:
        return TwoRegime(self.alpha, self.beta, self.tau_solo)


class Tabular(NamedTuple):
    """Straight lines between measurements: time_s [K] at tokens [K] in the batch.

    At least two, ascending. A stream is one token, a chunk its length. Below the table its first
    time holds, above it the last slope goes on (a negative one does not). kv_tokens do not count.
    """

    tokens: Any
    time_s: Any

    def solo(self, batch: Any, kv_tokens: Any = 0.0) -> Any:
        """Return the time of `batch` tokens."""
        return self._at(batch + 0.0 * kv_tokens)

    def mixed(self, chunk: Any, batch: Any, kv_tokens: Any = 0.0) -> Any:
        """Return the time of `chunk` + `batch` tokens."""
        return self._at(chunk + batch + 0.0 * kv_tokens)

    def _at(self, tokens: Any) -> Any:
        xp = _namespace(tokens, self.tokens, self.time_s)
        times, at = xp.asarray(self.time_s), xp.asarray(self.tokens)
        slope = xp.maximum((times[-1] - times[-2]) / (at[-1] - at[-2]), 0.0)
        return xp.interp(tokens, at, times) + slope * xp.maximum(tokens - at[-1], 0.0)


def hardware_of(
    model: IterationTime, *, batch: int, chunk: int, kv_tokens: float = 0.0
) -> Hardware:
    """Return the hardware that a plan takes: the model's times at one batch, chunk and cache.

    tau is the time of a chunk beside batch - 1 streams, beta its slope in the chunk, tau_solo the
    time of `batch` streams; kv_tokens: of the cache in both, such as batch (P + D / 2).
    Raises InputError as `make_hardware`.
    """
    tau, longer = (float(model.mixed(c, batch - 1, kv_tokens)) for c in (chunk, chunk + 1))
    beta = max(longer - tau, 0.0)
    return make_hardware(
        batch=batch,
        chunk=chunk,
        alpha=tau - beta * chunk,
        beta=beta,
        tau_solo=float(model.solo(batch, kv_tokens)),
    )


def _namespace(*values: Any) -> ModuleType:
    return jnp if any(isinstance(each, jax.Array) for each in values) else np
