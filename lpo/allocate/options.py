"""Which model of an instance is solved: profile and switches. docs/allocate.md."""

from enum import StrEnum
from typing import NamedTuple

from lpo.errors import InputError


class Profile(StrEnum):
    """corrected: the model that we recommend. The others: the published ones, mistakes included.

    reference is the published robust program, reference_deterministic its deterministic script;
    docs/allocate.md lists what is wrong with them.
    """

    CORRECTED = "corrected"
    REFERENCE = "reference"
    REFERENCE_DETERMINISTIC = "reference_deterministic"


class StorageAccounting(StrEnum):
    """Whether a model's weights are stored once a deployment, or once for every route to it."""

    DEPLOYMENT = "deployment"
    ROUTE = "route"


class Options(NamedTuple):
    """What is modelled; the defaults are those of the corrected profile.

    **Switches:**

    - `single_placement`: every query type goes to one deployment. Always so in the published
      profiles.
    - `decision_dependent`: routing to a pair removes its impact share of the uncertainty.
    - `replicas`: most instances of one (model, tier, degree); 1 is the published model.
    - `link_cuts`: add x <= xmax w, which tightens the relaxation and doubles the rows.
    - `legacy_units`: the published units: a compute row without time, data in "MB" that cost as
      GB. False: TFLOP/s on both sides and MB as MB.
    - `utilisation`: share of a GPU's compute that may be used.
    - `storage_accounting`: see `StorageAccounting`; per route in the published profiles.
    - `horizon_consistent`: delay and unmet cost for the whole rental period, as the rent is,
      instead of for one hour.
    - `route_limit`: also refuse every route whose own worst delay is above the limit of its query
      type, which an average over routes hides.
    """

    profile: Profile = Profile.CORRECTED
    single_placement: bool = False
    decision_dependent: bool = False
    replicas: int = 1
    link_cuts: bool = False
    legacy_units: bool = True
    utilisation: float = 1.0
    storage_accounting: StorageAccounting = StorageAccounting.DEPLOYMENT
    horizon_consistent: bool = False
    route_limit: bool = False

    @property
    def published(self) -> bool:
        """Whether the profile is one of the two published ones."""
        return self.profile is not Profile.CORRECTED


def make_options(**given: object) -> Options:
    """Return checked options; the published profiles imply single placement and storage by route.

    Raises InputError on a value out of range, and on a switch that a published profile does not
    have.
    """
    options = Options(**given)  # pyright: ignore[reportArgumentType]
    options = options._replace(
        profile=Profile(options.profile),
        storage_accounting=StorageAccounting(options.storage_accounting),
    )
    if options.replicas < 1 or options.replicas != int(options.replicas):
        raise InputError(f"`replicas` must be a whole number of at least 1, got {options.replicas}")
    if not 0.0 < options.utilisation <= 1.0:
        raise InputError(f"`utilisation` must be in (0, 1], got {options.utilisation}")
    if not options.published:
        return options
    extra = Options()._replace(
        profile=options.profile,
        single_placement=options.single_placement,
        storage_accounting=options.storage_accounting,
        link_cuts=options.link_cuts,
    )
    if options != extra:
        names = [n for n, a, b in zip(Options._fields, options, extra, strict=True) if a != b]
        raise InputError(
            f"`{names[0]}` belongs to the corrected profile; {options.profile} is as published"
        )
    return options._replace(single_placement=True, storage_accounting=StorageAccounting.ROUTE)


CORRECTED = Options()
"""The recommended model."""
