"""Formulas as MathML, made when the report is written: the paper's TeX as printed, and the SymPy expression
as computed.

SymPy reorders and merges (it rewrites n√(nq)), so the second never replaces the first. TeX that latex2mathml
does not know is shown as TeX rather than wrongly. What it writes is mended where MathML Core reads it
otherwise than TeX does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from xml.etree import ElementTree

import sympy as sp
from latex2mathml.converter import convert
from markupsafe import Markup, escape

from depthlimit.theory.claim import Claim
from depthlimit.theory.quantity import Quantity
from depthlimit.theory.typeset import tex_of

RELATIONS = {"<=": r"\leq", ">=": r"\geq", "=": "="}
_LIMITS = ("sup", "inf", "max", "min", "lim")
_NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"
_BIG = r"\\[Bb]igg?[lr]?\s*"  # latex2mathml knows it before parentheses only
_BIG_BARS = re.compile(_BIG + r"(?:\\\||\\[lr]?Vert)")
_SIDES = {"l": "left", "r": "right"}
_SANS_SERIF_A = 0x1D5A0
_FENCES = {"prefix": "([{⟨⌊⌈|‖", "postfix": ")]}⟩⌋⌉|‖"}  # stretchy by MathML Core's own dictionary


def _prepare(tex: str) -> str:
    tex = tex.strip()
    for left, right in (("$$", "$$"), ("$", "$"), (r"\[", r"\]"), (r"\(", r"\)")):
        if tex.startswith(left) and tex.endswith(right) and len(tex) > len(left) + len(right):
            tex = tex[len(left) : -len(right)].strip()
    if len(re.findall(rf"{_BIG}\\langle", tex)) == len(re.findall(rf"{_BIG}\\rangle", tex)):
        tex = re.sub(rf"{_BIG}\\(l|r)angle", lambda m: rf"\{_SIDES[m[1]]}\{m[1]}angle", tex)
    bars = iter(("left", "right") * len(tex))
    if len(_BIG_BARS.findall(tex)) % 2 == 0:
        tex = _BIG_BARS.sub(lambda _: rf"\{next(bars)}\|", tex)
    tex = re.sub(r"\\(begin|end)\{aligned\}", r"\\\1{align*}", tex)
    return re.sub(r"\\mathrm\{([A-Za-z ]+)\}", r"\\text{\1}", tex)  # as \mathrm it loses its uprightness


def _mend(element: ElementTree.Element, display: bool) -> None:
    text = element.text or ""
    if element.tag == "mi" and len(text) == 1 and unicodedata.category(text) in ("Sm", "Ps", "Pe"):
        element.tag = "mo"  # ⩽ and ⟨ come as identifiers
    if element.get("mathvariant") == "sans-serif" and len(text) == 1 and text.isupper():
        del element.attrib["mathvariant"]  # MathML Core knows the letter, not the variant
        element.text = chr(_SANS_SERIF_A + ord(text) - ord("A"))
    if element.tag == "mo" and text in ("‖", "|") and "form" not in element.attrib:
        element.tag, element.attrib = "mi", {}  # as infix, which position alone makes them, they stand apart
    if element.tag == "mo" and text in ("(", ")") and element.get("stretchy") == "false":
        element.tag, element.attrib = "mi", {}  # set as it is, in half the bytes
    if element.tag == "mspace" and element.get("width", "").startswith("negative"):
        element.set("width", "-0.167em")
    if display and element.tag == "msub" and element[0].text in _LIMITS:
        element.tag = "munder"  # in display style sup_x is set with x below


def _unwrap(parent: ElementTree.Element) -> None:
    """Put what a row of one element holds in its place; <math> is a row itself."""
    for i, child in enumerate(parent):
        _unwrap(child)
        if child.tag == "mrow" and len(child) == 1 and not child.attrib:
            parent[i] = child[0]
    if parent.tag == "math" and len(parent) == 1 and parent[0].tag == "mrow" and not parent[0].attrib:
        parent[:] = list(parent[0])


def _plain_fences(row: ElementTree.Element) -> None:
    """A fence at an end of a row is read as what its attributes say without them."""
    if row.tag in ("mrow", "math") and len(row) > 1:
        for end, form in ((row[0], "prefix"), (row[-1], "postfix")):
            if end.tag == "mo" and end.attrib == {"stretchy": "true", "fence": "true", "form": form} and (end.text or "?") in _FENCES[form]:
                end.attrib = {}


@lru_cache(maxsize=4096)
def from_tex(tex: str, display: bool = True) -> Markup:
    """MathML of TeX, or the TeX itself where the converter leaves a command or an alignment mark in it."""
    fallback = Markup('<code class="tex">{}</code>').format(tex)
    try:
        tree = ElementTree.fromstring(convert(_prepare(tex), display="block" if display else "inline"))
    except Exception:  # the converter raises many kinds, and an unescaped & makes the XML malformed
        return fallback
    for element in tree.iter():
        element.tag = element.tag.removeprefix(_NAMESPACE)
        if "\\" in (element.text or "") or (element.text or "").strip() == "&":
            return fallback
        _mend(element, display)
    _unwrap(tree)
    for element in tree.iter():
        _plain_fences(element)
    if not display:
        del tree.attrib["display"]  # inline is what <math> is without it
    return Markup(ElementTree.tostring(tree, encoding="unicode"))


def computed(claim: Claim, vocabulary: Mapping[str, Quantity]) -> Markup:
    """`lhs relation rhs` as computed."""
    left, right = (tex_of(side, vocabulary) for side in (claim.lhs, claim.rhs))
    return from_tex(f"{left} {RELATIONS[claim.relation]} {right}")


def definition(symbol: sp.Symbol, expression: sp.Expr, vocabulary: Mapping[str, Quantity]) -> Markup:
    """`symbol = expression`."""
    return from_tex(f"{tex_of(symbol, vocabulary)} = {tex_of(expression, vocabulary)}")


def inline(tex: str) -> Markup:
    """MathML in a line of text."""
    return from_tex(tex, display=False)


def prose(text: str) -> Markup:
    """Text in which $...$ is set as a formula."""
    parts = re.split(r"\$([^$]+)\$", text)
    return Markup("").join(inline(part) if i % 2 else escape(part) for i, part in enumerate(parts))
