"""Every line that Sections 1, 3, 4.1, 4.2 and 5.1, A.1, A.2, A.4, B.1 to B.6, Lemmas 18, 20 and 21 and E display stands in the registry.

Numbered equations are found by the source of the claims. The displays without a number are listed here page by page, as read off the page
images: each with the labels that check it, or with the reason why nothing in it can be checked.
"""

from __future__ import annotations

import pytest

from depthlimit.theory.registry import claims

NUMBERED = [*range(1, 26), *range(32, 37), *range(46, 54), 55]
PAGES = {*range(1, 9), *range(14, 21), *range(23, 26), *range(31, 39), 40}

# page, display, labels separated by spaces, or the reason in parentheses
UNNUMBERED: tuple[tuple[int, str, str], ...] = (
    (2, "dV_k/dt = -L ∂ℓ/∂V_k", "eq1.flow"),
    (3, "ℓ = (1/n) Σ|F(x_i) - y_i|²", "loss.mean-squared-error"),
    (3, "A = (I, 0), B = (0, I)", "section3.isometry section3.overlap prop3.start-A prop3.start-B"),
    (4, "Proposition 1", "prop1.growth-A prop1.growth-Z prop1.growth-B"),
    (4, "π: the projection on the ball of ℓ∞", "section3.clip-entries section3.clip-projection section3.clip-lipschitz"),
    (4, "Proposition 2: sup|F(x) - F^L(x)| <= C/L", "prop2.output prop2.rate prop2.weights"),
    (4, "dH/ds = 0 at the start", "section3.trivial-ode"),
    (5, "Proposition 3: max(‖A‖, ‖V_k‖, ‖W_k‖, ‖B‖) <= M", "prop3.norm-A prop3.norm-Z prop3.norm-B prop3.max-norm"),
    (5, "Proposition 3: max(‖V_{k+1} - V_k‖, ‖W_{k+1} - W_k‖) <= K/L", "prop3.gap prop3.rate"),
    (6, "‖𝒱(s', t) - 𝒱(s, t)‖ <= K|s' - s|, and 𝒲", "section4.lipschitz-V section4.lipschitz-W"),
    (6, "the bounds of (7) diverge exponentially with T", "section4.growth-of-M"),
    (6, "Definition 1: the ball, and |∂_Aℓ|² + LΣ|∂_{Z_k}ℓ|² + |∂_Bℓ|² >= μℓ", "prop5.pl prop5.sharp-pl certificate.pl"),
    (6, "Proposition 5: q >= d + d', m >= c₁n, L >= c₂√(nq); M and μ", "prop5.pl prop5.radius prop5.mu-root"),
    (6, "the width scales only linearly with n", "(c₁ holds no n, which its formula shows: prop5.c1; c₁ >= 1024r is prop5.eta-bound)"),
    (6, "δ is small if n grows at most polynomially with d", "(asymptotic; r must grow with the power: a limit in test_prop5.py)"),
    (7, "(i)-(iv): limits as t and L tend to infinity", "(limits: Proposition 8, of which Appendix A.2 speaks, and Proposition 15)"),
    (7, "V_k(0) = 𝒱₀(k/L), W_k(0) = 𝒲₀(k/L), K(x, x')", "section43.start-V section43.start-W section43.covariance"),
    (8, "Figure 1 and its caption: max‖Z_k - Z_{k+1}‖_F, (∫‖f(s)‖_F² ds)^{1/2}", "fig1.drawn fig1.drawn-rate fig1.right-rate fig1.first"),
    (8, "Figure 2: the loss; m satisfies the assumptions of Theorem 6", "fig2.start section51.width section51.hidden-size"),
    (40, "Appendix E: the learning rate L·10⁻²", "appendixE.step"),
    (40, "h_{k+1} = h_k + bn(conv(σ(bn(conv(h_k)))))/L", "(the experiment on images, which is not that of the theorems)"),
    (14, "‖g(u, v) - g(u', v')‖ <= K‖u - u'‖ + K‖v - v'‖, four times", "(defines what Lipschitz means; nothing about the network)"),
    (15, "‖∂₂₂f‖₂ = sup‖∂₂₂f u‖₂", "(defines a norm; that norm is what prop7.mean-value uses)"),
    (15, "Z_k(0) = Z^init(k/L)", "section43.start-V section43.start-W"),
    (15, "M_π, M_0, M = M_0 + T M_π", "prop7.path-bound-A prop7.horizon prop7.speed prop3.M0 prop3.M-pi-Z"),
    (16, "‖Z_{k+1} - Z_k‖ <= (... + βT/L) e^{αT}", "prop7.general-gap prop7.gap"),
    (16, "α and β", "prop7.general-rate prop7.gap-rate"),
    (16, "K₂, K, K'", "prop7.K2 prop7.K prop7.mean-value"),
    (16, "(A, Z, B) -> π(-∂ℓ)", "eq5.general-A eq5.general-Z eq5.general-B eq5.A eq5.V eq5.W eq5.B"),
    (16, "‖A(t)‖ <= ‖A(0)‖ + ∫‖A'‖ <= M_0 + ∫M_π <= M", "prop7.path-A prop7.path-bound-A prop7.horizon"),
    (16, "similarly B and Z", "prop7.path-B prop7.path-bound-B prop7.path-Z prop7.path-bound-Z"),
    (16, "‖h_{k+1}‖ = ‖h_k + f/L‖ <= (1 + K₁/L)‖h_k‖", "eq12.layer prop7.hidden-growth"),
    (16, "‖∂₂f(h_{k-1}, Z_k)‖₂ <= K", "prop7.K"),
    (16, "‖∂₂f(h_k, Z_{k+1}) - ∂₂f(h_{k-1}, Z_k)‖₂ <= K'(...)", "prop7.mean-value"),
    (17, "returning to (20)", "prop7.returning"),
    (17, "‖p_k - p_{k-1}‖ = ‖∂₁f p_k‖/L <= (K/L)‖p_k‖", "prop7.p-change prop7.p-step"),
    (17, "‖h_k - h_{k-1}‖ = ‖f‖/L <= (K/L)‖h_{k-1}‖ <= ...", "prop7.h-change prop7.h-step prop7.h-step-bound"),
    (17, "thus", "prop7.thus"),
    (17, "‖p_k‖ <= ‖p_{k+1}‖ + ‖∂₁f p_{k+1}‖/L <= ...", "prop7.p-triangle prop7.p-growth"),
    (17, "‖p_k‖ <= e^K‖p_L‖ = ... <= ... <= 2e^K M(e^K M² M_X + M_Y)", "prop7.p-bound prop7.p-last prop7.p-last-bound prop7.p-final"),
    (17, "‖Z_k' - Z_{k+1}'‖ <= α‖Z_k - Z_{k+1}‖ + β/L", "prop7.general-rate prop7.gap-rate"),
    (17, "its integral", "prop7.general-integral"),
    (17, "Grönwall", "prop7.general-gap"),
    (17, "‖A(t)‖_F <= M_A, ‖Z_k(t)‖ <= M_Z, ‖B(t)‖_F <= M_B; M_A, M_Z, M_B", "prop8.norm-A prop8.norm-Z prop8.norm-B"),
    (18, "‖Z_k - Z_{k+1}‖ <= K̃/L", "prop8.successive"),
    (18, "max(‖A'‖, ‖Z_k'‖, ‖B'‖) <= b(t)", "prop8.speed-A prop8.speed-Z prop8.speed-B"),
    (18, "limits, uniformly over L and k", "prop8.tail-A prop8.tail-Z prop8.tail-B"),
    (18, "ℓ(t) <= e^{-μt}ℓ(0)", "prop8.decay prop8.long-decay"),
    (18, "M_X, K₁, E, K₂, K", "prop8.eq22 prop8.compact-h"),
    (18, "(A, Z_k, B) -> (-∂ℓ/∂A, -L ∂ℓ/∂Z_k, -∂ℓ/∂B)", "eq4.A eq4.V eq4.W eq4.B eq5.general-A eq5.general-Z eq5.general-B"),
    (18, "‖A(t) - A(0)‖ > M or ... for some t", "(assumed, to be contradicted; its negation is (23))"),
    (18, "the PL condition at t <= t*", "prop8.pl"),
    (18, "dℓ/dt = <∂ℓ/∂A, A'> + ... = -‖∂ℓ/∂A‖² - ... <= -μℓ", "prop8.chain-rule prop8.descent"),
    (19, "‖A‖_F <= M_A, ‖Z_k‖ <= M_Z, ‖B‖_F <= M_B", "prop8.norm-A prop8.norm-Z prop8.norm-B"),
    (19, "(h_{k-1}, Z_k) ∈ E and ‖p_{k-1}‖ <= 2e^K‖p_L‖ <= 2e^K M_B‖F - y‖", "prop8.compact-h prop8.p-growth prop8.p-last"),
    (19, "‖Z_k(t*) - Z_k(0)‖ <= three lines", "prop8.Z-path prop8.Z-split prop8.Z-K"),
    (19, "‖Z_k(t*) - Z_k(0)‖ <= ... <= 4Ke^K M_B√ℓ(0)/μ <= M/2", "prop8.Z-integral prop8.Z-total prop8.Z-half prop8.Z-moved"),
    (19, "‖A(t*) - A(0)‖ <= five lines", "prop8.A-path prop8.A-split prop8.A-integral prop8.A-total prop8.A-half prop8.A-moved"),
    (19, "‖B(t*) - B(0)‖ <= five lines", "prop8.B-path prop8.B-split prop8.B-integral prop8.B-total prop8.B-half prop8.B-moved"),
    (20, "‖A‖_F <= M_A, ‖B‖_F <= M_B, ‖Z_k‖ <= M_Z", "prop8.norm-A prop8.norm-Z prop8.norm-B"),
    (20, "‖A_∞ - A(t)‖ <= four lines", "prop8.tail-path prop8.tail-integral prop8.tail-A"),
    (20, "‖Z_{k+1}' - Z_k'‖ <= (1/n)Σ‖p_k‖(C₁/L + C₂‖Z_{k+1} - Z_k‖)", "prop8.successive-rate"),
    (20, "using (25)", "prop8.successive-decay"),
    (20, "integrating, two lines", "prop8.successive-integral prop8.successive-mu"),
    (20, "Grönwall, two lines", "prop8.successive-gronwall prop8.successive-bound"),
    (23, "Θ^L(s) = θ_{⌊(L-1)s⌋+1}", "eq8.layers eq8.shift prop11.index"),
    (23, "‖dU/ds‖ = ‖g‖ <= C‖U‖", "prop11.speed"),
    (23, "‖U‖ <= ‖a‖e^C <= D_E e^C", "prop11.U-norm prop11.U-ball"),
    (23, "‖u_{k+1}‖ <= ‖u_k‖ + ‖g‖/L <= (1 + C/L)‖u_k‖", "prop11.u-triangle prop11.u-step"),
    (24, "‖u_k‖ <= ‖u_0‖e^C = ‖a^L‖e^C <= D_E e^C", "prop11.u-norm prop11.u-ball"),
    (24, "Δ_k = ‖U(k/L) - u_k‖", "prop11.start prop11.triangle"),
    (24, "Taylor expansion of U, and its remainder", "prop11.taylor prop11.remainder-integral prop11.remainder"),
    (24, "Δ_{k+1} <= ... four lines", "prop11.triangle prop11.triangle-sharp prop11.lipschitz"),
    (24, "Δ_{k+1} <= ... with Θ^L", "prop11.recursion prop11.index prop11.theta-triangle prop11.theta-shift prop11.recursion-sup"),
    (25, "Corollary 12", "cor12.gap"),
    (25, "Corollary 13", "cor13.gap"),
    (31, "f(h, (V, W)) = Vσ(Wh/√q)/√m in Proposition 7", "prop1.growth-A eq3.layer"),
    (31, "C'(1/L + sup‖Θ - Θ^L‖)", "prop2.hidden"),
    (31, "sup‖Θ - Θ^L‖ <= C''/L and ‖h_L - H(1)‖ <= C'(1 + C'')/L", "prop2.interpolation prop2.state prop2.readout"),
    (31, "h_r, ⟨f₁, f₂⟩, η_r(σ)", "hermite.orthonormal hermite.coefficient hermite.by-parts hermite.parity hermite.parseval"),
    (31, "P(|⟨x, y⟩| >= t) <= 2 exp(-t²/(2v_x²))", "eq55.sub-gaussian eq55.proxy"),
    (32, "infinitely many non-zero coefficients", "hermite.not-polynomial"),
    (32, "‖A‖ <= M, ‖V_k‖ + ‖W_k‖ <= M, ‖B‖ <= M", "prop7.norm-A prop7.norm-Z prop7.norm-B prop3.norm-of-vector"),
    (32, "‖Z‖ = ‖V‖ + ‖W‖", "prop3.norms-lower prop3.norms-upper prop3.operator-norm prop3.norm-of-vector"),
    (32, "M, M_0, M_π", "prop3.M0 prop3.M-pi-A prop3.M-pi-Z prop3.M-pi-B"),
    (32, "‖A(0)‖ = √d, ‖V(0)‖ = 0, ‖W(0)‖ <= 2√(qm), ‖B(0)‖ = √d'", "prop3.start-A prop3.start-B prop3.event lemma20.tail"),
    (32, "Z_k(0) = Z_{k+1}(0)", "prop3.start-layers"),
    (32, "M = min(η/(32K_σ√(2nq)), ½)", "prop5.radius prop5.half"),
    (32, "σ is bounded and not constant, hence no polynomial", "(about functions; a σ of the catalogue with η_r != 0 is what is used)"),
    (32, "ℓ = |Bh_L - y|²/n, p_k = ∂ℓ/∂h_k", "prop5.loss prop5.p-last"),
    (33, "s_min(B) >= s_min(B̄) - |B - B̄| = 1 - |B - B̄| >= ½", "prop5.smin-B prop5.smin-half"),
    (33, "|h_{k+1}| <= |h_k| + ... <= (1 + 2√2K_σ/L)|h_k|", "prop5.h-growth prop5.h-step"),
    (33, "p_k = p_{k+1} + Wᵀ((Vᵀp_{k+1}) ⊙ σ'(Wh_k/√q))/(L√(qm))", "eq13.layer prop5.p-growth"),
    (33, "|p_k| >= |p_{k+1}| - ... >= (1 - 2√2K_σ/L)|p_{k+1}|", "prop5.p-growth prop5.p-step"),
    (33, "|p_k| >= exp(-2√2K_σ)|p_L|", "prop5.p-power"),
    (33, "p_L = (2/n)Bᵀ(Bh_L - y)", "prop5.p-last"),
    (33, "|p_L| >= (2/n)s_min(B)|Bh_L - y| >= √(ℓ/n)", "prop5.p-last-lower prop5.p-last-loss"),
    (33, "|p_k| <= (3/√n)exp(2√2K_σ)√ℓ", "prop5.p-upper"),
    (33, "∂ℓ/∂V_{k+1} = p_{k+1}σ(W_{k+1}h_k/√q)ᵀ/(L√m)", "prop5.grad-V"),
    (34, "s_min(σ(Wh/√q)) >= s_min(σ(W̄Āx/√q)) - |...|", "prop5.s-perturbed"),
    (34, "s_min(σ(W̄Āx/√q)) = s_min(σ(W̃x̃))", "prop5.s-tilde"),
    (34, "the probability, and s_min(σ(W̄Āx/√q)) >= √mη/4", "prop5.delta-34 prop5.frequency"),
    (34, "|σ(Wh/√q) - σ(W̄Āx/√q)| <= (K_σ/√q)(...)", "prop5.drift-split"),
    (34, "|h_k - Ax| <= (4√2K_σk/L)exp(2√2K_σ)√(qn)", "prop5.h-drift"),
    (34, "|Ax - Āx| <= |A - Ā||x| <= η/(32√2K_σ)", "prop5.A-drift prop5.A-drift-bound"),
    (34, "putting together, C₁, C₂", "prop5.drift prop5.drift-constants"),
    (34, "C₁√n <= √mη/32; s_min >= √m(3η/16 - ...) >= √mη/8", "prop5.c1-used prop5.s-layer prop5.s-eighth"),
    (34, "|∂ℓ/∂V_{k+1}| >= C₃η√ℓ/(L√n)", "prop5.grad-V-layer"),
    (34, "the sum over layers, three lines", "prop5.sum prop5.range prop5.sum-floor prop5.pl-proved"),
    (35, "⌊x⌋ >= x/2 for x >= 1", "prop5.floor"),
    (35, "c₁, c₂, c₃, c₄, δ", "prop5.c1 prop5.c2 prop5.radius prop5.c4 prop5.mu-root prop5.delta-34 prop5.frequency"),
    (35, "Remark 2: v_x² of the sphere does not depend on d, of Diracs grows like d", "remark2.dirac remark2.order remark2.first-terms"),
    (35, "M = c₃/√(nq), μ = c₄/(n√n q), μ̃ < μ", "prop5.radius prop5.mu-root thm6.weaker"),
    (35, "c₄/(n√n q) >= max(M_BK, M_BM_X, M_AM_X)(8e^K/M)sup√ℓ(0)", "thm6.condition"),
    (35, "F = BAx = 0, ℓ(0) = (1/n)Σ|y_i|²", "thm6.loss0"),
    (35, "(1/n)Σ|y_i|² <= C", "thm6.C thm6.condition"),
    (36, "Remark 3", "remark3.width"),
    (36, "Lemmas 16 and 17", "(existence of solutions; that of the flows is what identities.displacement bounds)"),
    (37, "Lemma 18", "lemma18.perturbation lemma18.left lemma18.right"),
    (37, "s_min(A + A') >= s_min(A) - s_max(A'), s_max(A') = |A|₂ <= |A|_F", "lemma18.loyka lemma18.operator lemma18.frobenius"),
    (37, "|AB|² = Tr(ABBᵀAᵀ) = Tr(BBᵀAᵀA) >= λ_min(AᵀA)|B|²", "lemma18.trace lemma18.eigenvalue lemma18.square"),
    (37, "Lemma 19: limits of double sequences", "(a limit)"),
    (37, "Lemma 20, five lines", "lemma20.laurent-massart lemma20.root lemma20.root-bound lemma20.linear lemma20.threshold"),
    (37, "Lemma 20, and the inclusion of events", "lemma20.tail lemma20.inclusion lemma20.chi-square"),
    (33, "the event of Lemma 20", "prop5.event"),
    (38, "δ = n exp(-3mη²/(64M²n)) + 2n² exp(...)", "lemma21.conclusion lemma21.delta lemma21.void"),
    (38, "M_i = σ(Xᵀw_iᵀ)σ(w_iX), M = ΣM_i", "lemma21.sum lemma21.largest"),
    (38, "E(M|X), two lines", "lemma21.expectation lemma21.rescaling eq55.mehler"),
    (38, "P(λ_min(M) <= tλ_min(E(M|X))|X)", "lemma21.chernoff lemma21.frequency lemma21.counts"),
    (38, "P(λ_min(M) >= λ_min(E(M|X))/2|X)", "lemma21.half"),
    (38, "P(λ_min(M) >= mη²/16)", "lemma21.event"),
    (38, "P(λ_min(M) >= mη²/16) >= ... three lines", "lemma21.product lemma21.union"),
)  # fmt: skip


@pytest.mark.parametrize("number", NUMBERED)
def test_every_numbered_equation_is_the_source_of_a_claim(number: int) -> None:
    found = [c.id for c in claims() if c.source.equation == f"({number})" and c.source.page in PAGES]
    assert found


@pytest.mark.parametrize(("page", "display", "labels"), UNNUMBERED, ids=lambda v: str(v) if isinstance(v, int) else None)
def test_every_display_without_a_number_is_checked_or_says_why_not(page: int, display: str, labels: str) -> None:
    assert page in PAGES and display
    if not labels.startswith("("):
        assert set(labels.split()) <= {c.label for c in claims()}


def test_every_step_of_these_pages_is_listed() -> None:
    """A label that is new on one of these pages belongs in the list, or has a number."""
    listed = {label for _, _, labels in UNNUMBERED if not labels.startswith("(") for label in labels.split()}
    steps = {
        c.label for c in claims() if c.role == "step" and c.source.page in PAGES and not c.source.equation and c.edition != "sharpened"
    }
    assert steps - listed == set()
