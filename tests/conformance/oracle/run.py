"""`depthlimit oracle run`: a run of `verify` on what an implementation can get wrong, in processes that may crash and hang."""

from __future__ import annotations

from collections.abc import Sequence

from depthlimit.models.calls import ARGUMENTS
from depthlimit.models.spec import BadInput
from depthlimit.models.verify import Plan, cost, make_plan

# The regimes whose runs ask the implementation, the cheapest first, and their shares of the generated cases that are no single states.
ASKED = (
    "network",
    "pl-ball",
    "plain-flow",
    "clipped-flow",
    "euler-scheme",
    "euler-ladder",
    "local-pl",
    "depth-ladder",
    "training-limit",
    "long-flow",
)
_SHARES = {"plain-flow": 3, "clipped-flow": 3, "euler-scheme": 1, "local-pl": 1}
FLOWS, MOST = 50, 500  # one generated case of so many is a flow, an ODE or a certificate, up to a number: they cost the most by far
METHODS = (*ARGUMENTS, "batch")


def counts(examples: int) -> dict[str, int]:
    """How many generated cases of each regime make up `examples`."""
    slow = min(examples // FLOWS, MOST)
    total = sum(_SHARES.values())
    shares = {kind: slow * share // total for kind, share in _SHARES.items()}
    return {"network": examples - sum(shares.values()), **shares}


def plan(
    implementation: str,
    *,
    device: str = "cpu",
    methods: Sequence[str] = (),
    only: Sequence[str] = (),
    examples: int = 400,
    seed: int = 0,
    timeout: float = 60.0,
    workers: int = 1,
    fail_fast: bool = False,
    command: Sequence[str] = (),
) -> Plan:
    """The corpus and `examples` generated instances, cheap ones first; the implementation is not made (see `tried`). Raises BadInput."""
    if unknown := [m for m in methods if m not in METHODS]:
        raise BadInput(f"--methods {','.join(unknown)}: accepted are {', '.join(METHODS)}")
    if examples < 0 or not timeout > 0:
        raise BadInput(f"--max-examples {examples}, --timeout {timeout:g}: expected at least 0 examples and more than 0 seconds")
    found = make_plan(
        seed=seed,
        only=only,
        implementation=implementation,
        device=device,
        workers=workers,
        command=command,
        counts=counts(examples),
        trusted=False,
    )
    found.units = sorted((u for u in found.units if u.spec.regime.kind in ASKED), key=lambda u: cost(u.spec))
    if not found.units:
        raise BadInput(f"--only {' '.join(only)}: these claims ask nothing of an implementation")
    found.methods, found.timeout, found.isolated, found.fail_fast = list(methods), timeout, True, fail_fast
    return found
