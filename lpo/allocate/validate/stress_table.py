"""A stress test as tidy tables: one row a policy, law and inflation, and one a limit."""

import pandas as pd

from lpo.allocate.validate.proportion import wilson
from lpo.allocate.validate.stress import Stress


def stress_table(stress: Stress) -> pd.DataFrame:
    """One row for each policy, distribution and inflation.

    Columns: policy, distribution, inflation, samples; violated, violated_low, violated_high (share
    of the samples with any limit violated, its 95 % Wilson interval); delay_usd, delay_usd_p95,
    total_usd (realised), fixed_usd, in_sample_usd, price_of_robustness.
    """
    low, high = wilson(stress.violated, stress.samples)
    rows = []
    for p, policy in enumerate(stress.policies):
        for d, distribution in enumerate(stress.distributions):
            for f, inflation in enumerate(stress.inflations):
                at = (p, d, f)
                rows.append(
                    {
                        "policy": policy,
                        "distribution": distribution,
                        "inflation": inflation,
                        "samples": stress.samples,
                        "violated": stress.violated[at],
                        "violated_low": low[at],
                        "violated_high": high[at],
                        "delay_usd": stress.delay_usd[at],
                        "delay_usd_p95": stress.delay_usd_p95[at],
                        "total_usd": stress.total_usd[at],
                        "fixed_usd": stress.fixed_usd[p],
                        "in_sample_usd": stress.in_sample_usd[p],
                        "price_of_robustness": stress.price[p],
                    }
                )
    return pd.DataFrame(rows)


def limits_table(stress: Stress) -> pd.DataFrame:
    """One row for each policy, distribution, inflation, query type and limit (delay or error).

    Columns: policy, distribution, inflation, query_type, limit, samples; violated, violated_low,
    violated_high (share of the samples, its 95 % Wilson interval); excess (mean over all samples of
    what is beyond the limit, as a share of the limit).
    """
    rows = []
    limits = {
        "delay": (stress.delay_violated, stress.delay_excess),
        "error": (stress.error_violated, stress.error_excess),
    }
    intervals = {name: wilson(share, stress.samples) for name, (share, _) in limits.items()}
    for p, policy in enumerate(stress.policies):
        for d, distribution in enumerate(stress.distributions):
            for f, inflation in enumerate(stress.inflations):
                for i, query_type in enumerate(stress.query_types):
                    for limit, (share, excess) in limits.items():
                        at = (p, d, f, i)
                        rows.append(
                            {
                                "policy": policy,
                                "distribution": distribution,
                                "inflation": inflation,
                                "query_type": query_type,
                                "limit": limit,
                                "samples": stress.samples,
                                "violated": share[at],
                                "violated_low": intervals[limit][0][at],
                                "violated_high": intervals[limit][1][at],
                                "excess": excess[at],
                            }
                        )
    return pd.DataFrame(rows)
