"""Checkpoints: bit-exact, two a stage, and a kill during a save costs only that save."""

import os
import signal
import subprocess
import sys
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lpo.runs import Checkpoints


class State(NamedTuple):
    params: dict
    optimiser: optax.OptState
    key: jax.Array
    step: jax.Array
    nothing: None = None


def make_state(seed: int) -> State:
    key = jax.random.PRNGKey(seed)
    params = {
        "dense": {"kernel": jax.random.normal(key, (7, 5)), "bias": jnp.full(5, 1e-40)},
        "half": jnp.asarray([1.5, jnp.nan, jnp.inf], jnp.bfloat16),
        "flag": jnp.asarray(True),
        "empty": (),
    }
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3))
    return State(params, optimiser.init(params), key, jnp.int32(seed))


def bits(tree) -> list[bytes]:
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def test_restored_bit_for_bit_in_structure_and_dtype(tmp_path):
    state = make_state(3)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save("score", 250, state)
    with Checkpoints(tmp_path) as checkpoints:
        found = checkpoints.latest("score", jax.eval_shape(lambda: make_state(0)))
    assert found is not None
    step, restored = found
    assert step == 250
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    assert [leaf.dtype for leaf in jax.tree.leaves(restored)] == [
        leaf.dtype for leaf in jax.tree.leaves(state)
    ]
    assert bits(restored) == bits(state)


def test_stages_are_apart_and_the_last_two_of_each_are_kept(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.latest("score", make_state(0)) is None
        for step in (1, 2, 3):
            checkpoints.save("score", step, make_state(step))
        checkpoints.save("dfl", 1, make_state(9))
        kept = sorted(path.name for path in (tmp_path / "score").iterdir())
        assert kept == ["2", "3"]
        for stage, step, seed in (("score", 3, 3), ("dfl", 1, 9)):
            found = checkpoints.latest(stage, make_state(0))
            assert found is not None
            assert (found[0], bits(found[1])) == (step, bits(make_state(seed)))
        assert checkpoints.latest("mse", make_state(0)) is None


@pytest.mark.parametrize(
    "like",
    [
        {"a": jnp.zeros(4), "b": jnp.zeros((), jnp.int32)},
        {"a": jnp.zeros(3), "b": jnp.zeros((), jnp.float32)},
        {"a": jnp.zeros(3)},
        {"a": jnp.zeros(3), "b": jnp.zeros((), jnp.int32), "c": jnp.zeros(1)},
    ],
    ids=["shape", "dtype", "fewer", "more"],
)
def test_another_shape_dtype_or_structure_is_refused(tmp_path, like):
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save("score", 1, {"a": jnp.ones(3), "b": jnp.int32(2)})
        with pytest.raises(ValueError):  # noqa: PT011 - Orbax words three of the four
            checkpoints.latest("score", like)


KILLED = """
import sys
import jax.numpy as jnp
from lpo.runs import Checkpoints
checkpoints = Checkpoints(sys.argv[1])
for step in range(1, 1000):
    checkpoints.save("score", step, {"a": jnp.full((400, 400), step), "b": jnp.full(9, step)})
    print(step, flush=True)
"""


def test_a_kill_during_a_save_leaves_the_saves_before_it(tmp_path):
    like = {"a": jnp.zeros((400, 400), jnp.int32), "b": jnp.zeros(9, jnp.int32)}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for _ in range(3):
            claimed = int(child.stdout.readline())
        time.sleep(0.02)  # into the next save
        os.kill(child.pid, signal.SIGKILL)
        claimed = max([claimed, *map(int, child.stdout.read().split())])
    # and one that was cut off while its files were written
    part = tmp_path / "score" / f"{claimed + 1}.orbax-checkpoint-tmp"
    (part / "default").mkdir(parents=True, exist_ok=True)
    with Checkpoints(tmp_path) as checkpoints:
        found = checkpoints.latest("score", like)
        assert found is not None
        step, tree = found
        assert step >= claimed, "a save that returned is on the disk"
        assert all((leaf == step).all() for leaf in jax.tree.leaves(tree))
        checkpoints.save("score", step + 1, tree)
        assert checkpoints.latest("score", like)[0] == step + 1  # pyright: ignore
