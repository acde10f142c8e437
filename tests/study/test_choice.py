"""The choice among variants whose costs are known by arithmetic."""

import numpy as np
import pytest

from lpo import workload
from lpo.study.cells import Outcome, save
from lpo.study.choice import VariantScore, choose, score_variants, variant_table
from lpo.study.plan import make_cell, part_groups, tuning_cells
from lpo.study.problem import judged_sets, problem_of
from lpo.train.config import MethodKind

KEY = ("mlp", "dfl_matched")


def of_average(value):
    return VariantScore(0.0, value)


@pytest.mark.parametrize(
    ("scores", "place"),
    [
        ([of_average(0.5), of_average(0.2), of_average(0.3)], 1),
        ([of_average(0.2), of_average(0.2)], 0),
        ([of_average(np.nan), None, of_average(0.9)], 2),
        ([None, None], 0),
        ([of_average(np.nan), None], 0),
    ],
)
def test_the_cheapest_that_there_is(scores, place):
    assert choose({KEY: scores}) == {KEY: place}


def test_variants_cost_what_their_forecasts_do(tiny, tmp_path):
    """A forecast of f times the demand costs f - 1 idle tokens a token where f > 1."""
    tiny.tuning.variants["dfl_matched"] = [
        {},
        {"robust": {"predictor_learning_rate": 1e-2}},
        {"robust": {"epochs": 3}},
        {"robust": {"epochs": 4}},
    ]
    tuned = tuning_cells(tiny)
    problem = problem_of(tuned[KEY][0].config, tiny.max_windows)
    sets = judged_sets(problem)
    shifts = [name for name in sets if name.startswith("validation:")]
    assert len(shifts) == len(problem.validation_shifts) > 10
    for cell, own, shifted in ((tuned[KEY][0], 1.1, 1.5), (tuned[KEY][1], 1.2, 1.3)):
        by_set = {}
        for name, windows in sets.items():
            _, target = workload.pairs(windows.astype(np.float64), problem.layout)
            # test sets would choose the other way round
            factor = {"validation": own}.get(name, shifted if name in shifts else 3 - shifted)
            by_set[name] = np.stack([factor * target, factor * target])
        save(cell.path(tmp_path), Outcome(by_set, {}))
    save(tuned[KEY][2].path(tmp_path), Outcome({}, {"diverged": "loss is not finite at step 3"}))

    scores = score_variants(tuned, tmp_path)
    count = len(shifts)
    first, second, diverged, missing = scores[KEY]
    assert first == pytest.approx((0.1, (0.1 * 0.5**count) ** (1 / (1 + count))), rel=1e-5)
    assert second == pytest.approx((0.2, (0.2 * 0.3**count) ** (1 / (1 + count))), rel=1e-5)
    assert diverged is not None and np.isnan(diverged.average) and missing is None

    choice = choose(scores)
    assert choice == {KEY: 1}
    table = variant_table(tiny, scores, choice).data
    assert list(table["chosen"]) == [False, True, False, False]
    assert list(table["variant"])[1] == "robust.predictor_learning_rate=0.01"
    # both the architecture that was tuned and the one that follows it
    for group in part_groups(tiny, "capacity", choice)["near"]:
        cells = {cell.kind: cell for cell in group.cells}
        assert cells[MethodKind.dfl_matched].config.robust.predictor_learning_rate == 0.01
        assert group.dfl == cells[MethodKind.dfl]


def test_without_a_choice_the_first_variant_is_taken(tiny):
    first = {"robust": {"epochs": 7}}
    tiny.tuning.variants = {"dfl_matched": [first, {}]}
    tiny.tuning.as_tuned_on = {}
    for group in part_groups(tiny, "capacity", {})["near"]:
        architecture = group.dfl.architecture
        assert make_cell(tiny, "near", architecture, MethodKind.dfl_matched, first) in group.cells
