"""Programs of the simulation, compiled quickly: most run once or twice here."""

from typing import Any

import jax
import pytest

from lpo.bandit import simulation
from tests import quick

_STATIC = {
    "_drawn": (0,),
    "_given": (0,),
    "_rounds": (0,),
    "_begun": (0, 1),
    "_segment": (0,),
    "_together": (1,),
}
_QUICK = {name: quick.program(getattr(simulation, name), *at) for name, at in _STATIC.items()}
_SEGMENT: Any = simulation._segment
_LONG = jax.jit(
    _SEGMENT.__wrapped__,
    static_argnums=0,
    compiler_options=quick.OPTIONS | {"xla_backend_optimization_level": 1},
)


@pytest.fixture(scope="module", autouse=True)
def compiled_quickly(request):
    """Also what is no program of its own. `LONG` modules play so many rounds that it is worth more
    to make them faster."""
    jax.config.update("jax_disable_most_optimizations", True)
    with pytest.MonkeyPatch.context() as patch:
        for name, program in _QUICK.items():
            patch.setattr(simulation, name, program)
        if getattr(request.module, "LONG", False):
            patch.setattr(simulation, "_segment", _LONG)
        yield
    jax.config.update("jax_disable_most_optimizations", False)
