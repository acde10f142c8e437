"""The solvers of integer programs that this machine has."""

from importlib.util import find_spec

BACKENDS = ["gurobi", "highs"] if find_spec("gurobipy") else ["highs"]
