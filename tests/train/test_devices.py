"""The main job on four host devices, one seed: the numbers of that seed of two on one device."""

import numpy as np
import pandas as pd
import pytest

from lpo.errors import InputError
from lpo.train.config import MethodKind, RobustConfig, TrainConfig, validate

SEED = 1
# differences of nearly equal numbers, in nats: their error is of the size of what is subtracted
DIFFERENCES = ["growth", "growth_se", "path_kl"]


@pytest.fixture(scope="session")
def four(train_once):
    return train_once(
        "four",
        "+experiment=dro_diffusion",
        "compare=[]",
        f"seed={SEED}",
        "seeds=1",
        "devices=4",
        devices=4,
    )


def test_training_on_four_devices_is_that_on_one_and_a_seed_alone_is_that_of_two(finished, four):
    index = ["stage", "name", "step"]
    left, right = (
        pd.read_parquet(run.folder / "metrics.parquet").set_index(index)["value"]
        for run in (finished, four)
    )
    names, stages = (right.index.get_level_values(level) for level in ("name", "stage"))
    steps = right.index.get_level_values("step")
    keys = list(zip(stages, names + f"/seed_{SEED}", steps, strict=True))
    expected, found = left.loc[keys].to_numpy(), right.to_numpy()
    assert set(stages) == {"dfl", "score", "dro_diffusion"}
    small = names.isin(DIFFERENCES)
    np.testing.assert_allclose(found[~small], expected[~small], rtol=1e-5)
    np.testing.assert_allclose(found[small], expected[small], rtol=1e-5, atol=1e-5)


def test_forecasts_and_samples_on_four_devices_are_those_on_one(finished, four):
    """Test sets shifted by noise are those of the first seed, so only the own one is compared."""

    def table(run, name):
        rows = pd.read_csv(run.folder / "tables" / name)
        return rows.query(f"seed == {SEED}").set_index("method")

    def own(rows):
        return rows[rows["test_set"] == rows["test_set"].iloc[0]]

    def compare(left, right):
        right = right.select_dtypes("number")
        np.testing.assert_allclose(right, left.loc[right.index, right.columns], rtol=1e-5)

    compare(*(own(table(run, "regret.csv")) for run in (finished, four)))
    compare(*(table(run, "imagined_losses.csv") for run in (finished, four)))


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (TrainConfig(devices=0), "devices: 0 given; allowed: > 0"),
        (TrainConfig(devices=1000, compare=[]), "predictor.batch: 256 given; allowed: a multiple"),
        (TrainConfig(devices=256), "devices: 256 given, 1 cpu device found"),
    ],
)
def test_devices_that_do_not_fit_are_refused(config, line):
    with pytest.raises(InputError) as refused:
        validate(config)
    assert line in str(refused.value) and "\n" not in str(refused.value)


def test_only_sizes_of_methods_that_are_trained_must_divide():
    config = TrainConfig(devices=3, robust=RobustConfig(method=MethodKind.dfl))
    config.predictor.batch = 255
    with pytest.raises(InputError, match=r"devices: 3 given, 1 cpu device"):
        validate(config)
    config.robust.method = MethodKind.dro_diffusion
    with pytest.raises(InputError, match=r"diffusion\.batch: 256 given; .* devices, which is 3"):
        validate(config)
