"""02. Double backward: derivatives of derivatives, and why a GAN needs them.

A Wasserstein critic D must not be steeper than 1. WGAN-GP asks for it by a penalty on the norm of
the *gradient* of D at points x:

    P = mean over x of (‖grad_x D(x)‖ - 1)^2

To train D with it, P must be differentiated with respect to D's weights: a derivative of something
that contains a derivative. minigan writes each derivative rule in its own ops, so a backward pass
is a program like any other, and `mg.grad(..., create_graph=True)` records it. What is recorded can
be differentiated: twice, or as often as you like. Three demonstrations:

* the first four derivatives of tanh, each the gradient of the one before, against closed forms;
* Newton's method for the minimum of e^x - 2x (it is at log 2): it needs f' and f'', and doubles
  the number of right digits at each step, which a wrong f'' would not;
* the gradient penalty of the critic D(x) = v . tanh(W x). Here grad_x D can also be written down
  by hand, W^T (v * (1 - tanh^2)), so P is a formula in plain NumPy, whose derivative in direction
  e is exact to round-off by the complex step, Im P(W + ih e) / h. The double backward must agree.
  Descending along it brings every slope to 1.

Run it with `python examples/02_double_backward.py --out out`.
"""

import argparse
from pathlib import Path

import numpy as np

import minigan as mg

try:
    import matplotlib.pyplot as plt
except ModuleNotFoundError:
    raise SystemExit('this example draws: pip install -e ".[train]" brings matplotlib') from None


def derivatives(fn, x, order):
    """Return [fn(x), fn'(x), ..., up to `order`], elementwise, as host arrays."""
    x = mg.tensor(x, requires_grad=True)
    y = fn(x)
    values = [y.numpy()]
    for _ in range(order):
        (y,) = mg.grad(y.sum(), [x], create_graph=True)  # the sum: each y depends on its own x
        values.append(y.detach().numpy())
    return values


def tanh_closed_forms(x):
    """The same list for tanh up to the fourth derivative, as polynomials in t = tanh(x)."""
    t = np.tanh(x)
    s = 1 - t**2
    return [t, s, -2 * t * s, s * (6 * t**2 - 2), s * t * (16 - 24 * t**2)]


def newton(fn, x, steps):
    """Minimise fn by x <- x - f'(x) / f''(x); return every x on the way."""
    path = [x]
    for _ in range(steps):
        x = mg.tensor(np.float64(path[-1]), requires_grad=True)
        (slope,) = mg.grad(fn(x), [x], create_graph=True)
        (curvature,) = mg.grad(slope, [x])
        path.append(path[-1] - slope.item() / curvature.item())
    return path


# -- the critic: N points, K inputs, M hidden units -----------------------------------------------


def slopes(x, w, v, create_graph):
    """‖grad_x D(x)‖ at each point by the engine. x (N, K), w (M, K), v (M,) -> (N,)."""
    x = mg.tensor(x, requires_grad=True)
    scores = mg.tanh(x @ w.T) @ v  # (N, K) @ (K, M) @ (M,) -> (N,)
    (gradient,) = mg.grad(scores.sum(), [x], create_graph=create_graph)  # (N, K)
    return mg.norm(gradient, axis=1)


def penalty_gradients(x, weights):
    """dP/dW and dP/dv by double backward, P = mean (slope - 1)^2."""
    penalty = ((slopes(x, *weights, create_graph=True) - 1) ** 2).mean()
    return mg.grad(penalty, weights)


def penalty_by_hand(x, w, v):
    """P from the formula for grad_x D, in NumPy alone and fit for complex weights."""
    t = np.tanh(x @ w.T)  # (N, M)
    gradient = (v * (1 - t * t)) @ w  # (N, M) @ (M, K) -> (N, K)
    return ((np.sqrt((gradient * gradient).sum(axis=1)) - 1) ** 2).mean()


def complex_step(fn, arrays, which, h=1e-30):
    """The gradient of fn(*arrays) with respect to arrays[which], one entry at a time."""
    gradient = np.empty(arrays[which].shape)
    for index in np.ndindex(gradient.shape):
        moved = [array.astype(complex) for array in arrays]
        moved[which][index] += h * 1j
        gradient[index] = fn(*moved).imag / h
    return gradient


def descend(x, weights, steps, rate=0.1):
    """Follow the penalty's gradient, a double backward at each step."""
    for _ in range(steps):
        gradients = penalty_gradients(x, weights)
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.assign_(weight.data - rate * gradient.data)


def draw(x, tanh, before, after, path):
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    for order, values in enumerate(tanh):
        left.plot(x, values, label=f"order {order}")
    left.set(xlabel="x", title="tanh and its derivatives, each the gradient of the last")
    left.legend()
    right.hist([before, after], bins=30, label=["before", "after"])
    right.axvline(1, color="black", linewidth=1)
    right.set(xlabel="‖grad D(x)‖", ylabel="points", title="Slopes, before and after the penalty")
    right.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main(out, smoke):
    x = np.linspace(-3, 3, 121)
    tanh = derivatives(mg.tanh, x, order=4)
    print("derivative of tanh: largest difference from the closed form on [-3, 3]")
    for order, (ours, exact) in enumerate(zip(tanh, tanh_closed_forms(x), strict=True)):
        print(f"  order {order}: {np.abs(ours - exact).max():.1e}")

    print("Newton's method for the minimum of e^x - 2x, at log 2")
    for step, value in enumerate(newton(lambda x: mg.exp(x) - 2 * x, 1.5, steps=6)):
        print(f"  step {step}: x = {value:.15f}, error {abs(value - np.log(2)):.1e}")

    rng = np.random.default_rng(0)
    points = rng.normal(size=(256, 2))
    weights = [mg.tensor(rng.normal(size=s), requires_grad=True) for s in [(16, 2), (16,)]]
    print("gradient penalty of D(x) = v . tanh(W x): double backward against the complex step")
    for which, ours in enumerate(penalty_gradients(points, weights)):
        exact = complex_step(
            lambda *arrays: penalty_by_hand(points, *arrays), [w.numpy() for w in weights], which
        )
        error = np.abs(ours.numpy() - exact).max()
        print(f"  dP/d{'Wv'[which]}: largest difference {error:.1e}")

    before = slopes(points, *weights, create_graph=False).numpy()
    descend(points, weights, steps=100 if smoke else 1000)
    after = slopes(points, *weights, create_graph=False).numpy()
    print(f"slopes before: {before.mean():.3f} +- {before.std():.3f}")
    print(f"slopes after:  {after.mean():.3f} +- {after.std():.3f} (the penalty asks for 1)")
    draw(x, tanh, before, after, out / "02_double_backward.png")
    print(f"picture: {out / '02_double_backward.png'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Derivatives of derivatives.")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the picture")
    parser.add_argument("--smoke", action="store_true", help="fewer steps, for the tests")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    main(options.out, options.smoke)
