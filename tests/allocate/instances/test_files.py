"""Files that read back as written, the shared schema, and refusals that name file and key."""

import json

import numpy as np
import pytest

from lpo.allocate.allocation import Allocation
from lpo.allocate.instances.files import (
    read_instance,
    read_solution,
    write_instance,
    write_solution,
)
from lpo.allocate.instances.generate import generate
from lpo.errors import InputError


def same(one, other) -> bool:
    arrays = all(map(np.array_equal, one.data, other.data))
    return arrays and one._replace(data=None) == other._replace(data=None)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.json"


@pytest.fixture
def change(tiny, path):
    """Write the small instance with keys changed, None for one that is left out."""

    def change(**keys):
        write_instance(path, tiny[0])
        content = json.loads(path.read_text()) | keys
        path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
        return path

    return change


@pytest.mark.parametrize("preset", ["robust", "det", "catalog"])
def test_an_instance_reads_back_bit_for_bit(path, preset):
    instance = generate(preset, 5)
    assert same(read_instance(write_instance(path, instance)), instance)


def test_limits_and_infinity_read_back(path, tiny):
    instance = tiny[0]._replace(gamma_delay=np.inf)  # with a tier limit, unlike caps and impact
    assert same(read_instance(write_instance(path, instance)), instance)
    assert json.loads(path.read_text())["tier_limit"] == [None, 6.0]


def test_optional_keys_have_no_effect_when_left_out(change):
    instance = read_instance(change(tier_limit=None, impact_delay=None, impact_error=None))
    np.testing.assert_array_equal(instance.data.tier_limit, np.inf)
    np.testing.assert_array_equal(instance.data.impact_delay, 0.0)


def test_one_cap_serves_all_types(change):
    np.testing.assert_array_equal(read_instance(change(u_max=0.25)).data.unmet_cap, [0.25, 0.25])


@pytest.mark.parametrize("name", ["small", "default"])
def test_published_files_and_solutions_read_back(rodiu_cases, path, name):
    for case in rodiu_cases(name):
        found = read_solution(write_solution(path, case.instance, case.allocation), case.instance)
        assert all(map(np.array_equal, found, case.allocation))
        np.testing.assert_allclose(found.share.sum(axis=(1, 2, 3)) + found.unmet, 1.0)
    assert same(read_instance(write_instance(path, case.instance)), case.instance)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"schema": "other/1"}, "`schema` must be 'lpo.robust_allocation.instance/1', got"),
        ({"beta": None}, "key `beta` is missing."),
        ({"betta": [1.0, 2.0]}, "unknown key `betta`; there are B, C_gpu"),
        ({"J": 3}, "`J` is 3, but `model_names` has 2 names."),
        ({"gpu_tiers": "a"}, "`gpu_tiers` must be a list"),
        ({"C_gpu": [10.0, -1.0]}, "`C_gpu`[1] (new) must be positive and finite, got -1."),
        ({"C_gpu": [10.0, None]}, "`C_gpu` must be numbers of shape (2,)"),
        ({"d_bar": [[0.1]]}, "`d_bar` must be numbers of shape (2, 2, 2)"),
        ({"u_max": [0.1, 2.0]}, "`u_max`[1] (code) must be in [0, 1], got 2."),
        ({"tier_limit": [None, -1]}, "`tier_limit`[1] (new) must be at least 0"),
        ({"Gamma_d": "two"}, "`Gamma_d` must be a number or null"),
        ({"tp_degrees": [1, 2.5]}, "`tp_degrees` must be ascending whole numbers"),
        ({"budget": "much"}, "`budget` must be one number"),
        ({"name": 3}, "`name` must be text"),
        ({"C_gpu": [True, 10.0]}, "`C_gpu` must hold numbers, got true or false"),
        ({"budget": True}, "`budget` must hold numbers, got true or false"),
        ({"C_gpu": [10.0, 1e31]}, "`C_gpu`[1] (new) must be at most 1e+30, got 1e+31."),
    ],
)
def test_a_wrong_instance_is_refused_by_file_and_key(change, keys, message):
    path = change(**keys)
    with pytest.raises(InputError) as error:
        read_instance(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 1 is no JSON"),
        ("[]", "must hold one JSON object"),
        ('{"B": 1, "B": 2}', "key `B` appears more than once"),
        ('{"B": NaN}', "NaN is no number of JSON"),
        ('{"B": -Infinity}', "-Infinity is no number of JSON"),
    ],
)
def test_what_is_no_object_is_refused(path, text, message):
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_instance(path)
    with pytest.raises(InputError, match="is a directory"):
        read_instance(path.parent)
    with pytest.raises(InputError, match="no such file"):
        read_instance(path.with_name("other.json"))


def test_replicas_are_written_when_there_are_several(path, tiny):
    instance, allocation = tiny
    assert "replicas" not in json.loads(write_solution(path, *tiny).read_text())
    several = allocation._replace(replicas=3 * allocation.replicas)
    assert json.loads(write_solution(path, instance, several).read_text())["replicas"] == [
        [0, 0, 1, 3],
        [1, 1, 2, 3],
    ]
    assert all(map(np.array_equal, read_solution(path, instance), several))


def test_a_plan_that_serves_nobody_reads_back(path, tiny):
    instance, allocation = tiny
    nothing = Allocation(
        np.zeros_like(allocation.replicas), np.zeros_like(allocation.share), np.ones(2)
    )
    found = read_solution(write_solution(path, instance, nothing), instance)
    assert all(map(np.array_equal, found, nothing))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"active": [[0, 0]]}, "`active` must hold lists of 3 numbers, got [0, 0]"),
        ({"active": [[0, 2, 1]]}, "`active` [0, 2, 1]: index 2 must be a whole number below 2"),
        ({"active": [[0, 0.5, 1]]}, "index 0.5 must be a whole number below 2"),
        ({"active": [[0, -1, 1]]}, "index -1 must be a whole number below 2"),
        ({"active": [[0, 0, 4]]}, "`active` [0, 0, 4]: the degree is not one of `tp_degrees`"),
        ({"active": [[0, 0, 1], [0, 0, 1]]}, "`active` [0, 0, 1]: is there twice"),
        ({"x": [[0, 0, 0, 1, 1.5]]}, "`x` [0, 0, 0, 1, 1.5]: the share must be in [0, 1]"),
        ({"replicas": [[0, 0, 1, 0]]}, "replicas must be a whole number of at least 1"),
        ({"replicas": [[1, 0, 1, 2]]}, "`replicas` [1, 0, 1, 2]: is not in `active`"),
        ({"u": [0.0]}, "`u` must be a list of 2 shares"),
        ({"u": [0.0, -0.5]}, "`u`[1] must be in [0, 1], got -0.5"),
        ({"y": []}, "unknown key `y`"),
        ({"x": None}, "key `x` is missing"),
    ],
)
def test_a_wrong_solution_is_refused(path, tiny, keys, message):
    instance, allocation = tiny
    write_solution(path, instance, allocation)
    content = json.loads(path.read_text()) | keys
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    with pytest.raises(InputError) as error:
        read_solution(path, instance)
    assert message in str(error.value) and str(error.value).startswith(str(path))
