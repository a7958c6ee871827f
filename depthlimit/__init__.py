"""depthlimit: a property-based verification suite for the theorems of "Implicit regularization of deep residual networks towards
neural ODEs" (Marion, Wu, Sander, Biau, ICLR 2024).

    import depthlimit

    claims = depthlimit.claims("prop7")                      # what is checked, symbolic
    spec = depthlimit.Spec.model_validate({...})             # one instance as plain JSON
    claims[0].bound(spec)                                    # a bound at an instance, enclosed
    records = depthlimit.verify(spec)                        # every claim of the spec's regime judged
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from depthlimit.models.spec import Spec
    from depthlimit.theory.claim import Claim

__version__ = "0.1.0"
__all__ = ["Spec", "__version__", "chosen", "claims", "verify"]


def claims(*selectors: str) -> list[Claim]:
    """The registered claims, or those whose id, label or label prefix is given. Raises KeyError for a selector that matches none."""
    from depthlimit.models import check  # noqa: F401  it tells claims how a Spec becomes fields
    from depthlimit.theory import registry

    return registry.claims(*selectors)


def chosen(device: str) -> str:
    """The implementation of ours that serves a device, "cpu" or "cuda", best."""
    return "compiled" if device == "cpu" else "torch"


def verify(spec: Any, implementation: str = "numpy", device: str = "cpu") -> list[dict[str, Any]]:
    """Records of every claim that applies to one Spec (or its JSON), as `depthlimit verify --spec` writes them.

    Raises `depthlimit.models.spec.BadInput` (a ValueError) for a spec or an implementation that cannot be used.
    """
    from depthlimit.models.check import check
    from depthlimit.models.implementation import load
    from depthlimit.models.spec import Spec, read_spec

    parsed = spec if isinstance(spec, Spec) else read_spec(spec, "spec")
    return check(parsed, load(implementation, device))[0]


def __getattr__(name: str) -> Any:
    if name == "Spec":
        from depthlimit.models.spec import Spec

        return Spec
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
