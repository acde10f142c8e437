"""The variables of the steady state, as expressions or as their values. docs/serve.md."""

from typing import Any, NamedTuple


class Variables(NamedTuple):
    """What is decided, per GPU.

    x, y_m, y_s [I]: slots with a prefill, with a decode on a GPU that has a prefill, and on one
    that has none. lost_prefill, lost_decode [I]: requests per second that leave the queue before
    prefill (or are refused) and the one before decoding. least_share [1]: served share of the
    worst-served class; None where nobody asks. excess: of each penalised level, [1] or [I].

    Queues are stated by the flow that abandons them, q = lost / theta, because that has no
    division by a patience of 0.
    """

    x: Any
    y_m: Any
    y_s: Any
    lost_prefill: Any
    lost_decode: Any
    least_share: Any
    excess: dict[str, Any]
