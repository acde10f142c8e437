"""Which numbers cost, time and accuracy of a query depend on, by name."""

from lpo.scale.laws import Latency, LawNumbers, Laws, Rule
from lpo.scale.models import Models
from lpo.scale.passes import Pairs

LIMITS = ("cost_limit", "time_limit", "accuracy_limit")
_LENGTHS = ("prompt", "prompt_sd", "output", "output_sd")


def cost_parameters(pairs: Pairs | None = None) -> tuple[str, ...]:
    """Return the fields of `Models` that costs depend on; observed lengths replace the model's."""
    return (*(() if pairs is not None else _LENGTHS), "input_price", "output_price")


def time_parameters(laws: Laws, pairs: Pairs | None = None) -> tuple[str, ...]:
    """Return the fields of `Models` and `LawNumbers` that times depend on."""
    lengths = () if pairs is not None else _LENGTHS
    contention = ("contention",) if laws.latency == Latency.CONTENDED else ()
    return (*lengths, "input_s", "output_s", *contention)


def accuracy_parameters(laws: Laws) -> tuple[str, ...]:
    """Return the fields of `Models` and `LawNumbers` that accuracies depend on."""
    names = ["accuracy"]
    names += ["accuracy_sd"] * (laws.varied or not laws.rule.votes)
    names += ["correlation"] * laws.correlated
    names += ["verifier_sd"] * (laws.rule == Rule.VERIFIER)
    names += ["right_weight", "wrong_weight"] * (laws.rule == Rule.WEIGHTED)
    return tuple(names)


def used_parameters(laws: Laws, pairs: Pairs | None = None) -> tuple[str, ...]:
    """Return the names of all that choices depend on: of `Models`, `LawNumbers` and `LIMITS`."""
    used = {*cost_parameters(pairs), *time_parameters(laws, pairs), *accuracy_parameters(laws)}
    fields = (*Models._fields, *LawNumbers._fields)
    return (*(name for name in fields if name in used), *LIMITS)
