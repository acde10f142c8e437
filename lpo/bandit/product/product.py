"""A routing problem of a serving fleet: arms, requests, what they cost, a log, and what changed
since. docs/bandit_product.md."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lpo.allocate.instances.generate import generate
from lpo.bandit.assumptions import Assumptions, make_assumptions
from lpo.bandit.product.behaviour import Behaviour, check_behaviour
from lpo.bandit.product.changes import Change, Kind, certificate_of_manifest, change_of, manifest_of
from lpo.bandit.product.contexts import LOAD, PROMPT, Contexts, Periods, synthetic_contexts
from lpo.bandit.product.costs import Bill, Costs, Economics, bill_of, costs_of, economics_of
from lpo.bandit.product.deployments import Deployment, deployments_of
from lpo.bandit.product.features import features_of, scales_of
from lpo.errors import InputError

_MARGIN = 1.1  # of what is known of norms


class Product(NamedTuple):
    """All that does not depend on chance.

    deployments: the arms, K. periods: requests of the log and of the rounds. scales: of features,
    [8]. rows: of the log. noise: standard deviation of a grade that an answer gets. spread: of
    qualities from one instance to the next. capacity: whether pools are full above the load of
    their route. drift: whether outputs get longer or shorter after the log, as they really did.
    most_delay: rounds. budgets: of the certificate, [m, K, 8, 8].
    """

    deployments: tuple[Deployment, ...]
    periods: Periods
    economics: Economics
    costs: Costs
    scales: np.ndarray
    change: Change
    behaviour: Behaviour
    rows: int
    noise: float
    spread: float
    capacity: bool
    drift: bool
    most_delay: int
    assumptions: Assumptions
    manifest: dict[str, float | None]
    budgets: np.ndarray

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms."""
        return tuple(each.name for each in self.deployments)


def make_product(
    periods: Periods | None = None,
    deployments: Sequence[Deployment] | None = None,
    economics: Economics | None = None,
    *,
    change: Kind | str = Kind.NONE,
    what: str | None = None,
    size: float | None = None,
    known: bool = True,
    unchanged: float = 0.02,
    behaviour: Behaviour | None = None,
    rows: int | None = 8000,
    noise: float = 0.15,
    spread: float = 0.05,
    capacity: bool = False,
    drift: bool = False,
    most_delay: int = 0,
    regularisation: float = 0.01,
    delta: float = 0.01,
) -> Product:
    """Return a routing problem.

    **Main arguments:**

    - `periods`: requests (`contexts_of`, `read_periods`); None: made up (`synthetic_contexts`).
    - `deployments`, `economics`: None: those of `generate("catalog", 0)`.
    - `change`, `what`, `size`, `known`: since the log (`change_of`).
    - `unchanged`: budget of what did not change, the norm of the bias of an arm.
    - `behaviour`: of the log; None: `Behaviour()`. `rows`: of the log, taken by chance from the
      period and kept in order; None or more than there are: all.

    **Other arguments:** as the fields of `Product`; `regularisation`, `delta`: of the assumptions.
    Their noise is the greatest standard deviation of an arm's rewards about what the context
    predicts; their bounds on norms are the nominal rewards' and a tenth, and the greatest budget,
    also where the manifest does not say it.

    **Raises:** InputError on numbers out of range, and where no arm always has room.
    """
    periods = synthetic_contexts() if periods is None else periods
    catalog = generate("catalog", 0)
    deployments = deployments_of(catalog) if deployments is None else tuple(deployments)
    economics = economics_of(catalog) if economics is None else economics
    behaviour = behaviour or Behaviour()
    check_behaviour(behaviour)
    _check(noise=noise, spread=spread, unchanged=unchanged)
    rows = len(periods.log.time_s) if rows is None else min(rows, len(periods.log.time_s))
    if rows < 0 or rows != int(rows):
        raise InputError(f"`rows` must be a whole number of at least 0, got {rows}.")
    if not 0 <= most_delay < 10_000 or most_delay != int(most_delay):
        raise InputError(f"`most_delay` must be a whole number of 0 to 9999, got {most_delay}.")
    if capacity and all(np.isfinite(each.route.most_load) for each in deployments):
        raise InputError("`capacity`: at least one route must have an infinite `most_load`.")
    changed = change_of(change, deployments, what, size, known)
    costs = costs_of(deployments, float(periods.log.values[:, PROMPT].mean()))
    scales = scales_of(economics, periods.log.values)
    log = periods.log
    x = features_of(economics, scales, log.values)
    bill = bill_of(costs, economics, log.values, log.expected)
    money, wait = (np.linalg.lstsq(x, part, rcond=None)[0].T for part in (bill.money, bill.wait))
    theta = -money - wait
    theta[:, :2] += np.array([each.quality for each in deployments]) * scales[:2]
    manifest = manifest_of(changed, deployments, scales, money, wait)
    of_sizes = manifest_of(changed._replace(known=True), deployments, scales, money, wait)
    budgets = [each or 0.0 for each in of_sizes.values()]
    norm = _MARGIN * np.linalg.norm(theta, axis=-1) + max([unchanged, *budgets])
    certificate = certificate_of_manifest(
        manifest, [each.name for each in deployments], 2.0 * float(norm.max()), unchanged
    )
    return Product(
        deployments,
        periods,
        economics,
        costs,
        scales,
        changed,
        behaviour,
        rows,
        noise,
        spread,
        capacity,
        drift,
        most_delay,
        make_assumptions(
            regularisation=regularisation,
            delta=delta,
            noise=float(np.hypot(noise, _noise_of_lengths(costs, economics, log))),
            bound=float(np.linalg.norm(norm)),
            block_bound=float(norm.max()),
        ),
        manifest,
        np.asarray(certificate.budgets),
    )


def allowed_arms(product: Product, values: np.ndarray) -> np.ndarray:
    """Return which arms have room for requests in contexts [n, 6], [n, K] bool."""
    most = np.array([each.route.most_load for each in product.deployments])
    if not product.capacity:
        most = np.full(len(most), np.inf)
    return values[:, LOAD, None] <= most


def bill(product: Product, requests: Contexts, written: np.ndarray) -> Bill:
    """Return what requests cost on every arm if they write so many tokens, [n, K]."""
    return bill_of(product.costs, product.economics, requests.values, written)


def _noise_of_lengths(costs: Costs, economics: Economics, log: Contexts) -> float:
    """The greatest standard deviation over arms of what outputs cost beyond what is predicted."""
    as_predicted, as_written = (
        bill_of(costs, economics, log.values, log.expected * ratio) for ratio in (1.0, log.ratio)
    )
    more = as_written.money + as_written.wait - as_predicted.money - as_predicted.wait
    return float(more.std(0).max())


def _check(**numbers: float) -> None:
    for name, number in numbers.items():
        if not (np.isfinite(number) and number >= 0.0):
            raise InputError(f"`{name}` must be finite and not negative, got {number}.")
