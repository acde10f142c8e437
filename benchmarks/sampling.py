"""Score models: sampled windows a second and training steps a second, warm; time to compile.

    python benchmarks/sampling.py [--windows 1024] [--dim 40] [--steps 60]

The closed kernel against diffrax Euler on the reverse SDE, with the same time grid and network;
training in a compiled scan against one jitted call a step. Warm values are the best of three.
"""

import argparse
from functools import partial
from importlib.metadata import version

import jax
from measuring import measure, report, timed

from lpo.diffusion import (
    VPSDE,
    make_coefficients,
    make_grid,
    make_score_training,
    reverse_sde_sample,
    sample,
    score_network,
)
from lpo.optim.training import adam

SDE = VPSDE()
BATCH = 256
TRAINING_STEPS = 100


def bench_sampling(windows: int, dim: int, steps: int) -> None:
    model, grid = score_network(dim, sde=SDE), make_grid(SDE, steps=steps)
    coefs = make_coefficients(SDE, grid.times)
    key = jax.random.PRNGKey(0)
    params = jax.jit(model.init)(key)

    def kernel(key, params):
        return sample(key, partial(model.apply, params), windows, dim, grid, coefs)

    def diffrax_euler(key, params):
        eps_fn = partial(model.apply, params)
        return reverse_sde_sample(key, eps_fn, windows, dim, SDE, times=grid.times)

    compile_s, warm_s = measure(kernel, key, params)
    peer_compile_s, peer_warm_s = measure(diffrax_euler, key, params)
    peer = f"diffrax {version('diffrax')} Euler, virtual Brownian tree"
    setting = f"{windows} windows of {dim} bins, {steps} steps, {jax.default_backend()}"
    rates = windows / warm_s, windows / peer_warm_s
    report("sampling/rate", "windows/s", rates, peer, setting)
    report("sampling/compile", "s", (compile_s, peer_compile_s), peer, setting)


def bench_training(dim: int) -> None:
    training = make_score_training(score_network(dim, sde=SDE), SDE, adam(1e-3, 1000), BATCH)
    key = jax.random.PRNGKey(0)
    state = jax.jit(training.init)(key)
    data = jax.random.normal(key, (4096, dim))
    keys = jax.random.split(key, TRAINING_STEPS)

    def scanned(state, keys, data):
        return jax.lax.scan(lambda s, k: training.update(k, s, data), state, keys)[0]

    one_step = jax.jit(training.update)

    def step_by_step(state, keys, data):
        for k in keys:
            state, _ = one_step(k, state, data)
        return state

    compile_s, warm_s = measure(scanned, state, keys, data)
    peer_compile_s = timed(one_step, key, state, data)
    peer_warm_s = min(timed(step_by_step, state, keys, data) for _ in range(3))
    peer = "the same update, one jitted call a step"
    setting = f"batch {BATCH}, {dim} bins, {TRAINING_STEPS} steps, {jax.default_backend()}"
    rates = TRAINING_STEPS / warm_s, TRAINING_STEPS / peer_warm_s
    report("score_training/rate", "steps/s", rates, peer, setting)
    report("score_training/compile", "s", (compile_s, peer_compile_s), peer, setting)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=1024)
    parser.add_argument("--dim", type=int, default=40)
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    bench_sampling(options.windows, options.dim, options.steps)
    bench_training(options.dim)


if __name__ == "__main__":
    main()
