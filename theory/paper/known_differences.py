r"""Differences that the defining equations and Propositions 2, 3 and 7 brought to light (pages 14, 16, 24 and 32).

The norm on Z (B.3): with ‖Z‖ = ‖V‖_F + ‖W‖_F the step ‖∂₂fᵀp‖ <= ‖∂₂f‖₂ ‖p‖ before (20) fails by up to √2, since ∂₂fᵀp is then
measured in the larger norm and ‖∂₂f‖₂ is still the Euclidean one. At q = m = 1, σ = id, h = V = W = 1: ∂₂f = (1, 1), ‖∂₂f‖₂ = √2,
and ‖∂₂fᵀp‖ is 2|p| in the sum norm. With ‖Z‖² = ‖V‖_F² + ‖W‖_F² all holds, M₀ is unchanged (V(0) = 0), and the bounds on the blocks
follow.

The clip (A.1): |π(a) - π(b)| <= |a - b| is used where velocities become gradients. tanh(g/ε) is smooth and bounded, as π has to be, and
takes gradients 2ε apart to velocities 1.5 apart.
"""

from __future__ import annotations

from depthlimit.theory.claim import Source
from depthlimit.theory.difference import Difference, differ

differ(
    Difference(
        "d-eq13-transpose",
        Source("(13)", "backpropagation", "(13)", 14),
        r"p_k^L(t) = p_{k+1}^L(t) + \frac1L \partial_1 f(h_k^L(t), Z_{k+1}^L(t)) p_{k+1}^L(t)",
        r"p_k^L(t) = p_{k+1}^L(t) + \frac1L \partial_1 f(h_k^L(t), Z_{k+1}^L(t))^\top p_{k+1}^L(t)",
        "false as printed",
        "None for the statements: ∂₁f and its transpose have the same norm, and norms are all that the proofs use. An implementation of "
        "the printed recurrence computes wrong gradients.",
        (
            "Numerical: on the witness the adjoint read out of gradients contradicts the printed recurrence and meets the transposed one.",
            "Derivation: by the chain rule ∂ℓ/∂hₖ = (∂hₖ₊₁/∂hₖ)ᵀ ∂ℓ/∂hₖ₊₁ = (I + ∂₁f/L)ᵀ pₖ₊₁.",
        ),
        "depthlimit replay eq13-witness --implementation numpy",
    )
)
differ(
    Difference(
        "d-prop7-clip-lipschitz",
        Source("Proposition 7", "proof", "", 16),
        r"\Big\|\frac{dZ_{k+1}^L}{dt}(t)-\frac{dZ_k^L}{dt}(t)\Big\| = "
        r"L\Big\|\frac{\partial\ell^L}{\partial Z_{k+1}^L}(t)-\frac{\partial\ell^L}{\partial Z_k^L}(t)\Big\|",
        r"\Big\|\frac{dZ_{k+1}^L}{dt}(t)-\frac{dZ_k^L}{dt}(t)\Big\| \le "
        r"L\Big\|\frac{\partial\ell^L}{\partial Z_{k+1}^L}(t)-\frac{\partial\ell^L}{\partial Z_k^L}(t)\Big\|, "
        r"\quad \pi \text{ 1-Lipschitz}",
        "hypothesis not stated",
        "The equality is of the flow (4); under (5) it is an inequality that needs π to be 1-Lipschitz, or α and β are to be multiplied by "
        "its Lipschitz constant. It holds for the coordinate, radial and smooth clips.",
        (
            "Numerical: a radial clip of radius 1 takes the gradients 2 and 3, which are 1 apart, to velocities that are 0 apart.",
            "Derivation: dZₖ/dt = π(-L ∂ℓ/∂Zₖ) by (5); bounded maps with steep parts, such as tanh(g/ε), break the inequality.",
        ),
        "depthlimit explain prop7.gap-rate",
    )
)
differ(
    Difference(
        "d-prop11-taylor",
        Source("Proposition 11", "Taylor expansion before (35)", "(35)", 24),
        r"\Big\|\int_{k/L}^{(k+1)/L}\Big(\frac{k+1}{L}-s\Big)\frac{d^2U}{ds^2}(s)ds\Big\| \le \frac{\tilde C}{L^2}",
        r"\Big\|\int_{k/L}^{(k+1)/L}\Big(\frac{k+1}{L}-s\Big)\frac{d^2U}{ds^2}(s)ds\Big\| \le \frac{\tilde C}{2L^2}",
        "holds with another constant",
        "(35) and Proposition 2 hold as printed, with a term C̃/(LC) where C̃/(2LC) does.",
        (
            "Numerical: with a constant second derivative the remainder is C̃/(2L²) exactly; the sharpened edition of Proposition 2, which "
            "has the half, is not falsified on any instance.",
            "Derivation: ∫ over [k/L, (k+1)/L] of ((k+1)/L - s) ds = 1/(2L²).",
        ),
        "depthlimit explain prop2.output",
    )
)
differ(
    Difference(
        "d-prop3-first-layer",
        Source("Proposition 3", "proof, Appendix B.3", "", 32),
        r"M_0 = \max\big(\|A^L(0)\|_F, \|V_0^L(0)\|_F+\|W_0^L(0)\|_F, \|B^L(0)\|_F\big)",
        r"M_0 = \max\big(\|A^L(0)\|_F, \max_{1 \le k \le L}(\|V_k^L(0)\|_F+\|W_k^L(0)\|_F), \|B^L(0)\|_F\big)",
        "misprint without consequence",
        "None: layers are numbered from 1, and at the initialisation of Section 3 they are all equal.",
        (
            "Numerical: with M₀ from the layers 1, ..., L the bounds on the norms hold on every instance, and are nearly attained by a "
            "saturated clip.",
            "Derivation: (3) has Vₖ₊₁, Wₖ₊₁ for k = 0, ..., L-1, so there is no layer 0.",
        ),
        "depthlimit explain prop3.norm-Z",
    )
)
differ(
    Difference(
        "d-prop3-last-layer",
        Source("Proposition 3", "proof, Appendix B.3", "", 32),
        r"Z_k^L(0) = Z_{k+1}^L(0) \text{ for all } k \in \{1,\ldots,L\}",
        r"Z_k^L(0) = Z_{k+1}^L(0) \text{ for all } k \in \{1,\ldots,L-1\}",
        "misprint without consequence",
        "None: the statement itself has k in {1, ..., L-1}; at L = 1 it is empty.",
        (
            "Numerical: an instance of depth L has L-1 successive differences, and none at L = 1.",
            "Derivation: by (3) the last layer has the number L.",
        ),
        "depthlimit explain prop3.gap",
    )
)
differ(
    Difference(
        "d-prop3-norm",
        Source("Proposition 3", "proof, Appendix B.3", "", 32),
        r"\|Z\| = \|V\|_F + \|W\|_F",
        r"\|Z\|^2 = \|V\|_F^2 + \|W\|_F^2",
        "holds with another constant",
        "Proposition 7 is about the Euclidean norm, for which K₂ and K' are defined. In the sum norm its proof yields √2 α and √2 β; in "
        "the Euclidean norm all holds as printed, with the same M₀, and the bound on max(‖Vₖ₊₁ - Vₖ‖, ‖Wₖ₊₁ - Wₖ‖) follows.",
        (
            "Numerical: q = m = 1, σ = id, h = V = W = 1 gives ∂₂f = (1, 1); its transpose takes p to sum norm 2|p| > √2|p| = ‖∂₂f‖₂|p|.",
            "Derivation: ‖V‖ + ‖W‖ >= √(‖V‖² + ‖W‖²), and strictly unless a block is 0; A.1 defines ‖∂₂f‖₂, ‖∂₂₂f‖₂ by the Euclidean norm.",
        ),
        "depthlimit explain prop7.gap",
    )
)
