"""Single placement: columns that no cheaper plan can use, ruled out before a solver is asked."""

from lpo.allocate.narrowing.narrow import Narrowed as Narrowed
from lpo.allocate.narrowing.narrow import can_narrow as can_narrow
from lpo.allocate.narrowing.narrow import narrow as narrow
from lpo.allocate.narrowing.narrow import plan_exists as plan_exists
