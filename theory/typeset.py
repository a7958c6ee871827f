"""TeX of SymPy expressions, their symbols set as the quantities that they name are."""

from __future__ import annotations

import re
from collections.abc import Mapping

import sympy as sp
from sympy.printing.latex import latex

from depthlimit.theory.quantity import Quantity


def tex_of(expression: sp.Expr, vocabulary: Mapping[str, Quantity]) -> str:
    """TeX of a SymPy expression, its symbols typeset as their quantities are."""
    expression = sp.sympify(expression)
    names = {s: _letters(s.name, vocabulary) for s in expression.free_symbols}
    return str(latex(expression, symbol_names={s: name for s, name in names.items() if name}))


def _letters(name: str, vocabulary: Mapping[str, Quantity]) -> str:
    """TeX of a symbol: its quantity's, or with the accent that its name spells; empty: SymPy is to choose."""
    if name in vocabulary:
        return vocabulary[name].latex
    accented = re.fullmatch(r"([A-Za-z]+)_(hat|tilde|bar)", name)
    if accented is None:
        return ""
    letter = latex(sp.Symbol(accented[1]))
    return rf"\{accented[2]}{{{letter}}}"
