"""What an op owes its users besides the right numbers: the list, and what is checked when.

    purity          inputs, cotangents, parameters and the recording mode are left as they were
    determinism     the same call twice gives the same bits (on a GPU: to round-off)
    aliasing        gradients share no memory with inputs, results, or an earlier call's gradients;
                    nor does the result of an op with its inputs, unless it is declared a view
    dtypes          float32 stays float32, float64 stays float64, in results and gradients; an op
                    gives the same numbers in both
    cotangents      vjp(a v + b w) = a vjp(v) + b vjp(w), and vjp(0) = 0
    layouts         transposed, reversed and broadcast (stride 0) memory changes nothing
    alone           a gradient is the same where no other input wants one, recorded or not
    symmetry        <w, H r> = <r, H w> for H the Hessian of <v, f>, by double backward
    adjoint         <A x, v> = <x, A^T v> for linear functions
    sizes           arrays of size 1 and 0 are as good as others

All of them but `sizes` compare minigan with itself, exactly or to round-off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from minigan.testing import behaviour, identities
from minigan.testing.levels import Problem
from minigan.testing.sizes import check_sizes

CHECKS: dict[str, Callable] = {
    "purity": behaviour.check_purity,
    "determinism": behaviour.check_determinism,
    "aliasing": behaviour.check_aliasing,
    "dtypes": behaviour.check_dtypes,
    "cotangents": identities.check_cotangents,
    "layouts": behaviour.check_layouts,
    "alone": behaviour.check_alone,
    "symmetry": identities.check_symmetry,
    "adjoint": identities.check_adjoint,
    "sizes": check_sizes,
}
BEHAVIOUR = ("purity", "determinism", "aliasing", "dtypes", "cotangents", "layouts", "alone")
# The others ask for right numbers at the point itself, and come after these have been checked.


def properties_of(
    problem: Problem, *, asked: bool | Sequence[str] = True, order: int = 1, linear: bool | None
) -> tuple[str, ...]:
    """The names of what to check: those asked for, or those that apply to every such function.

    `symmetry` applies from order 2, `adjoint` to what is linear, `sizes` to elementwise ops.
    Raises `ValueError` for a name that is not in `CHECKS`.
    """
    op = problem.op
    if asked is True:
        applies = {
            "symmetry": order > 1,
            "adjoint": op is not None and op.linear and linear is None,
            "sizes": op is not None and op.elementwise,
        }
        asked = [*BEHAVIOUR, *(name for name, applied in applies.items() if applied)]
    chosen = set(asked or ()) | ({"adjoint"} if linear else set())
    unknown = [name for name in chosen if name not in CHECKS]
    if unknown:
        raise ValueError(
            f"gradcheck: no property named {unknown[0]!r}: there are {', '.join(CHECKS)}"
        )
    return tuple(name for name in CHECKS if name in chosen)


def check_properties(problem: Problem, names: Iterable[str], *, seed: int = 0) -> None:
    """Check the properties named, in this order; raise `GradcheckError` at the first that fails."""
    for name in names:
        CHECKS[name](problem, seed=seed)
