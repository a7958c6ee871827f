"""The paper, item by item, in its order: importing this package registers every quantity and claim, each after its premises."""

# isort: off
from depthlimit.theory.paper import quantities
from depthlimit.theory.paper import setting
from depthlimit.theory.paper import identities
from depthlimit.theory.paper import prop7
from depthlimit.theory.paper import prop3
from depthlimit.theory.paper import prop2
from depthlimit.theory.paper import certificate
from depthlimit.theory.paper import controls
from depthlimit.theory.paper import known_differences

# isort: on

__all__ = ["certificate", "controls", "identities", "known_differences", "prop2", "prop3", "prop7", "quantities", "setting"]
