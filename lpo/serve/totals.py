"""What a simulated fleet did in windows of time. docs/serve_simulators.md."""

from typing import Any, NamedTuple


class Occupancy(NamedTuple):
    """Requests in the system by class, [..., I], counts.

    waiting_prefill (Q_p), prefilling (X), waiting_decode (Q_d), and decoding: mixed, solo (Y_m,
    Y_s). In the aggregated chain `mixed` means on the GPUs that may prefill; in the other
    simulators beside a prefill that runs.
    """

    waiting_prefill: Any
    prefilling: Any
    waiting_decode: Any
    mixed: Any
    solo: Any


class Totals(NamedTuple):
    """Of the whole fleet in a window, [..., I] by class; NumPy float64 outside compiled code.

    seconds [...]: length of the window. arrivals, left_prefill, prefilled, left_decode, completed:
    counts; left: gave up while waiting for prefill or for decoding, or were refused. time: integral
    of the occupancy, requests x seconds. completing: integral of the rate at which decodes end, so
    that its mean is that of `completed`, with less variance; prefills: mu_p x time.prefilling.
    begin, end: occupancy at both ends, so that nobody gets lost:

        begin + arrivals = left_prefill + left_decode + completed + end        (sums over stages)
    """

    seconds: Any
    arrivals: Any
    left_prefill: Any
    prefilled: Any
    left_decode: Any
    completed: Any
    time: Occupancy
    completing: Any
    begin: Occupancy
    end: Occupancy
