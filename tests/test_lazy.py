"""Packages whose names load when they are asked for: each public name, and no other."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("package", ["lpo.allocate", "lpo.optim", "lpo.runs"])
def test_every_declared_name_is_that_of_its_module(package):
    text = (ROOT / package.replace(".", "/") / "__init__.py").read_text()
    declared = re.findall(r"from (lpo\.[\w.]+) import (\w+) as \w+", text)
    assert declared
    module = importlib.import_module(package)
    for home, name in declared:
        assert getattr(module, name) is getattr(importlib.import_module(home), name), name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = module.nothing
