"""The rolling horizon against a plan whose fleets are known."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.provision.fleet.rolling import roll


@pytest.mark.parametrize("commit", [1, 2, 4])
def test_every_plan_starts_from_the_fleet_that_runs(commit):
    """Plans that add the forecast to the fleet before: the run is a cumulative sum."""

    def plan(forecast, initial):
        return initial[..., None, :] + np.cumsum(forecast, axis=-1)[..., None]

    forecasts = np.random.default_rng(0).integers(0, 9, (3, 5, 4)).astype(float)
    run = roll(plan, forecasts, np.array([1.0, 10.0]), commit)
    kept = forecasts[..., :commit].reshape(3, -1)
    expected = np.cumsum(kept, axis=-1)[..., None] + np.array([1.0, 10.0])
    assert run.shape == (3, 5 * commit, 2)
    np.testing.assert_allclose(run, expected)


@pytest.mark.parametrize("commit", [0, 5])
def test_more_slots_than_planned_cannot_be_committed(commit):
    with pytest.raises(InputError, match="commit"):
        roll(lambda forecast, initial: forecast[..., None], np.ones((2, 4)), np.ones(1), commit)
