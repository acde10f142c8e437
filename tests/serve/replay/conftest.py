"""A trace of three minutes, in which the second class wakes up in the second minute."""

from typing import NamedTuple

import numpy as np
import pytest

from lpo.serve import Instance, make_hardware, make_instance
from lpo.serve.replay import Trace
from lpo.serve.requests import Requests, stack_requests, trace_requests


class Changing(NamedTuple):
    """prior: the instance of the first minute, for 3 GPUs."""

    trace: Trace
    kinds: np.ndarray
    prior: Instance

    def requests(self, **options) -> Requests:
        """With five times nobody at the end."""
        run = trace_requests(
            self.prior,
            arrival_s=self.trace.time_s,
            kind=self.kinds,
            prompt=self.trace.prompt,
            decode=self.trace.decode,
            **options,
        )
        filled = stack_requests([run], len(self.kinds) + 5)
        return Requests(*(column[0] for column in filled))


@pytest.fixture(scope="session")
def changing() -> Changing:
    rng = np.random.default_rng(0)
    per_s = np.array([[4.0, 0.2], [4.0, 2.5], [4.0, 2.5]])  # [minutes, classes]
    count = rng.poisson(60.0 * per_s)
    kinds = np.concatenate([np.repeat([0, 1], each) for each in count])
    minute = np.repeat(np.arange(3), count.sum(-1))
    time_s = 60.0 * (minute + rng.random(len(kinds)))
    order = np.argsort(time_s)
    kinds, time_s = kinds[order], time_s[order]
    prompt = rng.geometric(1.0 / np.array([300, 2000])[kinds])
    decode = rng.geometric(1.0 / np.array([120, 60])[kinds])
    prior = make_instance(
        arrival=per_s[0] / 3,
        prompt=[300, 2000],
        decode=[120, 60],
        patience=0.1,
        hardware=make_hardware(batch=8, chunk=256, alpha=0.0174, beta=6.2e-5, tau_solo=0.022),
        price_prompt=0.1,
        price_decode=0.2,
    )
    return Changing(Trace(time_s, prompt, decode, 180.0), kinds, prior)
