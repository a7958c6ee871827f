"""The registry: every quantity and every claim by name. Tests, reports, the command line and the oracle iterate over it."""

from __future__ import annotations

from depthlimit.theory.claim import Claim
from depthlimit.theory.quantity import Quantity

_QUANTITIES: dict[str, Quantity] = {}
_CLAIMS: dict[str, Claim] = {}


def quantity(
    name: str, latex: str, axes: tuple[str, ...], meaning: str, *, exact: bool = False, local: bool = True, signed: bool = False
) -> Quantity:
    """Register a Quantity and return it; a second one of the same name is an error."""
    if name in _QUANTITIES:
        raise ValueError(f"quantity {name} is registered already")
    return _QUANTITIES.setdefault(name, Quantity(name, latex, axes, meaning, exact, local, signed))


def register(claim: Claim) -> Claim:
    """Register a Claim and return it; every symbol must be a quantity, every premise a registered label."""
    if claim.id in _CLAIMS:
        raise ValueError(f"claim {claim.id} is registered already")
    unknown = claim.symbols() - _QUANTITIES.keys()
    if unknown:
        raise ValueError(f"{claim.id}: no quantity is named {', '.join(sorted(unknown))}")
    labels = {c.label for c in _CLAIMS.values()}
    missing = [p for p in claim.premises if p not in labels]
    if missing:
        raise ValueError(f"{claim.id}: premises {missing} are not registered before it")
    _CLAIMS[claim.id] = claim
    return claim


def quantities() -> dict[str, Quantity]:
    """All quantities by name."""
    import depthlimit.theory.paper  # noqa: F401  importing it registers everything

    return dict(_QUANTITIES)


def claims(*selectors: str, regime: str | None = None) -> list[Claim]:
    """The claims whose id, label or label prefix is among `selectors` (all if none), in order of registration.

    Raises KeyError naming a selector that matches nothing.
    """
    import depthlimit.theory.paper  # noqa: F401

    def matches(claim: Claim, selector: str) -> bool:
        return selector in (claim.id, claim.label) or claim.label.startswith(selector + ".")

    for selector in selectors:
        if not any(matches(c, selector) for c in _CLAIMS.values()):
            raise KeyError(selector)
    return [
        c for c in _CLAIMS.values() if (not selectors or any(matches(c, s) for s in selectors)) and (regime is None or regime in c.regimes)
    ]
