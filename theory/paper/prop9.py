r"""Appendix A.3 (pages 21-23) line by line: Proposition 9, (26) to (31), Corollary 10; and Appendix B.4, which applies them.

Instances are families Z_k^L(t) in closed form at every depth, with their limit; C is the largest of what (i) and (ii) bound,
L‖Z_{k+1} - Z_k‖, ‖Z_k‖ and b. Depths of a run are values φ(L) of the subsequence, written L. The proof's choices, made explicit:

    δ = ε/C;   s_1..s_S the midpoints of S = ⌊1/(2δ)⌋ + 1 equal pieces of [0, 1];   t_0 with ∫_{t_0}^∞ b <= ε, or sup I if I is bounded;
    t_1..t_T the midpoints of ⌊t_0/(2δ)⌋ + 1 equal pieces of [0, t_0]

so t_0 is none of the t_j, as the print allows. Since |⌊x⌋ - ⌊y⌋| < |x - y| + 1, (26) holds with (1 - 1/L)|s - s'| for |s - s'|. The term
C/φ(L) of (29) is not needed: s is the same on both sides. That b is bounded by C costs nothing: C may be replaced by max(C, sup b).
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.quantities import B_, L_, N_, T_
from depthlimit.theory.quantity import maximum
from depthlimit.theory.registry import quantity, register

BT, BTL, ALL = (B_, T_), (B_, T_, L_), (B_, T_, L_, N_)
FAMILY = ("family",)


def known(name: str, latex: str, axes: tuple[str, ...], meaning: str, **more: Any) -> sp.Symbol:
    """A quantity of a family."""
    return quantity(name, latex, axes, meaning, **more).symbol


C = known("family_C", "C", (), "largest of L‖Z_{k+1} - Z_k‖, ‖Z_k‖ and b over all L, k and t")
eps = known("family_eps", r"\varepsilon", (), "ε of the proof", exact=True)
apart = known("family_apart", "|s-s'|", (L_, N_), "distance of two depths")
steps = known("family_steps", "|i-j|", (B_, L_, N_), "layers between two depths, in integers", exact=True)
both = known("family_both", r"\|\Delta\mathcal Z^L\|", ALL, "change of the piecewise constant function")
limit_both = known("family_limit_both", r"\|\Delta\mathcal Z\|", (T_, L_, N_), "change of the limit")
near = known("family_near", r"\varepsilon_j", (T_, L_), "distance of (s, t) from (s_j, t_j)")
pair = known("family_pair", r"\|\mathcal Z^L-\mathcal Z^M\|", BTL, "distance at two depths of the run")
pair_near = known("family_pair_near", r"\|\mathcal Z^L_j-\mathcal Z^M_j\|", BTL, "the same at (s_j, t_j)")
other = known("family_other", "M", (B_,), "the other of two depths", exact=True)
shift_s = known("family_shift_s", r"\|\Delta_s\mathcal Z^L\|", BTL, "change over δ in depth")
limit_shift_s = known("family_limit_shift_s", r"\|\Delta_s\mathcal Z\|", (T_, L_), "the same of the limit")
shift_t = known("family_shift_t", r"\|\Delta_t\mathcal Z^L\|", BTL, "change over δ in time")
limit_shift_t = known("family_limit_shift_t", r"\|\Delta_t\mathcal Z\|", (T_, L_), "the same of the limit")
late = known("family_late", r"\|\Delta_0\mathcal Z^L\|", BTL, "change after t_0, of t > t_0")
path = known("family_path", r"\int\|\dot Z_k\|", BTL, "length of the path of the layer at s after t_0")
path_printed = known(
    "family_path_printed",
    r"\int\|\dot Z_{\lfloor Ls\rfloor}\|",
    BTL,
    "the same of the layer that (30) prints, layer 1 for layer 0",
)
star = known("family_star", r"\|\Delta_*\mathcal Z^L\|", BTL, "distance from t*: the nearest t_j, or t_0")
limit_star = known("family_limit_star", r"\|\Delta_*\mathcal Z\|", (T_, L_), "the same of the limit")
D = known("family_D", "D", BTL, "distance of Z^L(s, t) from the limit Z(s, t)")
D_star = known("family_D_star", "D_*", BTL, "distance from the limit at t*")
D_nodes = known("family_D_nodes", r"\max_iD_{i*}", BT, "largest distance from the limit at t* and the s_i")
D_grid = known("family_D_grid", r"\max_{j\ge1}D_{ij}", (B_,), "largest distance at the s_i and the t_j")
D_grid0 = known("family_D_grid0", r"\max_{j\ge0}D_{ij}", (B_,), "the same with t_0 among the t_j")
D_one = known("family_D_one", "D_1", BT, "distance of the last layer, a function of t alone, from its limit")
D_one_grid = known("family_D_one_grid", r"\max_{j\ge0}D_{1j}", (B_,), "largest of these at t_0 and the t_j")
from_start = known("from_start", r"\|Z_k(t)-Z_1(0)\|", BTL, "distance of layer k at t from layer 1 at 0, Euclidean", local=False)
layers_up = known("layers_up", "k-1", (L_,), "layers below", exact=True)
gap_run = known("gap_run", r"\sup\|Z_{k+1}-Z_k\|", (), "largest successive difference of the run, Euclidean", local=False)

_L = Q.depth
_ITEM = "Proposition 9"


def family(
    label: str, lhs: sp.Expr, relation: str, rhs: sp.Expr, page: int, tex: str, meaning: str, *, equation: str = "", **more: Any
) -> None:
    """Register a claim on families, as a step of Proposition 9 unless another item is named."""
    source = Source(more.pop("item", _ITEM), more.pop("part", "proof"), equation, page)
    opposite = {"<=": ">=", ">=": "<="}.get(relation)
    attained = Condition("the two sides agree", lhs, opposite, sp.sympify(rhs)) if opposite else None
    settings: dict[str, Any] = {"role": Role.STEP, "regimes": FAMILY, "equality": attained, **more}
    register(Claim(label, lhs, relation, sp.sympify(rhs), source=source, tex=tex, meaning=meaning, **settings))


family("prop9.floor", both, "<=", C * Q.t + C * steps / _L, 21,
       r"\|\mathcal Z^L(s,t)-\mathcal Z^L(s',t')\| \le C|t-t'|+\frac{C|\lfloor(L-1)s\rfloor-\lfloor(L-1)s'\rfloor|}L",
       "Layers differ by at most C|i - j|/L, by (i), and move at speed C at most, by (ii); at t = t' and s = s' the two lines before.",
       tool=Tool.TRIANGLE)  # fmt: skip
family("prop9.eq26", both, "<=", C * Q.t + C * apart + C / _L, 21, r"\cdots \le C|t-t'|+C|s-s'|+\frac CL",
       "The piecewise constant function is Lipschitz continuous up to C/L.", equation="(26)", premises=("prop9.floor",),
       tool=Tool.SUPREMUM, note="C(1 - 1/L)|s - s'| would do.")  # fmt: skip
family("prop9.cauchy", pair, "<=", 2 * C * near + C / _L + pair_near + 2 * C * near + C / other, 21,
       r"\|\mathcal Z^{\phi(L)}(s,t)-\mathcal Z^{\phi(M)}(s,t)\| \le 4C\varepsilon+\frac C{\phi(L)}+\frac C{\phi(M)}"
       r"+\|\mathcal Z^{\phi(L)}(s_j,t_j)-\mathcal Z^{\phi(M)}(s_j,t_j)\|",
       "A Cauchy sequence at (s_j, t_j) is one up to 4Cε at (s, t).", premises=("prop9.eq26",), tool=Tool.TRIANGLE,
       note="That the (s_j, t_j) are dense needs an I that is no single point: Q ∩ {√2} is empty.")  # fmt: skip
family("prop9.eq27", limit_both, "<=", C * (apart + Q.t), 22, r"\|\mathcal Z^\phi(s,t)-\mathcal Z^\phi(s',t')\| \le C(|s-s'|+|t-t'|)",
       "The limit is Lipschitz continuous.", equation="(27)", premises=("prop9.eq26",), tool=Tool.SUPREMUM)  # fmt: skip
for _number, _shift, _limit, _where, _points, _note in (
    ("28", shift_s, limit_shift_s, "depth", ("(s',t')", "(s'',t')"), ""),
    ("29", shift_t, limit_shift_t, "time", ("(s',t')", "(s',t'')"), "Without C/φ(L) too: s' is the same on both sides."),
):
    family(f"prop9.eq{_number}", maximum(_shift - C / _L, _limit), "<=", eps, 22,
           r"\|" + r"-".join(r"\mathcal Z^{\phi(L)}" + p for p in _points) + r"\| \le \varepsilon+\frac C{\phi(L)},\quad \|"
           + "-".join(r"\mathcal Z^\phi" + p for p in _points) + r"\| \le \varepsilon",
           f"Over δ = ε/C in {_where} the functions change by at most ε + C/φ(L), the limit by ε.",
           equation=f"({_number})", premises=("prop9.eq26", "prop9.eq27"), tool=Tool.SUPREMUM, note=_note)  # fmt: skip
for _edition, _path, _index in (("as-printed", path_printed, r"(\phi(L)s-1)"), ("corrected", path, r"(\phi(L)-1)s")):
    _left = r"\|\mathcal Z^{\phi(L)}(s,t)-\mathcal Z^{\phi(L)}(s,t_0)\|" if _edition == "as-printed" else r"\cdots"
    family("prop9.eq30", late, "<=", _path, 22,
           rf"{_left} \le \int_{{t_0}}^t\|\tfrac d{{dt}}Z^{{\phi(L)}}_{{\lfloor{_index}\rfloor+1}}(\tau)\|d\tau",
           "After t_0 a layer moves by at most the length of its path.", equation="(30)", edition=_edition, tool=Tool.TRIANGLE,
           expect="prop9-index-witness" if _edition == "as-printed" else None,
           note="⌊(φ(L)s - 1)⌋ + 1 = ⌊φ(L)s⌋ is the layer below, and 0 for s < 1/φ(L)." if _edition == "as-printed" else "")  # fmt: skip
family("prop9.eq31", maximum(star - C / _L, limit_star), "<=", eps, 22,
       r"\|\mathcal Z^{\phi(L)}(s,t)-\mathcal Z^{\phi(L)}(s,t^*)\| \le \varepsilon+\frac C{\phi(L)},\quad"
       r"\|\mathcal Z^\phi(s,t)-\mathcal Z^\phi(s,t^*)\| \le \varepsilon",
       "Both are within ε of their values at t*, for all t.", equation="(31)", premises=("prop9.eq29", "prop9.eq30"),
       tool=Tool.SUPREMUM)  # fmt: skip
_2 = 2 * eps + C / _L
family("prop9.in-t", D, "<=", _2 + D_star, 22,
       r"\|\mathcal Z^{\phi(L)}(s,t)-\mathcal Z^\phi(s,t)\| \le 2\varepsilon+\frac C{\phi(L)}"
       r"+\|\mathcal Z^{\phi(L)}(s,t^*)-\mathcal Z^\phi(s,t^*)\|",
       "From t to t*.", premises=("prop9.eq31",), tool=Tool.TRIANGLE)  # fmt: skip
family("prop9.in-s", D_star, "<=", _2 + D_nodes, 22,
       r"\|\mathcal Z^{\phi(L)}(s,t^*)-\mathcal Z^\phi(s,t^*)\| \le 2\varepsilon+\frac C{\phi(L)}"
       r"+\max_i\|\mathcal Z^{\phi(L)}(s_i,t^*)-\mathcal Z^\phi(s_i,t^*)\|",
       "From s to s*.", premises=("prop9.eq28",), tool=Tool.TRIANGLE)  # fmt: skip
_PRINTED = (
    r"\|\mathcal Z^{\phi(L)}(s,t)-\mathcal Z^\phi(s,t)\| \le 4\varepsilon+\frac{2C}{\phi(L)}"
    r"+\max_{i\in\{1,\dots,S\},j\in\{1,\dots,T\}}\|\mathcal Z^{\phi(L)}(s_i,t_j)-\mathcal Z^\phi(s_i,t_j)\|"
)
for _edition, _bound, _grid, _tex in (
    ("as-printed", 2 * _2, D_grid, _PRINTED),
    ("corrected", 2 * _2, D_grid0, r"D \le 4\varepsilon+\frac{2C}{\phi(L)}+\max_{j\ge0}D_{ij}"),
    ("sharpened", 4 * eps + C / _L, D_grid0, r"D \le 4\varepsilon+\frac C{\phi(L)}+\max_{j\ge0}D_{ij}"),
):
    family("prop9.uniform", D, "<=", _bound + _grid, 23, _tex,
           "Convergence at finitely many points is uniform convergence, up to 4ε.", edition=_edition, role=Role.RESULT,
           premises=("prop9.in-t", "prop9.in-s"), tool=Tool.TRIANGLE, expect="prop9-cover-witness" if _edition == "as-printed" else None,
           note="For t > t_0, t* is t_0, which need not be among t_1..t_T." if _edition == "as-printed" else "")  # fmt: skip
family("prop9.one-index", D_one, "<=", 2 * eps + D_one_grid, 23, r"A^{\phi(L)}(t) \to A(t)\text{ uniformly over }t",
       "Functions of t alone: 2ε and finitely many times.", item="Corollary 10", part="", edition="explicit", role=Role.RESULT,
       premises=("prop9.in-t",), tool=Tool.TRIANGLE)  # fmt: skip
family("prop9.trained", from_start, "<=", Q.M_pi_Z * Q.t + layers_up * gap_run, 32,
       r"(Z_k^L)_{L\in\mathbb N^*,1\le k\le L}\text{ satisfies the assumptions of Proposition 9}",
       "Trained with a clip, layers satisfy (26) with b = M_π and the successive differences of the run.", item="Theorem 4",
       part="proof, Appendix B.4", edition="explicit", inputs="along-trajectory", regimes=("clipped-flow",),
       premises=("prop9.floor",), tool=Tool.TRIANGLE,
       note="b = M_π is integrable since T is finite: here I must be bounded.")  # fmt: skip
