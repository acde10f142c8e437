"""Networks whose training is compiled quickly."""

from typing import Any

import jax
import pytest
from jax.core import Tracer

from tests.quick import jit


@pytest.fixture(scope="module")
def quick():
    """Programs compiled quickly while the module runs, those inside of others as they are."""

    def quickly(function: Any, **options: Any) -> Any:
        own = jit(function, **options)

        def run(*given: Any) -> Any:
            inside = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(given))
            return function(*given) if inside else own(*given)

        run.lower = own.lower  # pyright: ignore[reportFunctionMemberAccess]
        return run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "jit", quickly)
        yield
