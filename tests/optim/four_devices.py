"""Run by test_sharding.py in a process of four host devices; prints what was found as JSON."""

import json
import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from lpo import diffusion, robust
from lpo.optim import Training, batch_sharding, data_mesh, replicate, run, seed_keys
from lpo.workload import Scaler, linear_space

ONE, FOUR = (data_mesh(count) for count in (1, 4))
DIM = 6
SDE = diffusion.VPSDE()
GRID = diffusion.make_grid(SDE, steps=6, fine=2)
MODEL = diffusion.score_network(DIM, 8, 1, 8, sde=SDE)
COLLECTIVES = r"(all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter)\("


def relative(left, right):
    """Largest difference of two pytrees, relative to the largest entry of each leaf."""
    differences = jax.tree.map(
        lambda a, b: float(np.max(np.abs(np.asarray(a) - b)) / np.max(np.abs(b))), left, right
    )
    return max(jax.tree.leaves(differences))


def collectives(compiled):
    """Names of the collectives in a compiled program."""
    return sorted(set(re.findall(COLLECTIVES, compiled.as_text())))


def least_squares():
    """Two seeds of gradient descent on random batches of 8 rows: a sum over the batch a step."""
    traces = []

    def training(mesh):
        shard = batch_sharding(mesh)

        def update(key, w, rows):
            traces.append(1)
            x = shard(rows[jax.random.randint(key, (8,), 0, len(rows))])
            loss, slope = jax.value_and_grad(lambda w: jnp.mean((x[:, 0] - x[:, 1:] @ w) ** 2))(w)
            return w - 0.1 * slope, {"loss": loss}

        return Training(lambda key: jax.random.normal(key, (DIM - 1,)), update)

    keys = seed_keys(0, 2)
    rows = jax.random.normal(jax.random.PRNGKey(1), (50, DIM))

    def train(mesh, one_by_one=False):
        method = training(mesh)
        start = jax.vmap(method.init)(keys)
        options = {"steps": 20, "segment_steps": 10, "mesh": mesh, "one_by_one": one_by_one}
        segments = run(method, keys, start, rows, **options)
        return [(segment.state, segment.metrics) for segment in segments]

    found = [train(ONE), train(FOUR)]
    traced = len(traces)
    found.append(train(FOUR, one_by_one=True))
    state = found[1][-1][0]
    step, inputs = jax.jit(training(FOUR).update), replicate((keys[0], state[0], rows), FOUR)
    return {
        "difference": max(relative(other, found[0]) for other in found[1:]),
        "traces": traced,
        "devices": len(state.sharding.device_set),
        "replicated": state.is_fully_replicated,
        "collectives": collectives(step.lower(*inputs).compile()),
    }


def random_draws():
    """Draws of 8 rows: their bits, and how many rows lie on each device."""

    def draw(key, mesh):
        return batch_sharding(mesh)(jax.random.normal(key, (8, 3)))

    one, four = (jax.jit(partial(draw, mesh=mesh))(jax.random.PRNGKey(0)) for mesh in (ONE, FOUR))
    return {
        "equal": bool(np.array_equal(one, four)),
        "rows": [len(shard.data) for shard in four.addressable_shards],
    }


def sampling():
    """The reverse process of 8 windows: independent, so the devices need not talk."""
    theta = jax.jit(MODEL.init)(jax.random.PRNGKey(0))
    coefs = diffusion.make_coefficients(SDE, GRID.times)

    def draw(key, theta, mesh):
        eps = partial(MODEL.apply, theta)
        return diffusion.sample(key, eps, 8, DIM, GRID, coefs, shard=batch_sharding(mesh))

    key = jax.random.PRNGKey(3)
    one = jax.jit(partial(draw, mesh=ONE))(key, theta)
    inputs = replicate((key, theta), FOUR)
    four = jax.jit(partial(draw, mesh=FOUR)).lower(*inputs).compile()
    windows = four(*inputs)
    return {
        "difference": relative(windows, one),
        "rows": [len(shard.data) for shard in windows.addressable_shards],
        "collectives": collectives(four),
    }


def robust_epoch():
    """Leading sizes of the arrays that an epoch of 3D-Learning splits, from its program's text."""
    shard, key = batch_sharding(FOUR), jax.random.PRNGKey(0)
    settings = robust.AdversarySettings(inner_steps=2, paths=16, draws=24, audit_draws=32)
    to_tokens = linear_space(Scaler(2.0, 1.0)).to_tokens
    adversary = robust.make_adversary(
        MODEL, SDE, GRID, to_tokens, DIM, _loss, settings, shard=shard
    )
    imagination = robust.adversarial_imagination(adversary)
    inner = robust.mixed(imagination, _loss, samples=40, batch=8, shard=shard)
    training = robust.outer_epochs(inner, _loss, epochs=1, predictor_steps=2)
    coefs = jax.tree.map(jnp.float32, diffusion.make_coefficients(SDE, GRID.times))
    rows = jnp.ones((50, DIM))
    nominal = robust.Nominal(jax.jit(MODEL.init)(key), coefs, rows)
    data = robust.RobustData(robust.Windows(rows, rows), nominal)
    state = training.init(key, jnp.zeros(()), data)
    text = jax.jit(training.update).lower(key, state, data).as_text()
    split = re.findall(r'\[\{"data"\}, \{\}\]> : tensor<(\d+)x', text)
    return {"split": sorted({int(size) for size in split})}


def _loss(params, windows, key=None):
    del key
    return jnp.mean((windows - params) ** 2, axis=-1)


if __name__ == "__main__":
    checks = (least_squares, random_draws, sampling, robust_epoch)
    print(json.dumps({check.__name__: check() for check in checks}))
