"""How fast a GPU serves, what a request pays and how much capacity it takes. docs/serve.md.

Array operators only, so that the same lines serve NumPy and JAX.
"""

from typing import Any, NamedTuple

from lpo.serve.instance import Instance


class Rates(NamedTuple):
    """Numbers that follow from an instance (arXiv 2602.02987, section on the model).

    tau [] s: a mixed iteration. gamma []: tokens per second of a stream on a GPU without a prefill.
    mu_p, mu_m, mu_s [I] per second: completions of a prefill, of a decode on a GPU with a prefill
    and on one without; mu_s / mu_m = gamma tau for every class. w [I] currency: a whole request.
    kappa [] decode tokens: what a prompt token displaces. size [I] decode tokens: what a request
    takes of the solo capacity batch gamma, D + kappa P (docs/serve.md, "Closed form").
    """

    tau: Any
    gamma: Any
    mu_p: Any
    mu_m: Any
    mu_s: Any
    w: Any
    kappa: Any
    size: Any


def service_rates(instance: Instance) -> Rates:
    """Return the rates of an instance, NumPy or JAX as its numbers are; differentiable."""
    hardware, prompt, decode = instance.hardware, instance.prompt, instance.decode
    B, C = hardware.batch, hardware.chunk
    tau = hardware.alpha + hardware.beta * C
    gamma = 1.0 / hardware.tau_solo
    kappa = (B * gamma * tau - (B - 1)) / C
    return Rates(
        tau=tau,
        gamma=gamma,
        mu_p=C / (prompt * tau),
        mu_m=1.0 / (decode * tau),
        mu_s=gamma / decode,
        w=instance.price_prompt * prompt + instance.price_decode * decode,
        kappa=kappa,
        size=decode + kappa * prompt,
    )
