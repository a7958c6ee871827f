"""Matrix products of C-contiguous matrices: BLAS by pointer, and plain loops where a call would cost more than the product.

BLAS is SciPy's, through the pointer that `scipy.linalg.cython_blas` exports: neither the interpreter nor its lock is needed.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import get_cython_function_address, intrinsic

from depthlimit.models.compiled.caching import inline
from depthlimit.theory.quantity import Array

# By name, so that machine code kept on disk holds no address of this process.
_SYMBOL = "depthlimit_scipy_dgemm"
llvmlite.binding.add_symbol(_SYMBOL, get_cython_function_address("scipy.linalg.cython_blas", "dgemm"))

_N, _T = ord("N"), ord("T")
_SMALL = 400  # products of numbers: at 8 x 8 x 8 BLAS takes two thirds of the time of the loops


@intrinsic
def _dgemm(typing, transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):  # type: ignore[no-untyped-def]
    """Fortran's dgemm, which takes the address of each argument; a, b and c are addresses already.

    Sizes are 64-bit integers: on a little-endian machine their address is that of a 32-bit one too.
    """
    char, size, real, address = types.uint8, types.int64, types.float64, types.uintp
    kinds = (char, char, size, size, size, real, address, size, address, size, real, address, size)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = ir.IntType(8).as_pointer()

        def passed(kind: Any, argument: Any) -> Any:
            if kind is address:
                return builder.inttoptr(argument, pointer)
            place = cgutils.alloca_once(builder, argument.type)
            builder.store(argument, place)
            return builder.bitcast(place, pointer)

        dgemm = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.VoidType(), [pointer] * 13), _SYMBOL)
        builder.call(dgemm, [passed(kind, argument) for kind, argument in zip(kinds, arguments, strict=True)])
        return context.get_dummy_value()

    return types.void(*kinds), generate


# Fortran reads a C-contiguous matrix as its transpose, so what is asked of BLAS is cᵀ.


@inline
def times_transposed(alpha: float, a: Array, b: Array, beta: float, c: Array) -> None:
    """c = beta c + alpha a bᵀ for a [n k], b [m k], c [n m]; beta is 0 or 1."""
    (n, k), m = a.shape, b.shape[0]
    if n * m * k > _SMALL:
        _dgemm(_T, _N, m, n, k, alpha, b.ctypes.data, k, a.ctypes.data, k, beta, c.ctypes.data, m)
        return
    for i in range(n):
        for j in range(m):
            total = 0.0
            for l in range(k):  # noqa: E741
                total += a[i, l] * b[j, l]
            c[i, j] = alpha * total + (c[i, j] if beta else 0.0)


@inline
def times(alpha: float, a: Array, b: Array, beta: float, c: Array) -> None:
    """c = beta c + alpha a b for a [n k], b [k m], c [n m]; beta is 0 or 1."""
    (n, k), m = a.shape, b.shape[1]
    if n * m * k > _SMALL:
        _dgemm(_N, _N, m, n, k, alpha, b.ctypes.data, m, a.ctypes.data, k, beta, c.ctypes.data, m)
        return
    for i in range(n):
        for j in range(m):
            total = 0.0
            for l in range(k):  # noqa: E741
                total += a[i, l] * b[l, j]
            c[i, j] = alpha * total + (c[i, j] if beta else 0.0)


@inline
def transposed_times(alpha: float, a: Array, b: Array, c: Array) -> None:
    """c = alpha aᵀ b for a [n k], b [n m], c [k m]."""
    (n, k), m = a.shape, b.shape[1]
    if n * m * k > _SMALL:
        _dgemm(_N, _T, m, k, n, alpha, b.ctypes.data, m, a.ctypes.data, k, 0.0, c.ctypes.data, m)
        return
    for l in range(k):  # noqa: E741
        for j in range(m):
            total = 0.0
            for i in range(n):
                total += a[i, l] * b[i, j]
            c[l, j] = alpha * total
