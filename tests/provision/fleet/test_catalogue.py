"""The built-in catalogue by hand, and what its fleets look like."""

import cvxpy as cp
import numpy as np
import pytest

from lpo import hardware
from lpo.errors import InputError
from lpo.provision.fleet import (
    Configuration,
    configuration,
    default_catalogue,
    fleet_program,
    make_catalogue,
    normalise,
    set_values,
    to_fleet,
)


def test_throughput_and_start_of_one_configuration_by_hand():
    entry = configuration(hardware.H100, hardware.LLAMA_70B, "fp8", 2)
    # 0.5 x 1978.9e12 x 2 x 0.95 / (2 x 70.6e9)
    assert entry.tokens_per_s == pytest.approx(13314.3, rel=1e-4)
    assert entry.usd_per_hour == pytest.approx(5.38)
    assert entry.startup_s == pytest.approx(180 + 60 + 70.6 / 4)
    assert entry.active_w == pytest.approx(1204) and entry.idle_w == pytest.approx(240)


def test_every_configuration_fits_its_memory_and_names_are_unique():
    choices = default_catalogue()
    assert len(set(choices.names)) == len(choices.names) == 10
    tiers = {
        tier.name: tier for tier in vars(hardware).values() if isinstance(tier, hardware.GpuTier)
    }
    for gpu, precision, size in zip(
        choices.gpus, choices.precisions, choices.tensor_parallel, strict=True
    ):
        total_gb = tiers[gpu].memory_gb * size
        weights_gb = {"fp16": 141.2, "fp8": 70.6, "int8": 70.6, "int4": 39.5}[precision]
        assert weights_gb + 8192 * 327_680 / 1e9 < 0.92 * total_gb


@pytest.mark.parametrize(
    ("gpu", "precision", "size", "message"),
    [
        (hardware.A100, "fp8", 2, "no fp8 mode"),
        (hardware.L40S, "fp8", 1, "does not fit 1 L40S"),
        (hardware.H200, "fp16", 1, "does not fit"),
    ],
)
def test_what_does_not_fit_is_refused(gpu, precision, size, message):
    with pytest.raises(InputError, match=message):
        configuration(gpu, hardware.LLAMA_70B, precision, size)


def test_fleet_of_one_configuration_by_hand():
    one = Configuration("a", "m", "g", "fp8", 2, 1000.0, 3.6, 900.0, 180.0, 30.0)
    fleet = to_fleet(make_catalogue([one]), 60.0, electricity_usd_per_kwh=0.36, unserved_ratio=5.0)
    np.testing.assert_allclose(fleet.capacity, 60_000)
    idle = 180 * 0.36 / 3.6e6  # $ a second
    np.testing.assert_allclose(fleet.price, 60 * (0.001 + idle))
    np.testing.assert_allclose(fleet.startup, 30 * (0.001 + idle))
    np.testing.assert_allclose(fleet.energy, 720 * 0.36 / 3.6e6 / 1000)
    np.testing.assert_allclose(fleet.unserved, 5 * (0.001 + 900 * 0.36 / 3.6e6) / 1000)
    np.testing.assert_array_equal(fleet.gpus, [2])


@pytest.mark.parametrize(("horizon", "slot_s"), [(24, 3600.0), (12, 60.0)])
def test_a_day_uses_several_configurations_and_serves_everything(horizon, slot_s):
    hours = np.arange(horizon) * 24 / horizon
    demand = 3e4 * slot_s * (1 + 0.6 * np.sin(2 * np.pi * (hours - 9) / 24))
    fleet, units = normalise(to_fleet(default_catalogue(), slot_s), demand=demand.mean())
    program = fleet_program(fleet, horizon, ridge_n=1e-2, ridge_other=1e-4)
    set_values(program, fleet, demand / units.tokens)
    program.problem.solve(solver=cp.CLARABEL)
    n, u = program.n.value, program.u.value
    assert n is not None and u is not None
    assert (n.max(axis=0) * units.replicas > 0.05).sum() >= 3
    np.testing.assert_allclose(u, 0.0, atol=1e-4)


def test_serving_pays_at_the_default_price_of_an_unserved_token():
    for slot_s in (60.0, 3600.0):
        fleet = to_fleet(default_catalogue(), slot_s)
        busy = fleet.price / fleet.capacity + fleet.energy
        assert fleet.unserved == pytest.approx(10 * busy.min())
        assert (fleet.unserved > busy).all()
        # Even a replica that is started for one busy minute.
        assert fleet.unserved > (busy + fleet.startup / fleet.capacity).min()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokens_per_s": 0.0}, "`tokens_per_s` must be positive"),
        ({"startup_s": -1.0}, "`startup_s` must be not negative"),
        ({"idle_w": 1e4}, "`active_w` must be at least `idle_w`"),
        ({"tensor_parallel": 1.5}, "whole number"),
        ({"usd_per_hour": np.inf}, "`usd_per_hour`"),
    ],
)
def test_numbers_out_of_range_are_refused(change, message):
    entry = configuration(hardware.H200, hardware.LLAMA_70B, "fp8", 1)
    with pytest.raises(InputError, match=message):
        make_catalogue([entry._replace(**change)])


def test_empty_or_ambiguous_catalogues_and_bad_prices_are_refused():
    entry = configuration(hardware.H200, hardware.LLAMA_70B, "fp8", 1)
    with pytest.raises(InputError, match="at least one"):
        make_catalogue([])
    with pytest.raises(InputError, match="more than once"):
        make_catalogue([entry, entry])
    for wrong in ({"slot_s": 0.0}, {"unserved_ratio": -1.0}, {"electricity_usd_per_kwh": np.nan}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            to_fleet(make_catalogue([entry]), **({"slot_s": 60.0} | wrong))
