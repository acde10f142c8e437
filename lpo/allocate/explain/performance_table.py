"""What each model does on each tier: delay, error, price, and the degrees at which it fits."""

import numpy as np
import pandas as pd

from lpo.allocate.instance import Instance


def performance_table(instance: Instance) -> pd.DataFrame:
    """One row a model and tier: delay on one GPU and error, least and largest of the query types.

    delay in ms a token as expected, error a fraction as expected; `*_worst` with the whole
    deviation, largest of the query types. usd_per_gpu_hour. degrees: those at which the weights
    fit, "none" where they do not.
    """
    data, n = instance.data, np.asarray(instance.tensor_parallel)
    rows = []
    for j, model in enumerate(instance.models):
        for k, tier in enumerate(instance.tiers):
            delay, error = data.delay_ms_per_token[:, j, k], data.error_rate[:, j, k]
            fitting = n[data.weights_gb[j] / n <= data.memory_gb[k]]
            rows.append(
                {
                    "model": model,
                    "tier": tier,
                    "usd_per_gpu_hour": float(data.price_usd_per_hour[k]),
                    "degrees": ", ".join(map(str, fitting)) or "none",
                    "delay_ms_per_token_least": float(delay.min()),
                    "delay_ms_per_token_largest": float(delay.max()),
                    "delay_ms_per_token_worst": float(
                        (delay + data.delay_deviation[:, j, k]).max()
                    ),
                    "error_least": float(error.min()),
                    "error_largest": float(error.max()),
                    "error_worst": float((error + data.error_deviation[:, j, k]).max()),
                }
            )
    return pd.DataFrame(rows)
