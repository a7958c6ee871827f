"""The quantities of the paper that are checked so far, in the order of the paper; each gives its SymPy symbol."""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.registry import quantity

B_, T_, L_, N_, C_ = "batch", "time", "layer", "sample", "component"


def _number(name: str, latex: str, meaning: str, *, exact: bool = True) -> sp.Symbol:
    return quantity(name, latex, (), meaning, exact=exact).symbol


def _on(*axes: str, local: bool = True, signed: bool = False):  # type: ignore[no-untyped-def]
    def make(name: str, latex: str, meaning: str) -> sp.Symbol:
        return quantity(name, latex, axes, meaning, local=local, signed=signed).symbol

    return make


# --- the instance
d = _number("d", "d", "input dimension")
dout = _number("dout", "d'", "output dimension")
q = _number("q", "q", "dimension of the hidden states")
m = _number("m", "m", "width of the residual branch")
L = _number("L", "L", "depth")
n = _number("n", "n", "sample size")
T = _number("T", "T", "training horizon")
K_sigma = _number("K_sigma", r"K_\sigma", "Lipschitz constant sup|σ'| of the activation, certified enclosure")
S2 = _number("S2", r"S_2", "sup|σ''| of the activation, certified enclosure")
M_X = _number("M_X", "M_X", "largest norm of an input, (18)")
M_Y = _number("M_Y", "M_Y", "largest norm of a label, (18)")
mean_y2 = _number("mean_y2", r"\tfrac1n\sum_i\|y_i\|^2", "mean squared norm of the labels")
trained_ends = _number("trained_ends", r"1_{A,B}", "1 if A and B are trained, 0 if only V and W are")
paper_init = _number("paper_init", r"1_{\mathrm{init}}", "1 if the instance starts at the initialisation of Section 3")

# --- the network (3) and the loss
h0 = _on(B_, T_, N_, C_)("h0", "h_0", "first hidden state of each sample")
Ax = _on(B_, T_, N_, C_)("Ax", "Ax", "A applied to each input")
h = _on(B_, T_, L_, N_, C_)("h", "h_k", "hidden states, k = 0..L-1")
h_next = _on(B_, T_, L_, N_, C_)("h_next", "h_{k+1}", "hidden states, k+1 = 1..L")
branch = _on(B_, T_, L_, N_, C_)("branch", r"V_{k+1}\sigma(W_{k+1}h_k/\sqrt q)", "the residual branch before its scaling")
output = _on(B_, T_, N_, C_)("output", "F(x_i)", "output of the network")
Bh = _on(B_, T_, N_, C_)("Bh", "Bh_L", "B applied to the last hidden state")
loss = _on(B_, T_)("loss", r"\ell", "empirical risk that the implementation reports")
sum_squares = _on(B_, T_)("sum_squares", r"\sum_i\|F(x_i)-y_i\|^2", "sum of squared errors at the implementation's outputs")

# --- the adjoint (13), read out of the implementation's gradients of truncated networks, the sample with the largest input, last time
p = _on(B_, L_, C_)("p", "p_k", "adjoint state ∂ℓ/∂h_k of that sample, k = 0..L-1, from gradients of truncated networks")
p_next = _on(B_, L_, C_)("p_next", "p_{k+1}", "adjoint state, k+1 = 1..L, from gradients of truncated networks")
p_last = _on(B_, C_)("p_last", "p_L", "last adjoint state, from the gradient of the network without branches")
B_residual = _on(B_, C_)("B_residual", r"B^\top(F(x)-y)", "B transposed applied to the error of that sample")
jacobian_p = _on(B_, L_, C_)(
    "jacobian_p", r"\partial_1f(h_k,Z_{k+1})\,p_{k+1}", "∂₁f applied to the next adjoint state, as (13) is printed"
)
jacobian_t_p = _on(B_, L_, C_)("jacobian_t_p", r"\partial_1f(h_k,Z_{k+1})^\top p_{k+1}", "∂₁f transposed applied to the next adjoint state")

# --- gradients (14)-(16), velocities (4), (5)
grad_A = _on(B_, T_, C_)("grad_A", r"\partial\ell/\partial A", "gradient in A from the implementation")
grad_V = _on(B_, T_, L_, C_)("grad_V", r"\partial\ell/\partial V_k", "gradient in V_k from the implementation")
grad_W = _on(B_, T_, L_, C_)("grad_W", r"\partial\ell/\partial W_k", "gradient in W_k from the implementation")
grad_B = _on(B_, T_, C_)("grad_B", r"\partial\ell/\partial B", "gradient in B from the implementation")
sum_p0_x = _on(B_, T_, C_)("sum_p0_x", r"\sum_ip_{0,i}x_i^\top", "adjoint (13) at the implementation's states, against the inputs")
sum_vjp_V = _on(B_, T_, L_, C_)("sum_vjp_V", r"\sum_i\partial_Vf(h_{k-1,i},Z_k)^\top p_{k,i}", "V part of the sum in (15)")
sum_vjp_W = _on(B_, T_, L_, C_)("sum_vjp_W", r"\sum_i\partial_Wf(h_{k-1,i},Z_k)^\top p_{k,i}", "W part of the sum in (15)")
sum_error_h = _on(B_, T_, C_)("sum_error_h", r"\sum_i(F(x_i)-y_i)h_{L,i}^\top", "the sum in (16)")
A_dot = _on(B_, T_, C_)("A_dot", r"\dot A", "velocity of A from the implementation")
V_dot = _on(B_, T_, L_, C_)("V_dot", r"\dot V_k", "velocity of V_k from the implementation")
W_dot = _on(B_, T_, L_, C_)("W_dot", r"\dot W_k", "velocity of W_k from the implementation")
B_dot = _on(B_, T_, C_)("B_dot", r"\dot B", "velocity of B from the implementation")
pi_A = _on(B_, T_, C_)("pi_A", r"\pi(-\partial\ell/\partial A)", "clip of the descent direction in A")
pi_V = _on(B_, T_, L_, C_)("pi_V", r"\pi(-L\,\partial\ell/\partial Z_k)_V", "V part of the clip of L times the descent direction in Z_k")
pi_W = _on(B_, T_, L_, C_)("pi_W", r"\pi(-L\,\partial\ell/\partial Z_k)_W", "W part of the clip of L times the descent direction in Z_k")
pi_B = _on(B_, T_, C_)("pi_B", r"\pi(-\partial\ell/\partial B)", "clip of the descent direction in B")

# --- the flow in time
t = quantity("t", "t", (T_,), "training times at which the state is saved", exact=True).symbol
_state = _on(B_, T_, C_, local=False)
A_t = _state("A_t", "A(t)", "A along the implementation's flow")
V_t = _state("V_t", "V(t)", "all V_k along the implementation's flow")
W_t = _state("W_t", "W(t)", "all W_k along the implementation's flow")
B_t = _state("B_t", "B(t)", "B along the implementation's flow")
A_ref = _state("A_ref", r"\varphi_t(\theta(0))_A", "A along the reference flow from the same initial state")
V_ref = _state("V_ref", r"\varphi_t(\theta(0))_V", "all V_k along the reference flow from the same initial state")
W_ref = _state("W_ref", r"\varphi_t(\theta(0))_W", "all W_k along the reference flow from the same initial state")
B_ref = _state("B_ref", r"\varphi_t(\theta(0))_B", "B along the reference flow from the same initial state")
loss0 = _on(B_)("loss0", r"\ell(0)", "loss at t = 0")
loss_t = _on(B_, T_, local=False)("loss_t", r"\ell(t)", "loss that the implementation's flow reports")
dissipated = _on(B_, T_, local=False)(
    "dissipated", r"\int_0^t\langle-\nabla\ell,\dot\theta\rangle", "integral of the dissipation along the reference flow"
)
descent_rate = _on(B_, T_)("descent_rate", r"-d\ell/dt", "minus the product of the implementation's gradients and velocities")
speed2 = _on(B_, T_)("speed2", r"\|\dot A\|_F^2+\tfrac1L\sum_k\|\dot Z_k\|^2+\|\dot B\|_F^2", "weighted squared speed, Euclidean norm on Z")
displacement2 = _on(B_, T_, local=False)(
    "displacement2",
    r"\|A(t)-A(0)\|_F^2+\tfrac1L\sum_k\|Z_k(t)-Z_k(0)\|^2+\|B(t)-B(0)\|_F^2",
    "weighted squared displacement, Euclidean norm on Z",
)
balance_AV = _on(B_, T_, C_)("balance_AV", r"\dot AA^\top+\tfrac1L\sum_k\dot V_kV_k^\top", "one side of the conservation law's derivative")
balance_BW = _on(B_, T_, C_)("balance_BW", r"B^\top\dot B+\tfrac1L\sum_kW_k^\top\dot W_k", "the other side")
conserved = _on(B_, T_, C_, local=False)(
    "conserved", r"AA^\top-B^\top B+\tfrac1L\sum_k(V_kV_k^\top-W_k^\top W_k)", "the q x q matrix that (4) conserves"
)
conserved0 = _on(B_, C_)("conserved0", r"(AA^\top-B^\top B+\tfrac1L\sum_k(V_kV_k^\top-W_k^\top W_k))(0)", "the same at t = 0")
B_growth = _on(B_, T_, signed=True)("B_growth", r"d\|B\|_F^2/dt", "twice the product of B and its velocity")
alignment = _on(B_, T_, signed=True)("alignment", r"\sum_i\langle F(x_i)-y_i,y_i\rangle", "product of errors and labels")
B_norm2 = _on(B_, T_, local=False)("B_norm2", r"\|B(t)\|_F^2", "squared Frobenius norm of B")
B0_norm2 = _on(B_)("B0_norm2", r"\|B(0)\|_F^2", "squared Frobenius norm of B at t = 0")

# --- successive weights
gap = _on(B_, T_, L_, local=False)("gap", r"\|Z_{k+1}-Z_k\|", "successive difference, Euclidean norm on Z = (V, W)")
gap_sum = _on(B_, T_, L_, local=False)("gap_sum", r"\|Z_{k+1}-Z_k\|_F", "successive difference in the paper's norm ‖V‖_F + ‖W‖_F")
gap_max = _on(B_, T_, L_, local=False)(
    "gap_max", r"\max(\|V_{k+1}-V_k\|_F,\|W_{k+1}-W_k\|_F)", "successive difference as Proposition 3 measures it"
)
gap_here = _on(B_, T_, L_)("gap_here", r"\|Z_{k+1}-Z_k\|", "successive difference of the saved state itself, Euclidean")
gap0 = _on(B_, L_)("gap0", r"\|Z_{k+1}(0)-Z_k(0)\|", "successive difference at t = 0, Euclidean")
gap0_sum = _number("gap0_sum", r"\max_k\|Z_{k+1}(0)-Z_k(0)\|_F", "largest successive difference at t = 0, the paper's norm", exact=False)
gap_rate = _on(B_, T_, L_)("gap_rate", r"\|\dot Z_{k+1}-\dot Z_k\|", "successive difference of the velocities, Euclidean")
A_norm = _on(B_, T_, local=False)("A_norm", r"\|A(t)\|_F", "Frobenius norm of A")
Z_norm = _on(B_, T_, L_, local=False)("Z_norm", r"\|V_k(t)\|_F+\|W_k(t)\|_F", "the paper's norm of Z_k")
B_norm = _on(B_, T_, local=False)("B_norm", r"\|B(t)\|_F", "Frobenius norm of B")
W0_norm = _number("W0_norm", r"\|W(0)\|_F", "Frobenius norm of the weight-tied initial W", exact=False)
M0_sum = _number("M0_sum", "M_0", "largest initial norm, the paper's norm on Z", exact=False)
M_pi = _number("M_pi", r"M_\pi", "supremum of the clip, the paper's norm on Z")
M_pi_Z = _number("M_pi_Z", r"\max_Z\|\pi(Z)\|", "supremum of the clip on Z, Euclidean norm")
Z_speed = _on(B_, T_, L_)("Z_speed", r"\|\dot Z_k\|", "speed of Z_k, Euclidean norm")
v_pair = _on(B_, T_, L_)("v_pair", r"\max(\|V_k\|_2,\|V_{k+1}\|_2)", "operator norms of two successive V")
w_pair = _on(B_, T_, L_)("w_pair", r"\max(\|W_k\|_2,\|W_{k+1}\|_2)", "operator norms of two successive W")
h_pair = _on(B_, T_, L_)("h_pair", r"\max_i\max(\|h_{k-1,i}\|,\|h_{k,i}\|)", "largest of two successive hidden states")
p_pair = _on(B_, T_, L_)("p_pair", r"\tfrac1n\sum_i\max(\|p_{k,i}\|,\|p_{k+1,i}\|)", "mean of two successive adjoint states")
v_sup = _number("v_sup", r"\sup_{k,t}\|V_k\|_2", "largest operator norm of V along the run", exact=False)
w_sup = _number("w_sup", r"\sup_{k,t}\|W_k\|_2", "largest operator norm of W along the run", exact=False)
h_sup = _number("h_sup", r"\sup_{k,i,t}\|h_{k,i}\|", "largest hidden state along the run", exact=False)
p_sup = _number("p_sup", r"\sup_{k,t}\tfrac1n\sum_i\|p_{k,i}\|", "largest mean adjoint state along the run", exact=False)
slope_gap = _on(B_, local=False, signed=True)(
    "slope_gap", r"\lim_L\log_2\frac{g(2L)}{g(L)}", "extrapolated local slope of g(L) = max_{k,t}‖Z_{k+1}-Z_k‖"
)

# --- the neural ODE (6) and Proposition 2
H_s = _on(L_, C_, local=False)("H_s", "H(s)", "states of the neural ODE from the implementation, at saved s")
H_ref = _on(L_, C_, local=False)("H_ref", r"\Phi_s(Ax)", "states of the neural ODE from an independent solver")
F_ode = _on(C_)("F_ode", "F(x)", "output of the neural ODE from the implementation")
B_H1 = _on(C_)("B_H1", "BH(1)", "B applied to the last state of the neural ODE")
depth = quantity("depth", "L", (B_,), "depths of the ladder", exact=True).symbol
output_gap = _on(B_, local=False)("output_gap", r"\sup_x\|F(x)-F^L(x)\|", "distance of outputs, neural ODE and network of depth L")
slope_output = _on(local=False, signed=True)(
    "slope_output",
    r"\lim_L\log_2\frac{e(2L)}{e(L)}",
    "extrapolated local slope of e(L)² = Σ_i |F(x_i) - F^L(x_i)|², equivalent to the supremum",
)
v_ode = _number("v_ode", r"\sup_s\|\mathcal V(s)\|_2", "largest operator norm of 𝒱", exact=False)
w_ode = _number("w_ode", r"\sup_s\|\mathcal W(s)\|_2", "largest operator norm of 𝒲", exact=False)
C_Theta = _number("C_Theta", r"C_\Theta", "Lipschitz constant of s -> (𝒱(s), 𝒲(s)), Euclidean norm", exact=False)
a_sup = _number("a_sup", r"\sup_x\|Ax\|", "largest initial state", exact=False)
u_sup = _number("u_sup", r"\sup_{s,k,x}\max(\|H(s)\|,\|h_k\|)", "largest state along the ODE and the networks", exact=False)
B_op = _number("B_op", r"\|B\|_2", "operator norm of B", exact=False)

# --- the PL certificate
s0 = _number("s0", "s_0", "n-th singular value of S̄ = σ(W̄Āx/√q), 0 if m < n", exact=False)
s_all = _number(
    "s_all", "s_*", "n-th singular value of S̄/√m above √2 x: with A and B the root of n/4 of the least PL ratio at the centre", exact=False
)
w0 = _number("w0", r"\|\bar W\|_2", "operator norm of the initial W", exact=False)
X2 = _number("X2", r"\|x\|_2", "operator norm of the d x n data matrix", exact=False)
XF = _number("XF", r"\|x\|_F", "Frobenius norm of the data matrix", exact=False)
S0 = _number("S0", r"S_0", "largest singular value of S̄", exact=False)
R_A = _number("R_A", "R_A", "radius of the ball in A, Frobenius")
R_B = _number("R_B", "R_B", "radius of the ball in B, Frobenius")
R_V = _number("R_V", "R_V", "radius of the ball in each V_k, Frobenius")
R_W = _number("R_W", "R_W", "radius of the ball in each W_k, Frobenius")
averaged_ball = _number("averaged_ball", r"1_{\mathrm{averages}}", "1 if the ball is one of averages over the layers, 0 if a sup ball")
R_ball = _number("R_ball", "R", "radius of the ball of averages")
ball_gradient2 = _on(B_)(
    "ball_gradient2",
    r"\|\partial_A\ell\|_F^2+L\sum_k\|\partial_{Z_k}\ell\|^2+\|\partial_B\ell\|_F^2",
    "the left side of Definition 1 at points of the ball",
)
ball_loss = _on(B_)("ball_loss", r"\ell", "loss at points of the ball")
ball_drift = _on(B_, L_)("ball_drift", r"\|S_k-\bar S\|_F", "change of the activations at points of the ball")
ball_drift_rms = _on(B_)(
    "ball_drift_rms",
    r"(\tfrac1L\sum_k\|S_k-\bar S\|_F^2)^{1/2}",
    "change of the activations at points of the ball, averaged over the layers",
)
ball_h_drift = _on(B_, L_)("ball_h_drift", r"\|h_k-Ax\|_F", "change of the hidden states with depth at points of the ball")
ball_Ax = _on(B_)("ball_Ax", r"\|Ax\|_F", "norm of the first hidden states at points of the ball")
ball_p = _on(B_, L_)("ball_p", r"\|p_k\|_F", "norm of the adjoint (with its 1/n) at points of the ball")
worst_gradient2 = _on(B_)(
    "worst_gradient2", r"\|\nabla\ell\|^2", "the left side of Definition 1 at the point and labels that a search finds"
)
worst_loss = _on(B_)("worst_loss", r"\ell", "loss at the point and labels that a search finds")
label_excess = _number("label_excess", "c", "the labels over those that the certificate admits, 1 or more")
ball_left = _on(B_, local=False)("ball_left", r"\max_{j,t}\|\theta_j(t)-\theta_j(0)\|/R_j", "displacement over the radii of the ball")
mean_rate = _on(B_, T_, local=False)("mean_rate", r"\tfrac1t\ln\frac{\ell(0)}{\ell(t)}", "mean rate of decay of the loss up to t > 0")
moved_A = _on(B_, T_, local=False)("moved_A", r"\|A(t)-A(0)\|_F", "displacement of A")
moved_B = _on(B_, T_, local=False)("moved_B", r"\|B(t)-B(0)\|_F", "displacement of B")
moved_V = _on(B_, T_, L_, local=False)("moved_V", r"\|V_k(t)-V_k(0)\|_F", "displacement of V_k")
moved_W = _on(B_, T_, L_, local=False)("moved_W", r"\|W_k(t)-W_k(0)\|_F", "displacement of W_k")

# --- negative control: i.i.d. initialisation
iid_excess = _on(B_)("iid_excess", r"|\#\{\max>\mathrm{median}\}-N/2|", "draws above the exact median, minus half of them, per depth")
iid_allowed = _on(B_)("iid_allowed", r"c_\delta(N)", "exact binomial quantile of that count at the stated risk")
iid_mean = _on(B_)("iid_mean", r"\overline{\max_k\|Z_{k+1}-Z_k\|}", "mean over draws of the largest successive difference, per depth")
iid_shallow = _number("iid_shallow", r"\overline{\max_k\|Z_{k+1}-Z_k\|}_{L_0}", "the same at the smallest depth", exact=False)
