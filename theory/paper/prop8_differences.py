"""What pages 17-20 print otherwise than it must read: Proposition 8 and its proof."""

from __future__ import annotations

from depthlimit.theory.claim import Source
from depthlimit.theory.difference import Difference, differ

_8 = "Proposition 8"
_CLOSED = "By hand, and with SymPy in the tests of the suite: "
_RUN = "On the corpus, with radii: "

differ(
    Difference(
        "d-prop8-norms",
        Source(_8, "statement (i)", "", 17),
        r"\|A^L(t)\|_F \le M_A = \|A^{\mathrm{init}}\|_2 + M,\quad \|B^L(t)\|_F \le M_B = \|B^{\mathrm{init}}\|_2 + M",
        r"\|A^L(t)\|_2 \le M_A,\quad \|B^L(t)\|_2 \le M_B",
        "false as printed",
        "None further on: the proof uses ‖A x‖ <= ‖A‖₂‖x‖ and ‖Bᵀr‖ <= ‖B‖₂‖r‖ only. Repeated twice in the proof (pages 19 and 20). With "
        "Frobenius norms of the initial values in M_A and M_B it is true too, and μ is larger.",
        (
            _CLOSED + "at t = 0 and A_init = (I_d, 0)ᵀ of Section 3, ‖A(0)‖_F = √d exceeds 1 + M once d >= 4 and M < 1.",
            _RUN + "prop8-ball-witness meets every hypothesis, (22) included, and refutes prop8.norm-A and norm-B at all times.",
        ),
        "depthlimit replay prop8-ball-witness --implementation numpy",
    )
)
differ(
    Difference(
        "d-prop8-adjoint",
        Source(_8, "proof", 'before "(25)"', 19),
        r"\|p_{k-1,i}^L(t)\| \le 2e^K\|p_{L,i}^L(t)\| \le 2e^KM_B\|F^L(x_i;t)-y_i\|",
        r"\|p_{k-1,i}^L(t)\| \le e^K\|p_{L,i}^L(t)\| \le 2e^KM_B\|F^L(x_i;t)-y_i\|",
        "false as printed",
        "None: the first and the last member are right. The 2 is that of p_L = 2Bᵀ(F - y) and belongs to the second inequality.",
        (
            _CLOSED + "for d' = 1 the second inequality says 2‖B‖₂ <= M_B = ‖B_init‖₂ + M, false at t = 0 for M < ‖B_init‖₂.",
            _RUN + "prop8-ball-witness refutes prop8.p-last as printed, by a factor 1.83.",
        ),
        "depthlimit replay prop8-ball-witness --implementation numpy",
    )
)
differ(
    Difference(
        "d-prop8-successive",
        Source(_8, "proof of (ii)", "", 20),
        r"\Big\|\frac{dZ_{k+1}^L}{dt}-\frac{dZ_k^L}{dt}\Big\| \le \frac1n\sum_i\|p_{k,i}^L\|\Big(\frac{C_1}L + C_2\|Z_{k+1}^L-Z_k^L\|\Big)",
        r"\Big\|\frac{dZ_{k+1}^L}{dt}-\frac{dZ_k^L}{dt}\Big\| \le \frac1n\sum_i\max(\|p_{k,i}^L\|,\|p_{k+1,i}^L\|)"
        r"\Big(\frac{C_1}L + C_2\|Z_{k+1}^L-Z_k^L\|\Big)",
        "false as printed",
        "None: (25) holds for every k and is what is put in next. No C₁ and C₂ serve, since p_k may vanish where p_{k+1} does not.",
        (
            _CLOSED + "for f = zh, L = 2 and z_2 = -2, p_1 = (1 + z_2/2) p_2 = 0 and the velocities differ by |h_1 p_2|/n.",
            _RUN + "prop8-successive-witness refutes prop8.successive-rate as printed.",
        ),
        "depthlimit replay prop8-successive-witness --implementation numpy",
    )
)
differ(
    Difference(
        "d-prop8-contradiction",
        Source(_8, "proof", "", 18),
        r"\text{Assume that } T_{\max} < \infty \dots \text{Let } t^* \in (0, T_{\max}) \text{ be the infimum of such times}",
        r"\text{Assume that (23) fails for some } t < T_{\max}\text{. Let } t^* \text{ be the infimum of such times}",
        "misprint without consequence",
        "What is contradicted is T_max < ∞ alone, and that the parameters stay in the ball, which is used from there on, does not follow. "
        "The argument from t* on does not need T_max < ∞: assume instead that the ball is left.",
        (
            "By the text: for T_max = ∞ nothing is contradicted, and e^t is defined on [0, ∞) and leaves every ball.",
            _RUN + "prop8.eq23-A, -Z and -B and prop8.A-moved, Z-moved and B-moved hold to the end of flows with ℓ(T) = 1e-12 ℓ(0).",
        ),
        "depthlimit explain prop8.eq23-A",
    )
)
differ(
    Difference(
        "d-prop8-ranges",
        Source(_8, "statement (ii)", "", 18),
        r"\|Z_k^L(t)-Z_{k+1}^L(t)\| \le \frac{\tilde K}L,\quad k \in \{1,\dots,L\}",
        r"k \in \{1,\dots,L-1\}",
        "misprint without consequence",
        "Z_{L+1} does not exist.",
        ("By the text: (12) defines Z_1..Z_L.", _RUN + "prop8.successive holds for k = 1..L-1."),
        "depthlimit explain prop8.successive",
    )
)
differ(
    Difference(
        "d-prop8-suprema",
        Source(_8, "statement", "(22)", 18),
        r"K_1 = \sup_{\|z\|\le M_Z}\|\partial_1f(h,z)\|,\quad E = \{(h,z) \in \mathbb R^d\times\mathbb R^p, \dots\}",
        r"K_1 = \sup_{h\in\mathbb R^q,\,\|z\|\le M_Z}\|\partial_1f(h,z)\|_2,\quad E = \{(h,z) \in \mathbb R^q\times\mathbb R^p, \dots\}",
        "misprint without consequence",
        "K₁ must not depend on h, and hidden states live in ℝ^q.",
        (
            "By the text: (12) has f: ℝ^q × ℝ^p → ℝ^q, and f(·, z) is Lipschitz on ℝ^q, so that the supremum over h is finite.",
            _RUN + "prop8.compact-h holds with that K₁ for states of q > d components.",
        ),
        "depthlimit explain prop8.compact-h",
    )
)
differ(
    Difference(
        "d-prop8-references",
        Source(_8, "statement and proof", "(4)", 18),
        r"\text{the gradient flow (5)};\quad \text{the } (M,\mu)\text{-local PL condition (1)};\quad \text{trained on } [0,\infty]",
        r"\text{the gradient flow (4)};\quad \text{Definition 1};\quad \text{on } [0,\infty)",
        "misprint without consequence",
        "(5) has a clip, which the proposition is there to do without; (1) is the equation of a layer.",
        (
            "By the text: the dynamics displayed on page 18 have no π, and page 6 has the condition in Definition 1.",
            _RUN + "prop8.chain-rule holds along (4); with a clip the loss falls by less than the squared gradient.",
        ),
        "depthlimit explain prop8.chain-rule",
    )
)
