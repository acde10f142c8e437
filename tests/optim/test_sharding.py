"""Four host devices give the numbers of one, and really share the work."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from lpo.errors import InputError
from lpo.optim import batch_sharding, data_mesh, unsharded
from tests.quick import FLAGS


@pytest.fixture(scope="module")
def found():
    """What four_devices.py found, in a process that sees the CPU as four devices."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.optim.four_devices"],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"XLA_FLAGS": f"{FLAGS} --xla_force_host_platform_device_count=4"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_two_seeds_on_four_devices_are_those_on_one(found):
    assert found["least_squares"]["difference"] < 1e-5


def test_batches_are_split_and_parameters_on_every_device(found):
    assert found["least_squares"]["collectives"] == ["all-reduce"]  # the sum over the batch
    assert found["least_squares"]["devices"] == 4 and found["least_squares"]["replicated"]


def test_update_is_traced_once_on_each_mesh(found):
    assert found["least_squares"]["traces"] == 2  # on one device and on four


def test_random_draws_do_not_depend_on_the_devices(found):
    assert found["random_draws"] == {"equal": True, "rows": [2, 2, 2, 2]}


def test_samples_are_split_and_their_devices_do_not_talk(found):
    assert found["sampling"]["difference"] < 1e-5
    assert found["sampling"]["rows"] == [2, 2, 2, 2]
    assert found["sampling"]["collectives"] == []


def test_robust_epoch_splits_batches_paths_draws_and_samples(found):
    assert found["robust_epoch"]["split"] == [8, 16, 24, 32, 40]


def test_one_device_needs_no_mesh_and_changes_nothing():
    assert data_mesh(1) is None and batch_sharding(None) is unsharded
    tree = {"x": jnp.ones(3)}
    assert unsharded(tree) is tree and unsharded(tree, axis=None) is tree


@pytest.mark.parametrize("devices", [0, 1000])
def test_devices_that_are_not_there_are_refused(devices):
    with pytest.raises(InputError, match=rf"devices: {devices} given") as refused:
        data_mesh(devices)
    line = str(refused.value)
    assert "\n" not in line
    if devices:
        assert f"{len(jax.devices())} " in line and "xla_force_host_platform_device_count" in line
