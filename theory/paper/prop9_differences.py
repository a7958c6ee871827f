"""What pages 22-23, 30 and 36-37 print otherwise than it must read: Propositions 9 and 15, Lemmas 16 and 19."""

from __future__ import annotations

from depthlimit.theory.claim import Source
from depthlimit.theory.difference import Difference, differ

_9, _15, _16, _19 = "Proposition 9", "Proposition 15", "Lemma 16", "Lemma 19"
_FALSE, _OTHER, _UNSTATED, _HARMLESS = (
    *("false as printed", "holds with another constant"),
    *("hypothesis not stated", "misprint without consequence"),
)

for _id, _source, _printed, _corrected, _kind, _consequence, _evidence, _replay in (
    (
        "d-prop9-30-index",
        Source(_9, "proof", "(30)", 22),
        r"\int_{t_0}^t\Big\|\frac d{dt}Z^{\phi(L)}_{\lfloor(\phi(L)s-1)\rfloor+1}(\tau)\Big\|d\tau",
        r"\int_{t_0}^t\Big\|\frac d{dt}Z^{\phi(L)}_{\lfloor(\phi(L)-1)s\rfloor+1}(\tau)\Big\|d\tau",
        _FALSE,
        "None: every layer moves at speed b at most, which is what the next inequality uses.",
        (
            "By hand: ⌊φ(L)s - 1⌋ + 1 = ⌊φ(L)s⌋, at s = 0 the index 0, and for L = 3, s = 1/2 layer 1 where (8) has layer 2.",
            "On a family whose upper layers move faster the left side is 1.16 times the printed right side (prop9-index-witness).",
        ),
        "replay prop9-index-witness --implementation numpy",
    ),
    (
        "d-prop9-cover",
        Source(_9, "proof, last display", "", 23),
        r"\max_{i\in\{1,\dots,S\},j\in\{1,\dots,T\}}\|\mathcal Z^{\phi(L)}(s_i,t_j)-\mathcal Z^\phi(s_i,t_j)\|",
        r"\max_{i\in\{1,\dots,S\},j\in\{0,\dots,T\}}\|\mathcal Z^{\phi(L)}(s_i,t_j)-\mathcal Z^\phi(s_i,t_j)\|",
        _FALSE,
        "None for the proposition: t* = t_0 for t > t_0, and t_0 can be added to the finite set; without it the bound has 6ε for 4ε.",
        (
            "By hand: {t_0/2} covers [0, t_0] once t_0 < 2δ; two functions that part at speed C in s and in t are then 6ε farther apart.",
            "Such a family, Z^L = -Z at the depth in question, exceeds the printed bound and stays below the corrected one "
            "(prop9-cover-witness).",
        ),
        "replay prop9-cover-witness --implementation numpy",
    ),
    (
        "d-prop9-29",
        Source(_9, "proof", "(29)", 22),
        r"\|\mathcal Z^{\phi(L)}(s',t')-\mathcal Z^{\phi(L)}(s',t'')\| \le \varepsilon+\frac C{\phi(L)}",
        r"\|\mathcal Z^{\phi(L)}(s',t')-\mathcal Z^{\phi(L)}(s',t'')\| \le \varepsilon",
        _OTHER,
        "The print holds, and gives away C/φ(L): (31) too holds without it, and the last display with C/φ(L) for 2C/φ(L), the edition "
        "sharpened.",
        (
            "By hand: both sides are of the same layer, which moves at most at speed C, and |t' - t''| <= δ = ε/C.",
            "The sharpened last display holds on every family, and is attained to 0.2% on the one that parts as fast as it may.",
        ),
        "explain prop9.uniform",
    ),
    (
        "d-prop9-interval",
        Source(_9, "proof", "", 22),
        r"t_0 = \sup I,\quad \{t_1,\dots,t_T\} \subset [0,t_0]",
        r"t_0 \in I \text{ close to } \sup I,\quad \{t_1,\dots,t_T\} \subset I\cap[0,t_0]",
        _UNSTATED,
        "None where the proposition is used: there I is [0, T] or R_+, which begins with 0 and holds t_0.",
        (
            "I = [5, ∞): a cover of [0, t_0] holds a t_j near 0, where the functions of the family are not defined.",
            "I = [0, 1): sup I is not in I; (29) extends the functions to it, which the proof does not say.",
        ),
        "explain prop9.eq31",
    ),
    (
        "d-prop15-index",
        Source(_15, "assumptions and (ii)", "", 30),
        r"Z^L_{\lfloor Ls\rfloor}(t),\quad s\in[0,1]",
        r"Z^L_{\lfloor(L-1)s\rfloor+1}(t),\quad s\in[0,1]",
        _FALSE,
        "There is no Z_0. (8), Theorem 14 and Corollary 13 have the corrected index, and where both exist the two differ by a layer at "
        "most: C/L if successive weights do so.",
        (
            "By hand: ⌊Ls⌋ = 0 for s < 1/L, while (L-1)s + 1 lies in [1, L], and (L-1)s + 1 - Ls = 1 - s.",
            "In integers, for rational s at the ends of all pieces up to L = 60 in the tests of the suite (and prop15-index-witness).",
        ),
        "replay prop15-index-witness --implementation numpy",
    ),
    (
        "d-prop15-argument",
        Source(_15, "(ii)", "", 30),
        r"Z^L_{\lfloor Ls\rfloor}(t) \text{ converges to } \mathcal Z_\infty(t)",
        r"Z^L_{\lfloor Ls\rfloor}(t) \text{ converges to } \mathcal Z_\infty(s)",
        _HARMLESS,
        "None: Z_∞ is a function on [0, 1], and (45) has the right argument.",
        (
            "The statement itself has Z_∞: [0, 1] → R^p and t → ∞.",
            "On a family whose limit depends on s, hidden states tend to the solution of (45) with Z_∞(s).",
        ),
        "explain prop15.hidden",
    ),
    (
        "d-prop15-lipschitz",
        Source(_15, "(ii)", "", 30),
        r"\text{(i)-(iii) of the assumptions} \implies \mathcal Z_\infty \text{ Lipschitz continuous}",
        r"\text{(i)-(iii) and } \|Z^L_{k+1}(t)-Z^L_k(t)\| \le \tfrac CL \implies \mathcal Z_\infty \text{ Lipschitz continuous}",
        _UNSTATED,
        "Corollary 13, which the proof applies, asks for a Lipschitz continuous Z_∞. Proposition 8 supplies the missing assumption where "
        "the proposition is used; without it (iii) and (iv) need an ODE with measurable parameters, Lemma 17.",
        (
            "By hand: Z_k = √(k/L), A = 1, B = y/h_L, all constant in t, with f(h, z) = zh: (i)-(iii) hold with Z_∞(s) = √s.",
            "Measured: L times the largest successive difference of that family is √L, and it lies within L^{-1/2} of √s.",
        ),
        "explain hypothesis.successive",
    ),
    (
        "d-lemma16-interval",
        Source(_16, "statement", "(54)", 36),
        r"I = [0,T] \subset \mathbb R_+,\ T\in(0,\infty];\quad [0,T_{\max}) \subset I,\ T_{\max} = T",
        r"I = [0,T]\cap\mathbb R_+;\quad [0,T_{\max}) \text{ if } T_{\max} < T \text{ or } T = \infty, \text{ else } [0,T]",
        _HARMLESS,
        "[0, ∞] is no subset of R_+, and a solution on [0, 1) says nothing of H(1), the last state of the neural ODE. With a uniform "
        "Lipschitz constant the solution extends to T.",
        (
            "By hand: g is bounded along a solution that stays in a compact, so U(s) is Cauchy as s → T.",
            "Solutions of (54) with piecewise constant parameters meet the integral equation at s = 1 too, up to rounding.",
        ),
        "explain prop15.eq54",
    ),
    (
        "d-lemma19-index",
        Source(_19, "statement", "", 37),
        r"(e_{x,y})_{x\in\mathbb R_+,y\in\mathbb R_+} \subset E",
        r"(e_{x,y})_{x\in\mathbb N^*,y\in\mathbb R_+} \subset E",
        _HARMLESS,
        "Proposition 15 applies it to x = L; for the weights E is the space of bounded functions of s. The proof shows the joint limit; "
        "the iterated ones follow when y₂ tends to infinity in its last display.",
        (
            "The proof uses of x only that x₁, x₂ > x₀: any directed sets serve.",
            "On families in (L, t) both iterated limits agree, the one in L extrapolated over integers.",
        ),
        "explain prop15.iterated",
    ),
):
    differ(Difference(_id, _source, _printed, _corrected, _kind, _consequence, _evidence, f"depthlimit {_replay}"))
