"""The paper, item by item, in its order, and last what the protocol of implementations asks: importing this package registers every
quantity and claim, each after its premises."""

# ruff: noqa: F401
# isort: off
from depthlimit.theory.paper import quantities
from depthlimit.theory.paper import setting
from depthlimit.theory.paper import identities
from depthlimit.theory.paper import prop7
from depthlimit.theory.paper import prop3
from depthlimit.theory.paper import prop2
from depthlimit.theory.paper import certificate, averaged
from depthlimit.theory.paper import controls
from depthlimit.theory.paper import general, prop7_quantities, prop7_steps, prop7_rate, prop7_differences
from depthlimit.theory.paper import prop11_setting
from depthlimit.theory.paper import prop11
from depthlimit.theory.paper import prop11_gap
from depthlimit.theory.paper import prop2_steps
from depthlimit.theory.paper import prop11_differences
from depthlimit.theory.paper import lemma20
from depthlimit.theory.paper import prop3_steps
from depthlimit.theory.paper import appendix_d
from depthlimit.theory.paper import section3
from depthlimit.theory.paper import section43
from depthlimit.theory.paper import hypotheses, branches, section43_differences
from depthlimit.theory.paper import relu_limit
from depthlimit.theory.paper import conservation
from depthlimit.theory.paper import variational
from depthlimit.theory.paper import unclipped
from depthlimit.theory.paper import prop8, prop8_steps, prop8_differences, remark1
from depthlimit.theory.paper import long_flow
from depthlimit.theory.paper import theorem4
from depthlimit.theory.paper import prop9, prop15, prop9_differences
from depthlimit.theory.paper import thm14_steps, thm14_differences
from depthlimit.theory.paper import comparison
from depthlimit.theory.paper import hermite, lemma21, lemma21_differences
from depthlimit.theory.paper import prop5_setting, prop5_steps, prop5_layers, prop5_sharp, theorem6, prop5_seeds, prop5_differences
from depthlimit.theory.paper import double_limit
from depthlimit.theory.paper import section51
from depthlimit.theory.paper import adversary
from depthlimit.theory.paper import protocol
