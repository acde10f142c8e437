"""LLM Provisioning Optimisation: what to provision for a trace of demand, and how to run it."""

import os

# XLA reads this when JAX first looks for devices. Its concurrent schedule of CPU programs can wait
# for itself: with jaxlib 0.10.2 on two cores, training an LSTM never ended. Flags that are set
# already come later, and win.
_SCHEDULE = "--xla_cpu_enable_concurrency_optimized_scheduler=false"
_GIVEN = os.environ.get("XLA_FLAGS", "")
if _SCHEDULE not in _GIVEN:
    os.environ["XLA_FLAGS"] = f"{_SCHEDULE} {_GIVEN}".strip()
