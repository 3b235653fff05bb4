"""The fused multiply-add: what recursive averages wait for.

Each of their values needs the one before, so a column takes as long as the chain of its operations. Fused,
there is one instead of two, rounded once (IEEE 754-2008, fusedMultiplyAdd): the same bits on every machine.
"""

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic
def _multiply_add(_context: Any, x: Any, y: Any, z: Any) -> Any:
    """Return the type and the code of x * y + z."""

    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        double = ir.DoubleType()
        fma = builder.module.declare_intrinsic("llvm.fma", [double], ir.FunctionType(double, [double] * 3))
        return builder.call(fma, arguments)

    return types.float64(types.float64, types.float64, types.float64), code


# x * y + z of float64, rounded once; for compiled code only.
multiply_add = cast(Callable[[float, float, float], float], _multiply_add)
