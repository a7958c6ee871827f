"""What the steps of Proposition 7 speak of, on general residual networks: norms at one state, and the constants of (17)-(19).

Layers: "k = 0..L-1" for sizes at (h_k, Z_{k+1}), "k = 1..L-1" for pairs of successive layers. Means are over the samples.
"""

from __future__ import annotations

from depthlimit.theory.paper.general import measured

# --- constants
M0_euclid = measured("M0_euclid", "M_0", "", "largest initial norm, Z_init(s) over all s in [0, 1], Euclidean norm on Z", exact=True)
M_pi_euclid = measured("M_pi_euclid", r"M_\pi", "", "supremum of the clip over A, Z and B, Euclidean norm on Z", exact=True)
K_pi = measured("K_pi", r"\mathrm{Lip}(\pi)", "", "Lipschitz constant of the clip, Euclidean norms", exact=True)
clipped = measured("clipped", r"1_\pi", "", "1 if the flow is clipped, 0 if not", exact=True)
K1_sup = measured("K1_sup", r"\sup_{\|z\|\le M}\|\partial_1f\|_2", "", "K₁ of (18), in closed form", exact=True)
K2_sup = measured(
    "K2_sup", r"\sup_E\|\partial_2f\|_2", "", "K₂ over the compact E of (19); an upper bound for model (3) where |σ'(0)| < K_σ", exact=True
)
K22_sup = measured("K22_sup", r"\sup_E\|\partial_{22}f\|_2", "", "first term of K' over E; an upper bound for model (3)", exact=True)
K21_sup = measured("K21_sup", r"\sup_E\|\partial_{21}f\|_2", "", "second term of K' over E; an upper bound for model (3)", exact=True)
M_now = measured("M_now", "M(t)", "BT", "largest norm of A(t), Z_k(t), B(t)")
K1_now = measured("K1_now", "K_1(t)", "BT", "K₁ with M(t) for M")
K2_now = measured("K2_now", "K_2(t)", "BT", "K₂ with M(t) for M")
K22_now = measured("K22_now", "K'_{22}(t)", "BT", "first term of K' with M(t) for M")
K21_now = measured("K21_now", "K'_{21}(t)", "BT", "second term of K' with M(t) for M")
K1_here = measured("K1_here", "K_1(t,k)", "BTL", "K₁ with the norm of Z_{k+1}(t) for M")
K1_pair = measured("K1_pair", "K_1(t,k)", "BTL", "K₁ with the norms of Z_k(t) and Z_{k+1}(t) for M")
K2_pair = measured("K2_pair", "K_2(t,k)", "BTL", "K₂ over the ball through h_{k-1}, h_k and Z_k, Z_{k+1}")
K22_pair = measured("K22_pair", "K'_{22}(t,k)", "BTL", "first term of K' over that ball")
K21_pair = measured("K21_pair", "K'_{21}(t,k)", "BTL", "second term of K' over that ball")

# --- norms along the flow
A_start = measured("A_start", r"\|A(0)\|_F", "B", "initial norm of A")
Z_start = measured("Z_start", r"\|Z_k(0)\|", "BL", "initial norm of Z_k")
B_start = measured("B_start", r"\|B(0)\|_F", "B", "initial norm of B")
Z_size = measured("Z_size", r"\|Z_k(t)\|", "BTL", "norm of Z_k along the flow, Euclidean", local=False)
path_A = measured("path_A", r"\int_0^t\|\dot A\|_Fd\tau", "BT", "length of the path of A", local=False)
path_Z = measured("path_Z", r"\int_0^t\|\dot Z_k\|d\tau", "BTL", "length of the path of Z_k", local=False)
path_B = measured("path_B", r"\int_0^t\|\dot B\|_Fd\tau", "BT", "length of the path of B", local=False)
gap_path = measured("gap_path", r"\int_0^t\|Z_{k+1}-Z_k\|d\tau", "BTL", "integral of the successive difference, k = 1..L-1", local=False)

# --- sizes at one state, per sample
h_size = measured("h_size", r"\|h_{k,i}\|", "BTLN", "norm of the hidden state, k = 0..L-1")
h_next_size = measured("h_next_size", r"\|h_{k+1,i}\|", "BTLN", "norm of the next hidden state")
dh_size = measured("dh_size", r"\|h_{k+1,i}-h_{k,i}\|", "BTLN", "change of the hidden state over a layer")
f_size = measured("f_size", r"\|f(h_{k,i},Z_{k+1})\|", "BTLN", "norm of the residual branch")
h0_size = measured("h0_size", r"\|h_{0,i}\|", "BTN", "norm of the first hidden state")
Ax_size = measured("Ax_size", r"\|Ax_i\|", "BTN", "norm of the embedded input")
p_size = measured("p_size", r"\|p_{k,i}\|", "BTLN", "norm of the adjoint state, k = 0..L-1")
p_next_size = measured("p_next_size", r"\|p_{k+1,i}\|", "BTLN", "norm of the next adjoint state")
dp_size = measured("dp_size", r"\|p_{k+1,i}-p_{k,i}\|", "BTLN", "change of the adjoint state over a layer")
J_size = measured("J_size", r"\|\partial_1f(h_{k,i},Z_{k+1})p_{k+1,i}\|", "BTLN", "norm of ∂₁f applied to the adjoint state")
Jt_size = measured("Jt_size", r"\|\partial_1f(h_{k,i},Z_{k+1})^\top p_{k+1,i}\|", "BTLN", "norm of ∂₁f transposed applied to it")
p_last_size = measured("p_last_size", r"\|p_{L,i}\|", "BTN", "norm of the last adjoint state")
B_error_size = measured("B_error_size", r"\|B^\top(F(x_i)-y_i)\|", "BTN", "norm of B transposed applied to the error")
Bh_size = measured("Bh_size", r"\|Bh_{L,i}\|", "BTN", "norm of the output")
y_size = measured("y_size", r"\|y_i\|", "N", "norm of the label", exact=True)
J1_norm = measured("J1_norm", r"\|\partial_1f(h_{k,i},Z_{k+1})\|_2", "BTLN", "operator norm of ∂₁f")
J2_norm = measured("J2_norm", r"\|\partial_2f(h_{k,i},Z_{k+1})\|_2", "BTLN", "operator norm of ∂₂f")

# --- pairs of layers, k = 1..L-1; "early" is the index of the print, one less
dJ2_norm = measured("dJ2_norm", r"\|\partial_2f(h_k,Z_{k+1})-\partial_2f(h_{k-1},Z_k)\|_2", "BTLN", "change of ∂₂f over a layer")
dh_pair = measured("dh_pair", r"\|h_{k,i}-h_{k-1,i}\|", "BTLN", "change of the hidden state between the two points")
grad_gap = measured("grad_gap", r"L\|\partial\ell/\partial Z_{k+1}-\partial\ell/\partial Z_k\|", "BTL", "difference of gradients, times L")
_J, _I = r"\partial_2f(h_k,Z_{k+1})", r"\partial_2f(h_{k-1},Z_k)"
sum_20 = measured("sum_20", rf"\tfrac1n\sum_i\|{_J}^\top p_{{k+1}}-{_I}^\top p_k\|", "BTL", "mean difference of the products of (15)")
sum_20_early = measured("sum_20_early", rf"\tfrac1n\sum_i\|{_J}^\top p_k-{_I}^\top p_{{k-1}}\|", "BTL", "the same as printed in (20)")
split_20 = measured(
    "split_20",
    rf"\tfrac1n\sum_i\|{_J}\|_2\|p_{{k+1}}-p_k\|+\|p_k\|\|{_J}-{_I}\|_2",
    "BTL",
    "the last line of (20), with the indices of (15)",
)
split_20_early = measured(
    "split_20_early", rf"\tfrac1n\sum_i\|{_J}\|_2\|p_k-p_{{k-1}}\|+\|p_{{k-1}}\|\|{_J}-{_I}\|_2", "BTL", "the last line of (20) as printed"
)
mean_dp = measured("mean_dp", r"\tfrac1n\sum_i\|p_{k+1}-p_k\|", "BTL", "mean change of the adjoint state")
mean_dp_early = measured("mean_dp_early", r"\tfrac1n\sum_i\|p_k-p_{k-1}\|", "BTL", "the same an index early")
mean_p = measured("mean_p", r"\tfrac1n\sum_i\|p_k\|", "BTL", "mean adjoint state")
mean_p_early = measured("mean_p_early", r"\tfrac1n\sum_i\|p_{k-1}\|", "BTL", "the same an index early")
mean_p_dh = measured("mean_p_dh", r"\tfrac1n\sum_i\|p_k\|\|h_k-h_{k-1}\|", "BTL", "mean of adjoint state times change of the hidden state")
mean_p_dh_early = measured("mean_p_dh_early", r"\tfrac1n\sum_i\|p_{k-1}\|\|h_k-h_{k-1}\|", "BTL", "the same an index early")
EARLY = {sum_20_early, split_20_early, mean_dp_early, mean_p_early, mean_p_dh_early}
