"""What pages 14-17 print otherwise than it must read: Appendix A's model and the proof of Proposition 7."""

from __future__ import annotations

from depthlimit.theory.claim import Source
from depthlimit.theory.difference import Difference, differ

_7 = "Proposition 7"
_CLOSED = "By hand, and as a SymPy derivation in the tests of the suite: "
_RUN = "On the corpus, with radii: "

differ(
    Difference(
        "d-eq13-transpose",
        Source("Appendix A", "backpropagation", "(13)", 14),
        r"p_k = p_{k+1} + \frac1L \partial_1 f(h_k, Z_{k+1})\, p_{k+1}",
        r"p_k = p_{k+1} + \frac1L \partial_1 f(h_k, Z_{k+1})^\top p_{k+1}",
        "false as printed",
        "None further on: only norms of ∂₁f are used, and they are those of its transpose. The same transpose is missing twice on page 17.",
        (
            _CLOSED + "for f = Zh, L = 1 and d' = 1, F = B(I + Z)Ax, so ∂ℓ/∂h_0 = 2(F - y)(I + Z)ᵀBᵀ.",
            _RUN
            + "forward-mode derivatives contradict it for f = Zh with a Z that is not symmetric (eq13-general-witness), and for model (3).",
        ),
        "depthlimit replay eq13-witness --implementation numpy",
    )
)
differ(
    Difference(
        "d-prop7-transpose-growth",
        Source(_7, "proof", "", 17),
        r"\|p_k\| \le \|p_{k+1}\| + \frac1L \|\partial_1 f(h_k, Z_{k+1})\, p_{k+1}\|",
        r"\|p_k\| \le \|p_{k+1}\| + \frac1L \|\partial_1 f(h_k, Z_{k+1})^\top p_{k+1}\|",
        "false as printed",
        "None: the next line needs the norm of ∂₁f only. The equality for ‖p_k - p_{k-1}‖ above it lacks the same transpose.",
        (
            _CLOSED + "for Z = e₂e₁ᵀ and p_{k+1} = e₂ the printed right side is 1 and the left one √(1 + 1/L²).",
            _RUN + "prop7-transpose-witness refutes prop7.p-triangle as printed, eq13-general-witness the equality.",
        ),
        "depthlimit replay prop7-transpose-witness --implementation numpy",
    )
)
differ(
    Difference(
        "d-prop7-lipschitz-clip",
        Source(_7, "statement and proof", "(20)", 16),
        r"\alpha = 2e^K K' M(e^K M^2 M_X + M_Y),\quad \beta = 2Ke^K M(K + e^K K' M M_X)(e^K M^2 M_X + M_Y)",
        r"\mathrm{Lip}(\pi)\,\alpha,\quad \mathrm{Lip}(\pi)\,\beta",
        "holds with another constant",
        "The bound on successive weights, and β and α wherever they are used, hold as printed only if π is 1-Lipschitz, as the clip of the "
        "paper's example is. Page 4 asks of π only that it be bounded and Lipschitz.",
        (
            _CLOSED + "for f = Zh in the plane with Z = diag(λ, -λ), p ⟂ h and small M the velocities differ by Lip(π) β/(√2 L), "
            "which is more than β/L once Lip(π) > √2.",
            _RUN + "with π(g) = r tanh(4g/r) prop7-gain-witness violates prop7.general-rate, general-integral and general-gap as printed.",
        ),
        "depthlimit replay prop7-gain-witness --implementation numpy",
    )
)
differ(
    Difference(
        "d-prop7-20-clip",
        Source(_7, "proof", "(20)", 16),
        r"\|\dot Z_{k+1} - \dot Z_k\| = L\Big\|\frac{\partial\ell}{\partial Z_{k+1}} - \frac{\partial\ell}{\partial Z_k}\Big\|",
        r"\|\dot Z_{k+1} - \dot Z_k\| \le \mathrm{Lip}(\pi)\,"
        r" L\Big\|\frac{\partial\ell}{\partial Z_{k+1}} - \frac{\partial\ell}{\partial Z_k}\Big\|",
        "false as printed",
        "The flow is (5), so the left side is ‖π(u) - π(v)‖. An inequality is all that is needed, with the Lipschitz constant of π.",
        (
            _CLOSED + "where the clip is saturated the left side is 0 and the right one is not.",
            _RUN + "prop7-clip-witness refutes prop7.velocity-difference as printed.",
        ),
        "depthlimit replay prop7-clip-witness --implementation numpy",
    )
)
differ(
    Difference(
        "d-prop7-20-index",
        Source(_7, "proof", "(20)", 16),
        r"\|\partial_2 f(h_k, Z_{k+1})^\top p_k - \partial_2 f(h_{k-1}, Z_k)^\top p_{k-1}\|",
        r"\|\partial_2 f(h_k, Z_{k+1})^\top p_{k+1} - \partial_2 f(h_{k-1}, Z_k)^\top p_k\|",
        "false as printed",
        'The second and third line of (20) and the line after "Returning to (20)" are false as printed; with p_{k+1}, p_k the proof goes '
        "through and α and β are unchanged, since the bounds on p hold for every k.",
        (
            _CLOSED + "for f = zh in one dimension h_k p_k does not depend on k, so the printed difference is 0 and the true one "
            "|h_{k-1} p_{k+1} (z_k - z_{k+1})|/L.",
            _RUN + "prop7-index-witness refutes prop7.split-samples, eq20 and returning as printed.",
        ),
        "depthlimit replay prop7-index-witness --implementation numpy",
    )
)
differ(
    Difference(
        "d-prop7-thus",
        Source(_7, "proof", 'after "Thus"', 17),
        r"\frac1n\sum_i \|p_{k,i}\| \Big(\frac{K^2}{L} + \frac{K'K}{L}e^K M M_X + K'\|Z_{k+1}-Z_k\|\Big)",
        r"\frac1n\sum_i \max(\|p_{k,i}\|, \|p_{k+1,i}\|) \Big(\frac{K^2}{L} + \frac{K'K}{L}e^K M M_X + K'\|Z_{k+1}-Z_k\|\Big)",
        "false as printed",
        "None: the bound on p that is put in next holds for every k.",
        (
            _CLOSED
            + "for f = zh, L = 2, n = 1 and z_2 = -2, p_1 = 0 and the printed right side is 0, but the velocities differ by |h_1 p_2|.",
            _RUN + "prop7-thus-witness refutes prop7.thus as printed, with the constants over the compact and with those of time t.",
        ),
        "depthlimit replay prop7-thus-witness --implementation numpy",
    )
)
differ(
    Difference(
        "d-prop7-19-space",
        Source(_7, "statement", "(19)", 16),
        r"E = \{(h,z) \in \mathbb R^d \times \mathbb R^p, \dots\}",
        r"E = \{(h,z) \in \mathbb R^q \times \mathbb R^p, \dots\}",
        "misprint without consequence",
        "f is defined on ℝ^q × ℝ^p, where the hidden states live.",
        (
            "By the text: (12) has f: ℝ^q × ℝ^p → ℝ^q.",
            _RUN + "the states of instances with q > d have q components and lie in E (prop7.compact-h).",
        ),
        "depthlimit explain prop7.compact-h",
    )
)
differ(
    Difference(
        "d-prop7-ranges",
        Source(_7, "proof", "(21)", 16),
        r"(h_{k,i}, Z_{k+1}) \in E,\ k \in \{1,\dots,L\};\quad \|p_{k,i}\| \le \|p_{k+1,i}\| + \dots,\ k \in \{0,\dots,L\}",
        r"k \in \{0,\dots,L-1\} \text{ in both}",
        "misprint without consequence",
        "Z_{L+1} and p_{L+1} do not exist, and k = 0 is used (‖∂₂f(h_{k-1}, Z_k)‖ for k = 1).",
        (
            "By the text: (12) defines Z_1..Z_L and (13) p_0..p_L.",
            _RUN + "both lines hold for k = 0..L-1 (prop7.compact-h, prop7.p-growth).",
        ),
        "depthlimit explain prop7.p-growth",
    )
)
differ(
    Difference(
        "d-prop7-maximal-time",
        Source(_7, "proof", "", 16),
        r"\text{Assume that } T_{\max} < T",
        r"\text{Assume that } T_{\max} \le T",
        "misprint without consequence",
        "[0, T_max) with T_max = T does not contain T. The bound by M holds on it too, and contradicts divergence in the same way.",
        (
            "By an example: u' = u², u(0) = 1/T is defined on [0, T) exactly and diverges at T.",
            _RUN + "prop7.general-norm-A, -Z and -B hold at t = T, where a saturated clip attains M.",
        ),
        "depthlimit explain prop7.general-norm-A",
    )
)
differ(
    Difference(
        "d-prop7-supremum-clip",
        Source(_7, "statement", "", 15),
        r"M_\pi = \max\big(\max_A \|\pi(A)\|_F, \max_Z \|\pi(Z)\|, \max_B \|\pi(B)\|_F\big)",
        r"M_\pi = \max\big(\sup_A \|\pi(A)\|_F, \sup_Z \|\pi(Z)\|, \sup_B \|\pi(B)\|_F\big)",
        "misprint without consequence",
        "A bounded Lipschitz map on a space that is not compact need not attain its supremum.",
        (
            "By an example: r tanh(g/r) is bounded and 1-Lipschitz, and |r tanh(g/r)| < r everywhere.",
            _RUN + "with that clip prop7.path-bound-A, -Z and -B hold with the supremum.",
        ),
        "depthlimit explain prop7.path-bound-A",
    )
)
