"""The chain, fully optimised: the tests simulate millions of events."""

import pytest

from lpo.serve.per_gpu import chain
from tests import quick

_FAST = quick.program(chain._window, 0, 1, 2, options=quick.LONG)


@pytest.fixture(scope="session", autouse=True)
def optimised():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain, "_window", _FAST)
        yield
