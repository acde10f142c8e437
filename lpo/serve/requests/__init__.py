"""Request by request: percentiles of waits and replay of traces. docs/serve_requests.md."""

from lpo.serve.requests.arrivals import Requests as Requests
from lpo.serve.requests.arrivals import make_requests as make_requests
from lpo.serve.requests.arrivals import poisson_requests as poisson_requests
from lpo.serve.requests.arrivals import stack_requests as stack_requests
from lpo.serve.requests.arrivals import trace_requests as trace_requests
from lpo.serve.requests.engine import Run as Run
from lpo.serve.requests.engine import advance as advance
from lpo.serve.requests.engine import read as read
from lpo.serve.requests.engine import serve as serve
from lpo.serve.requests.engine import start as start
from lpo.serve.requests.latencies import Latencies as Latencies
from lpo.serve.requests.latencies import latencies_of as latencies_of
from lpo.serve.requests.latencies import quantiles as quantiles
from lpo.serve.requests.measures import RequestMeasures as RequestMeasures
from lpo.serve.requests.measures import estimates as estimates
from lpo.serve.requests.measures import measure_batches as measure_batches
from lpo.serve.requests.measures import measure_requests as measure_requests
from lpo.serve.requests.served import Served as Served
from lpo.serve.requests.served import Status as Status
from lpo.serve.requests.windows import window_totals as window_totals
