"""01. Backpropagation on scalars: the chain rule by hand, and by the engine.

A program that computes a number is a graph: each step makes a new value out of earlier ones, and
knows how that value reacts to each of them. How the *result* L reacts to a value v then follows
from the steps that use v, and the chain rule adds them up:

    dL/dv = sum over the uses u of v:  dL/du * du/dv

So walk backwards from L, where dL/dL = 1. When v's turn comes, every use of v has been visited
already, for it was made after v. One walk gives the derivative with respect to every value, at
about the price of computing L once; nudging the inputs one by one would take a run for each.

Two graphs are worked out below, by hand and by minigan:

* a neuron, L = (tanh(w x + b) - t)^2, a chain where each line of the walk mirrors one line of the
  program; the picture shows the graph, and gradient descent using dL/dw and dL/db;
* a fan-out, b = a + a, c = b + b. Each value is used twice, so contributions must be *added*:
  dc/da = 4. An engine that overwrites them says 1.

Run it with `python examples/01_scalar_backprop.py --out out`.
"""

import argparse
import math
from pathlib import Path

import numpy as np

import minigan as mg

try:
    import matplotlib.pyplot as plt
except ModuleNotFoundError:
    raise SystemExit('this example draws: pip install -e ".[train]" brings matplotlib') from None

NEURON = {"x": 0.8, "w": -0.7, "b": 0.3, "t": 0.5}

# The picture: name, label, place, and the values it is made of.
GRAPH = [
    ("x", "x", (0, 2), ""),
    ("w", "w", (0, 1), ""),
    ("b", "b", (0, 0), ""),
    ("p", "p = w x", (1, 1.5), "xw"),
    ("u", "u = p + b", (2, 1), "pb"),
    ("y", "y = tanh u", (3, 1), "u"),
    ("L", "L = (y - t)²", (4, 1), "y"),
]


def by_hand(x, w, b, t):
    """Return {v: dL/dv} for the neuron's values."""
    p = w * x
    u = p + b
    y = math.tanh(u)
    # L = (y - t)^2; and now the same lines from the last to the first.
    d_y = 2 * (y - t)
    d_u = d_y * (1 - y**2)
    d_p, d_b = d_u, d_u
    d_w, d_x = d_p * x, d_p * w
    return {"x": d_x, "w": d_w, "b": d_b, "p": d_p, "u": d_u, "y": d_y, "L": 1.0}


def by_engine(x, w, b, t):
    """Return {v: (its value, dL/dv)}: only the program is written, `mg.grad` does the walk."""
    x, w, b = (mg.tensor(np.float64(v), requires_grad=True) for v in (x, w, b))
    p = w * x
    u = p + b
    y = mg.tanh(u)
    loss = (y - t) ** 2
    names, values = "xwbpuyL", [x, w, b, p, u, y, loss]
    derivatives = mg.grad(loss, values)
    return {n: (v.item(), d.item()) for n, v, d in zip(names, values, derivatives, strict=True)}


def fan_out():
    """Return dc/da for b = a + a, c = b + b: two uses of a, two of b, four paths in all."""
    a = mg.tensor(3.0, requires_grad=True)
    b = a + a
    c = b + b
    c.backward()
    return a.grad.item()


def descend(steps, rate=0.2):
    """Return the losses of gradient descent on w and b; with one data point, L can reach 0."""
    state, losses = dict(NEURON), []
    for _ in range(steps):
        table = by_engine(**state)
        losses.append(table["L"][0])
        state["w"] -= rate * table["w"][1]
        state["b"] -= rate * table["b"][1]
    return losses


def draw(table, losses, path):
    """Draw the neuron's graph with values and derivatives, and the losses of the descent."""
    figure, (graph, curve) = plt.subplots(1, 2, figsize=(12, 4), width_ratios=(2, 1))
    places = {name: place for name, _, place, _ in GRAPH}
    box, arrow = {"boxstyle": "round", "fc": "white"}, {"arrowstyle": "->", "shrinkB": 36}
    for name, label, place, parents in GRAPH:
        text = f"{label}\n{table[name][0]:.3f}\ndL/d{name} {table[name][1]:.3f}"
        graph.text(*place, text, ha="center", va="center", bbox=box)
        for parent in parents:
            graph.annotate("", place, places[parent], arrowprops=arrow, zorder=0)
    graph.set(xlim=(-0.5, 4.5), ylim=(-0.5, 2.5), title="Values, and how L reacts to each")
    graph.axis("off")
    curve.semilogy(losses)
    curve.set(xlabel="step", ylabel="L", title="Descending along dL/dw and dL/db")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main(out, smoke):
    hand, table = by_hand(**NEURON), by_engine(**NEURON)
    print("v         value  dL/dv by hand  by the engine  difference")
    for name, ours in hand.items():
        value, engine = table[name]
        print(f"{name}  {value:12.6f} {ours:14.9f} {engine:14.9f} {engine - ours:11.1e}")
    print(f"fan-out: b = a + a, c = b + b, so dc/da = {fan_out():g} (four paths, each worth 1)")

    losses = descend(steps=10 if smoke else 40)
    print(f"descent: L = {losses[0]:.4f} at first, {losses[-1]:.1e} after {len(losses)} steps")
    picture = out / "01_scalar_backprop.png"
    draw(table, losses, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Backpropagation on scalars.")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the picture")
    parser.add_argument("--smoke", action="store_true", help="fewer steps, for the tests")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    main(options.out, options.smoke)
