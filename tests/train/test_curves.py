"""Curves of several seeds out of the long form that mixes means and seeds."""

import pandas as pd

from lpo.train.curves import curves_by_seed, final_adversary, kept_steps


def long_form(rows):
    return pd.DataFrame(rows, columns=["step", "stage", "name", "value"])


def test_several_seeds_are_told_apart_and_means_left_out():
    metrics = long_form(
        [
            (1, "dfl", "validation_loss", 2.5),
            (1, "dfl", "validation_loss/seed_0", 2.0),
            (1, "dfl", "validation_loss/seed_1", 3.0),
            (2, "dfl", "validation_loss/seed_0", 1.0),
            (2, "dfl", "validation_loss/seed_1", 4.0),
        ]
    )
    curves = curves_by_seed(metrics)
    assert set(curves["name"]) == {"validation_loss"} and len(curves) == 4
    assert kept_steps(curves).to_dict("list") == {
        "stage": ["dfl", "dfl"],
        "seed": [0, 1],
        "kept_step": [2, 1],
        "last_step": [2, 2],
        "kept_loss": [1.0, 3.0],
        "last_loss": [1.0, 4.0],
    }


def test_one_seed_has_no_suffix_and_no_validation_part_no_rows():
    curves = curves_by_seed(long_form([(1, "mse", "loss", 1.0)]))
    assert list(curves["seed"]) == [0] and kept_steps(curves).empty


def test_final_values_of_the_adversary_are_those_of_its_last_epoch():
    names = ("growth", "growth_se", "alpha", "path_kl", "nominal_loss", "worst_case_loss")
    rows = [(step, "dro", name, 10.0 * step) for step in (1, 2) for name in names]
    found = final_adversary(curves_by_seed(long_form(rows)), "dro")
    assert found == {f"adversary/{name}": 20.0 for name in names}
