"""One number at a time, within its range."""

import numpy as np
import pytest

from lpo.errors import InputError
from lpo.scale.accuracy import check_beta
from lpo.scale.curves import Limits
from lpo.scale.laws import LawNumbers, make_laws
from lpo.scale.models import Models
from lpo.scale.passes import make_pairs
from lpo.scale.sensitivity.parameters import used_parameters
from lpo.scale.sensitivity.perturbed import Inputs, perturbed

MODELS = Models(
    *(np.array(pair) for pair in [(0.95, 0.6), (0.02, 0.3), (1.0, 900.0), (5.0, 9.0)]),
    *(np.array([7.0, 8.0]) for _ in range(6)),
)
LIMITS = Limits(np.array([0.5, 2.0]), np.array([60.0, 600.0]), np.array([0.9, 0.95]))


def given(**laws):
    kinds, numbers = make_laws(**laws)
    return kinds, Inputs(MODELS, numbers, LIMITS)


def test_one_at_a_time():
    laws, inputs = given()
    found = perturbed(laws, inputs, 0.2)
    for i, name in enumerate(found.names):
        for side, one in enumerate((found.low[i], found.high[i])):
            flat, base = ({**x.models._asdict(), **x.limits._asdict()} for x in (one, inputs))
            moved = [key for key in base if not np.array_equal(flat[key], base[key])]
            field = {"cost_limit": "cost", "time_limit": "time"}.get(name, name)
            if name == "accuracy_limit":  # a field of that name is a model's too
                assert one.models == found.inputs.models
                moved = [name] if np.any(one.limits.accuracy != LIMITS.accuracy) else []
                field = name
            if name == "accuracy":
                np.testing.assert_allclose(one.limits.accuracy, LIMITS.accuracy)
                moved = [name]
            assert moved == [field]
            assert one.numbers == inputs.numbers
            shape = found.changed[i, side].shape
            assert shape == (2, 2)
    at = found.names.index("output_price")
    np.testing.assert_allclose(found.given[at], [[7.0, 8.0]] * 2)
    np.testing.assert_allclose(found.changed[at], [[[5.6, 6.4]] * 2, [[8.4, 9.6]] * 2])
    at = found.names.index("time_limit")
    np.testing.assert_allclose(found.changed[at, 0], [[48.0, 48.0], [480.0, 480.0]])


def test_numbers_stay_in_their_range():
    laws, inputs = given(correlation=0.95)
    found = perturbed(laws, inputs, 0.2)
    changed = dict(zip(found.names, found.changed, strict=True))
    np.testing.assert_allclose(changed["accuracy"][:, 0], [[0.76, 0.48], [1.0, 0.72]])
    np.testing.assert_allclose(changed["prompt"][0, 0], [1.0, 720.0])
    np.testing.assert_allclose(changed["accuracy_limit"][1, :, 0], [0.95, 0.975])
    np.testing.assert_allclose(changed["correlation"][:, 0, 0], [0.76, 0.975])


@pytest.mark.parametrize("change", [0.1, 0.9])
@pytest.mark.parametrize("kinds", [{"accuracy": "beta"}, {"rule": "pass_at_k", "varied": True}])
def test_a_beta_distribution_remains_one(kinds, change):
    laws, inputs = given(**kinds)
    found = perturbed(laws, inputs, change)
    for one in (*found.low, *found.high):
        check_beta(laws, one.models)


def test_one_model_alone():
    laws, inputs = given()
    found = perturbed(laws, inputs, model=1)
    at = found.names.index("output")
    np.testing.assert_allclose(found.high[at].models.output, [7.0, 8.8])
    with pytest.raises(InputError, match="`model` must be from 0 to 1"):
        perturbed(laws, inputs, model=2)


def test_what_counts_under_which_laws():
    def names(pairs=None, **kinds):
        return set(used_parameters(make_laws(**kinds)[0], pairs))

    plain = names()
    assert plain & set(LawNumbers._fields) == set()
    assert {"accuracy_sd", "cost_limit"} <= plain
    assert plain - names(rule="majority") == {"accuracy_sd"}
    assert names(rule="verifier") - plain == {"verifier_sd"}
    assert names(rule="weighted") - plain == {"right_weight", "wrong_weight"}
    assert names(correlation=0.1, latency="contended") - plain == {"correlation", "contention"}
    assert "output_sd" not in names(make_pairs([1.0], [2.0]))


@pytest.mark.parametrize("change", [0.0, 1.0, np.nan])
def test_refused(change):
    with pytest.raises(InputError, match="`change`"):
        perturbed(*given(), change)
