"""Measures: for each quantity of the theory, how a run supplies it. Importing this package registers them all."""

from depthlimit.models.measure import (  # noqa: F401
    certificate,
    conservation,
    consistency,
    counterexamples,
    displacement,
    euler,
    general,
    identities,
    instance,
    ladder,
    network,
    prop3_steps,
    random_matrix,
    relu,
    sampling,
    section3,
    section43,
    successive,
    unclipped,
    variational,
)
