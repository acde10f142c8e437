"""Options: what a profile implies and what is refused."""

import pytest

from lpo.allocate.options import Options, Profile, StorageAccounting, make_options
from lpo.errors import InputError


def test_defaults_are_the_recommended_model():
    assert make_options() == Options()
    assert Options().profile is Profile.CORRECTED and not Options().published


@pytest.mark.parametrize("profile", ["reference", "reference_deterministic"])
def test_published_profiles_imply_single_placement_and_storage_by_route(profile):
    options = make_options(profile=profile)
    assert options.published and options.single_placement
    assert options.storage_accounting is StorageAccounting.ROUTE


@pytest.mark.parametrize(
    "given",
    [
        {"replicas": 0},
        {"replicas": 1.5},
        {"utilisation": 0.0},
        {"utilisation": 1.2},
        {"profile": "reference", "replicas": 2},
        {"profile": "reference", "decision_dependent": True},
        {"profile": "reference", "legacy_units": False},
    ],
    ids=str,
)
def test_meaningless_options_are_refused(given):
    with pytest.raises(InputError, match=f"`{list(given)[-1]}`"):
        make_options(**given)
