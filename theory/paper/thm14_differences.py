"""What pages 26-30 print otherwise than it must read: Theorem 14 and its proof."""

from __future__ import annotations

from depthlimit.theory.claim import Source
from depthlimit.theory.difference import Difference, differ

_14 = "Theorem 14"
_HARMLESS, _FALSE, _UNSTATED = "misprint without consequence", "false as printed", "hypothesis not stated"

for _id, _source, _printed, _corrected, _kind, _consequence, _evidence, _replay in (
    (
        "d-thm14-interval",
        Source(_14, "statement", "", 26),
        r"I = [0,T] \subseteq \mathbb R_+,\ T \in (0,\infty]",
        r"I = [0,T] \text{ for } T < \infty,\ I = \mathbb R_+ \text{ for } T = \infty",
        _HARMLESS,
        "None: nothing is said of the point ∞; limits as t tends to infinity are those of Proposition 15.",
        (
            "[0, ∞] is no subset of R_+.",
            "The same page asks for a solution of the gradient flow on I, which has a value at every point of I.",
        ),
        "depthlimit explain a5.eq39",
    ),
    (
        "d-thm14-subsequence",
        Source(_14, "proof", "", 26),
        r"\text{Corollary 12 with } \theta_k^L = Z_k^{\phi(L)},\ \Theta = \mathcal Z^\phi,\ a^L = A^{\phi(L)}x",
        r"\text{Corollary 12 along the depths } \phi(L),\ L\in\mathbb N^*: \theta_k^{\phi(L)} = Z_k^{\phi(L)},\ 1\le k\le\phi(L)",
        _HARMLESS,
        "None: the networks of the subsequence have φ(L) layers and steps 1/φ(L). The same index is meant on page 27.",
        (
            "The next sentence of the proof has 1 <= k <= φ(L), where (32) has L steps of 1/L.",
            "By hand, and in the tests of the suite, for f = zh, 𝒵(s) = s and φ(L) = L²: the first L parameters with steps 1/L tend to H(1)"
            " = H(0) and not to e^{1/2}H(0).",
        ),
        "depthlimit explain a5.hidden",
    ),
    (
        "d-thm14-adjoint-space",
        Source(_14, "proof", "", 27),
        r"2B^\phi(t)^\top(B^\phi(t)H^\phi(1,t)-y) \in \mathbb R^d",
        r"2B^\phi(t)^\top(B^\phi(t)H^\phi(1,t)-y) \in \mathbb R^q",
        _HARMLESS,
        "None: d is the dimension of the data, the adjoint is a gradient in the state.",
        (
            "B lies in R^{d'×q} by Theorem 14 (i), so Bᵀ maps R^{d'} to R^q.",
            "Instances with d < q: the adjoint that forward mode finds has q components, and equals P(1) at s = 1.",
        ),
        "depthlimit explain a5.eq44",
    ),
    (
        "d-thm14-pairs",
        Source(_14, "proof", "", 27),
        r"\text{Corollary 12 with } \theta_k^L = (h_k^{\phi(L)}, Z_k^{\phi(L)}),\ g(p,(h,Z)) = \partial_1f(h,Z)p,\ "
        r"a^L = 2(B^{\phi(L)})^\top(B^{\phi(L)}H^{\phi(L)}(1,\cdot)-y)",
        r"\text{Corollary 12 for } u_k = p_{\phi(L)-k} \text{ with } \theta_k^L = (h_{\phi(L)-k}^{\phi(L)}, Z_{\phi(L)-k+1}^{\phi(L)}),\ "
        r"\Theta(s) = (H^\phi(1-s), \mathcal Z^\phi(1-s)),\ g = \partial_1f(h,Z)^\top p",
        _FALSE,
        "The corollary speaks of recurrences that go up in k from U(0) = a, (13) goes down from p_L. As it stands it yields a limit that "
        "is a at s = 0; read down in k it yields P, and the minus that the printed backward ODE lacks.",
        (
            "Indices put into (13) by SymPy in the tests of the suite: u_{k+1} = u_k + ∂₁f(h_{L-k-1}, Z_{L-k})ᵀu_k/L.",
            "Planted faults: the recurrence run upwards from p_L, and (13) with (h_k, Z_k) in place of (h_{k-1}, Z_k), are both refuted "
            "by the velocity of (37), the first also by the limit of P^L.",
        ),
        "depthlimit replay a5-adjoint-witness --implementation numpy",
    ),
    (
        "d-thm14-limit",
        Source(_14, "proof", "", 27),
        r"\frac{\partial P^\phi}{\partial s}(s,t) = \partial_1f(H^\phi(s,t),\mathcal Z^\phi(s,t))P^\phi(s,t)",
        r"\frac{\partial P^\phi}{\partial s}(s,t) = -\partial_1f(H^\phi(s,t),\mathcal Z^\phi(s,t))^\top P^\phi(s,t)",
        _FALSE,
        "p_{⌊Ls⌋} does not tend to the solution of the printed equation. Nothing else in the proof uses its sign: with the corrected one "
        "all of it holds. Also with (13) as printed, without the transpose, the sign is wrong.",
        (
            "By hand for f = zh: p_k = (1 + z/L)^{L-k} p_L tends to e^{z(1-s)}P(1), and the printed equation gives e^{-z(1-s)}P(1).",
            "On the corpus, with radii: the distance of p_{⌊Ls⌋} from the printed P is 11 times the bound that the corrected P meets.",
        ),
        "depthlimit replay a5-adjoint-witness --implementation numpy",
    ),
    (
        "d-eq44-backward",
        Source(_14, "proof", "(44)", 28),
        r"\frac{dP_i}{ds}(s) = \partial_1f(H_i(s),\mathcal Z(s))P_i(s)",
        r"\frac{dP_i}{ds}(s) = -\partial_1f(H_i(s),\mathcal Z(s))^\top P_i(s)",
        _FALSE,
        "The training dynamics (38)-(41), and those of pages 29 and 30, are those of the limit with the corrected P only: as printed A and "
        "Z do not follow the negative gradient of the loss. Lipschitz continuity and uniqueness hold either way.",
        (
            "By SymPy in the tests of the suite: <P(s), ∂H(s)/∂H(0)> is constant in s for the corrected equation, which makes P the "
            "gradient of the loss in H(s); its derivative for the printed one is <P, (∂₁f + ∂₁fᵀ)∂H/∂H(0)>, 0 for skew ∂₁f only.",
            "On the corpus, with radii: gradients in the states by forward mode refute it for f = Zh, h sin z and model (3), and wherever "
            "sign or transpose alone is planted the slopes of the loss refute (38) and (40).",
        ),
        "depthlimit replay eq44-witness --implementation numpy",
    ),
    (
        "d-thm14-measurable",
        Source(_14, "proof", "", 28),
        r"\mathcal B([0,1],\mathbb R^p) \text{ the bounded functions; since } \mathcal Z \text{ is only bounded,"
        r" (43) and (44) are well defined by Lemma 17}",
        r"\text{the bounded measurable functions, or } \mathcal C([0,1],\mathbb R^p)",
        _UNSTATED,
        "(42) is not defined on all bounded functions. On bounded measurable ones it is, and its values are such again; they are closed in "
        "the supremum norm, as continuous ones are, and any accumulation point is continuous: the proof goes through.",
        (
            "By hand: for f = zh an absolutely continuous H > 0 with H' = 𝒵H almost everywhere makes 𝒵 = H'/H measurable.",
            "Lemma 17 itself asks that r ↦ g(u, r) be measurable, which 1_S(r)u with S no measurable set is not.",
        ),
        "depthlimit explain a5.eq42",
    ),
    (
        "d-thm14-compact",
        Source(_14, "proof", "", 28),
        r"K_f \text{ the Lipschitz constant of } f \text{ on } E\times D,\ D \ni (\mathcal Z, A, B) \text{ compact}",
        r"K_f \text{ that of } f \text{ on } E\times\{z: \|z\|\le M_Z\},\ M_Z = \sup_D\sup_s\|\mathcal Z(s)\|",
        _HARMLESS,
        "None: D is a set of functions and matrices, f takes the values of these functions, and those of a compact D lie in a ball. A "
        "bounded D serves as well, so (42) is Lipschitz on balls too, where page 14 asks for compacts.",
        (
            "f maps R^q × R^p, and D is a subset of 𝓑([0,1], R^p) × R^{q×d} × R^{d'×q}.",
            "The claims take K_f over the ball of all values of 𝒵 and 𝒵̃, and hold, with equality for f = zh.",
        ),
        "depthlimit explain a5.lipschitz",
    ),
    (
        "d-thm14-embedding-space",
        Source(_14, "proof", "", 29),
        r"\mathcal B([0,1],\mathbb R^p)\times\mathbb R^{d\times q}\times\mathbb R^{d'\times q}",
        r"\mathcal B([0,1],\mathbb R^p)\times\mathbb R^{q\times d}\times\mathbb R^{d'\times q}",
        _HARMLESS,
        "None: page 28 has the right space.",
        (
            "A lies in R^{q×d} by Theorem 14 (i), and P_i(0)x_iᵀ in (40) with it.",
            "Instances with d < q: Ax has q components, and the displays of page 29 hold.",
        ),
        "depthlimit explain a5.gronwall",
    ),
):
    differ(Difference(_id, _source, _printed, _corrected, _kind, _consequence, _evidence, _replay))
