"""Where CuPy's dialect differs from NumPy's: tables for the double, read off CuPy 14.2.

A name that NumPy has and CuPy lacks, or a keyword that NumPy takes and CuPy refuses, works in
every test on the CPU and fails on the first GPU; these tables let it fail on the CPU.
"""

from __future__ import annotations


def names(text: str) -> frozenset[str]:
    """Return the words of `text`."""
    return frozenset(text.split())


ABSENT = names(
    """
    False_ True_ ScalarType asmatrix block bmat bytes_ char clongdouble complex256 core ctypeslib
    datetime64 dtypes einsum_path emath errstate float128 frompyfunc fromregex geomspace geterr
    histogram_bin_edges info insert isnat longdouble ma matrix matvec memmap nanpercentile
    nanquantile ndenumerate nditer nested_iters object_ polyder polydiv polyint rec recarray
    record seterr spacing str_ strings timedelta64 typecodes unstack vecdot vecmat void
    """
)
"""Names of NumPy's main module that CuPy lacks."""

ABSENT_IN = {
    "linalg": names(
        "diagonal matrix_norm multi_dot outer svdvals tensordot trace vecdot vector_norm"
    ),
    "lib": names("Arrayterator NumpyVersion array_utils format introspect mixins"),
    "lib.stride_tricks": frozenset(),
    "fft": frozenset(),
}
"""The submodules the double offers, and the names that CuPy's counterparts lack."""

_MASKED = frozenset({"initial", "where"})
_SPREAD = frozenset({"where", "mean", "correction"})
_ORDERED = frozenset({"order", "stable"})

REFUSED = {
    **dict.fromkeys(("sum", "prod", "max", "min", "amax", "amin", "nansum", "nanprod"), _MASKED),
    **dict.fromkeys(("all", "any", "mean", "nanmean", "copyto"), frozenset({"where"})),
    **dict.fromkeys(("var", "std", "nanvar", "nanstd"), _SPREAD),
    **dict.fromkeys(("sort", "argsort"), _ORDERED),
    **dict.fromkeys(("take", "put"), frozenset({"mode"})),
    "as_strided": frozenset({"writeable", "check_bounds"}),
    "clip": frozenset({"min", "max"}),
    "count_nonzero": frozenset({"keepdims"}),
    "isin": frozenset({"kind"}),
    "svd": frozenset({"hermitian"}),
    "unique": frozenset({"sorted"}),
}
"""Keywords that NumPy's function takes and CuPy's refuses."""

REFUSED_ANYWHERE = frozenset({"like", "device", "subok"})
UFUNC_KEYWORDS = frozenset({"out", "dtype", "casting"})  # all that a CuPy ufunc takes

SYNCHRONISING = names(
    """
    nonzero argwhere flatnonzero extract compress unique bincount histogram histogram2d histogramdd
    digitize percentile quantile union1d intersect1d setdiff1d setxor1d trim_zeros choose
    array_repr array_str array2string save savez
    """
)
"""Functions that bring a number to the host, most often to learn the size of their result."""

CUSOLVER = names(
    """
    cholesky qr svd eig eigh eigvals eigvalsh det slogdet matrix_rank cond solve tensorsolve inv
    tensorinv pinv lstsq
    """
)
"""Functions of `linalg` that CuPy hands to cuSOLVER, which it cannot capture in a graph."""

METADATA = names(
    """
    ndim shape size result_type can_cast issubdtype promote_types min_scalar_type common_type
    isscalar iscomplexobj isrealobj broadcast_shapes may_share_memory shares_memory
    """
)
"""Functions answered on the host from shapes and dtypes alone: nothing is launched."""

FROM_SHAPE = names(
    """
    arange bartlett blackman empty eye full hamming hanning identity indices kaiser linspace
    logspace ones tri tril_indices triu_indices zeros
    """
)
"""Functions that need no array to make one."""

SEQUENCES = names(
    """
    append broadcast_arrays column_stack concat concatenate dstack hstack lexsort meshgrid
    row_stack stack vstack
    """
)
"""Functions whose first argument may be a list or tuple of arrays."""

_PAIRS = names(
    """
    allclose array_equal cross dot full_like inner isclose kron outer searchsorted solve
    take_along_axis tensordot vdot
    """
)
DATA_ARGUMENTS = {**dict.fromkeys(_PAIRS, 2), "where": 3, "clip": 3}
"""How many leading arguments are array data (1 where not listed): no list may stand there."""

UFUNC_AT = frozenset(
    {"add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor"}
)
"""The ufuncs whose `.at` CuPy has."""

DTYPES = "?bhilqBHILQefdFD"  # the type characters of the dtypes that CuPy has

ATOMIC_DTYPES = frozenset({"int32", "uint32", "uint64", "float16", "float32", "float64"})
"""The dtypes that `add.at` takes with index arrays: those of CUDA's atomic additions."""
