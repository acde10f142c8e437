"""Which GPU of several: at random, the least loaded, the one with the fewest tokens.

Random numbers are a hash of bits that a request carries, so that a request meets the same ones
whatever happened before (common random numbers).
"""

import jax.numpy as jnp
from jax import Array

from lpo.serve.policies import SAMPLED

PREFILL, DECODE, POOL, REFILL = (0x5851F42D, 0x14057B7E, 0x7B1DCDAF, 0x2C1B3C6D)
"""What a random number is for."""


def scrambled(bits: Array) -> Array:
    """Return 32 bits as good as random; different ones for different bits (a bijection).

    The finaliser `lowbias32` (C. Wellons, "Prospecting for hash functions", 2018).
    """
    bits = (bits ^ (bits >> 16)) * jnp.uint32(0x7FEB352D)
    bits = (bits ^ (bits >> 15)) * jnp.uint32(0x846CA68B)
    return bits ^ (bits >> 16)


def uniform(bits: Array, purpose: int) -> Array:
    """Return a number in [0, 1) from the bits of a request."""
    return scrambled(bits ^ jnp.uint32(purpose)).astype(jnp.float64) * 2.0**-32


def priorities(bits: Array, purpose: int, gpus: int) -> Array:
    """Return a random order of GPUs, uint32 [n], at least 1."""
    own = scrambled(bits ^ jnp.uint32(purpose))
    return scrambled(own + jnp.arange(gpus, dtype=jnp.uint32) * jnp.uint32(0x9E3779B9)) | 1


def at_random(may: Array, order: Array) -> Array:
    """Return one of the GPUs that may, uniformly; int32 [], any where none may."""
    return jnp.argmax(jnp.where(may, order, 0)).astype(jnp.int32)


def least(may: Array, value: Array) -> Array:
    """Return the GPU that may with the least value int32 [n], the first of several."""
    return jnp.argmin(jnp.where(may, value, 2**31 - 1)).astype(jnp.int32)


def least_of_a_few(may: Array, streams: Array, order: Array) -> Array:
    """Return the GPU with the fewest streams of `SAMPLED` random ones that may."""
    drawn = jnp.where(may, order, 0)
    rest = drawn
    for _ in range(SAMPLED - 1):
        rest = jnp.where(rest == rest.max(), 0, rest)
    sampled = (drawn > 0) & (drawn >= rest.max())
    fewest = jnp.where(sampled, streams, 2**31 - 1).min()
    return at_random(sampled & (streams == fewest), order)
