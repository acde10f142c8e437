"""A large fleet without randomness: the differential equations that a policy closes."""

from lpo.serve.fluid.path import FluidPath as FluidPath
from lpo.serve.fluid.path import integrate as integrate
