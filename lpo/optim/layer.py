"""A convex problem as a differentiable function of its parameters."""

from collections.abc import Callable, Sequence

import cvxpy as cp
import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lpo.errors import InputError
from lpo.optim.backend import Backend, LayerSolution, Status
from lpo.optim.canonical import check_problem
from lpo.optim.cvxpylayers_backends import diffcp_backend, moreau_backend
from lpo.optim.generic import generic_backend

BACKENDS: dict[str, Callable[..., Backend]] = {
    "generic": generic_backend,
    "diffcp": diffcp_backend,
    "moreau": moreau_backend,
}


class ConvexLayer:
    """Parameter arrays -> solution of a cvxpy problem, for `jit`, `vmap` and reverse-mode `grad`.

        layer = ConvexLayer(problem, [demand, price], [fleet])
        (fleet,) = layer(demand, price)
        fleets, *_ = jax.vmap(layer, in_axes=(0, None))(demands, price)

    Solved in float64; arguments and values have the dtype of the parameters, float32 with x64 off.
    Derivatives are with respect to every parameter. An instance does not change after it is made.
    docs/convex_layer.md compares the back ends and says what is returned at kinks.
    """

    def __init__(
        self,
        problem: cp.Problem,
        parameters: Sequence[cp.Parameter],
        variables: Sequence[cp.Variable],
        *,
        backend: str | Backend = "generic",
        throw: bool = True,
        tolerance: float | None = None,
    ):
        """Canonicalise the problem once.

        **Arguments:**

        - `problem`: convex and DPP. Its parameters must all be in `parameters`.
        - `parameters`, `variables`: in the order of the arguments and of the values.
        - `backend`: "generic", "diffcp" or "moreau", or a `Backend` made for this very problem
          with the same parameters and variables in the same order.
        - `throw`: whether calling the layer fails when a problem was not solved.
        - `tolerance`: largest relative KKT residual of a solution that counts as solved; None: the
          default of the back end, 1e-9 for "generic". A `Backend` brings its own.

        **Raises:** InputError when the problem is not DPP, has integer variables or cones that the
        back end does not take, when parameters or variables do not belong to it, or when the back
        end is unknown.
        """
        check_problem(problem, parameters, variables)
        if tolerance is not None and not tolerance > 0:
            raise InputError(f"`tolerance` must be positive, got {tolerance}.")
        if isinstance(backend, str):
            if backend not in BACKENDS:
                raise InputError(
                    f"`backend` must be one of {', '.join(BACKENDS)} or a Backend, got {backend!r}."
                )
            options = {} if tolerance is None else {"tolerance": tolerance}
            backend = BACKENDS[backend](problem, parameters, variables, **options)
        elif tolerance is not None:
            raise InputError("`tolerance` belongs to the named back ends; a Backend has its own.")
        self._backend = backend
        self._throw = throw
        self._names = tuple(parameter.name() for parameter in parameters)
        self._shapes = tuple(parameter.shape for parameter in parameters)

    @property
    def backend(self) -> Backend:
        """The back end that solves."""
        return self._backend

    def solve(self, *params: ArrayLike) -> LayerSolution:
        """Solve one problem; the values of a problem that is not SOLVED are NaN.

        params: arrays in the shapes of the parameters. The gradient through a NaN row is zero, so
        that a loss which leaves such rows out with `jnp.where` trains on. Raises InputError when
        the number or a shape of the arguments is wrong.
        """
        solution = self._backend.solve(*self._checked(params))
        # a tangent is stopped in floats: an integer that carries one cannot enter `error_if`
        status = jax.lax.stop_gradient(solution.status.astype(jnp.float32)).astype(jnp.int32)
        solved = status == Status.SOLVED
        return LayerSolution(
            values=tuple(jnp.where(solved, value, jnp.nan) for value in solution.values),
            status=status,
            residual=jax.lax.stop_gradient(solution.residual),
            gap=jax.lax.stop_gradient(solution.gap),
        )

    def __call__(self, *params: ArrayLike) -> tuple[Array, ...]:
        """Solve one problem and return the values of the variables.

        With `throw`, a problem that was not solved raises at run time (under `jit` as well) and
        says why; otherwise its values are NaN. Raises InputError as `solve`.
        """
        solution = self.solve(*params)
        if not self._throw:
            return solution.values
        failed = solution.status != Status.SOLVED
        # SOLVED needs no message, but every status its place
        return eqx.branched_error_if(
            solution.values, failed, solution.status, [self._message(s) for s in Status]
        )

    def _message(self, status: Status) -> str:
        what = {
            Status.INACCURATE: "its KKT residual is above the tolerance",
            Status.INFEASIBLE: "its constraints contradict each other",
            Status.UNBOUNDED: "its objective has no lower bound",
        }.get(status, "the solver gave no point, or a parameter is not finite")
        return (
            f"ConvexLayer, back end {self._backend.name}: a problem is {status.name}: {what}. "
            "`solve` returns status and residual of every problem; throw=False returns NaN."
        )

    def _checked(self, params: tuple[ArrayLike, ...]) -> list[Array]:
        if len(params) != len(self._shapes):
            raise InputError(
                f"The layer takes {len(self._shapes)} arrays ({', '.join(self._names)}), "
                f"got {len(params)}."
            )
        arrays = [jnp.asarray(param) for param in params]
        for name, shape, array in zip(self._names, self._shapes, arrays, strict=True):
            if array.shape != shape:
                raise InputError(
                    f"The parameter {name} has the shape {shape}, got {array.shape}; "
                    "for a batch use jax.vmap."
                )
        return arrays
