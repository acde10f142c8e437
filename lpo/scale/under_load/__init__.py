"""Passes on a cluster that is shared: their time and cost under load. docs/scale.md."""

from lpo.scale.under_load.cluster import Cluster as Cluster
from lpo.scale.under_load.cluster import instance_under_load as instance_under_load
from lpo.scale.under_load.cluster import make_cluster as make_cluster
from lpo.scale.under_load.cluster import mean_lengths as mean_lengths
from lpo.scale.under_load.cluster import seconds_per_token as seconds_per_token
from lpo.scale.under_load.cluster import token_prices as token_prices
from lpo.scale.under_load.cluster import unloaded_s as unloaded_s
from lpo.scale.under_load.curves import Cost as Cost
from lpo.scale.under_load.curves import curves_under_load as curves_under_load
from lpo.scale.under_load.curves import curves_without_load as curves_without_load
from lpo.scale.under_load.curves import time_in_run as time_in_run
from lpo.scale.under_load.doubts import notes as notes
from lpo.scale.under_load.simulation import UnderLoad as UnderLoad
from lpo.scale.under_load.simulation import serve_passes as serve_passes
