# Kernels take their types from numba.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""One step of LANES oscillators as vector instructions.

numba vectorises neither loops of a short constant length nor straight-line code, and this step
takes half of the time of a response spectrum: so it is written as LLVM vectors of LANES doubles,
which the compiler maps on whatever the processor has. It is the loop

    for j in range(LANES):
        vx = a[0, j] u[t-1, j] + a[1, j] u[t-2, j] + sum over k of b[k, j] xs[k]
        vy = the same of u[., LANES + j] and ys
        u[t, j], u[t, LANES + j] = vx, vy
        r2[row, j] = max(r2[row, j], vx^2 + vy^2)
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 8
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_CONTRACT = ("contract",)  # multiply and add in one instruction where there is one


@intrinsic
def filter_step(typingctx, a, b, u, t, xs, ys, r2, row):
    """a (2, LANES), b (taps, LANES), u (rows, 2 LANES), r2 (blocks, LANES): contiguous float64."""
    arrays = (a, b, u, r2)
    if not all(isinstance(v, types.Array) and v.layout == "C" for v in arrays):
        return None
    signature = types.void(a, b, u, types.int64, xs, ys, r2, types.int64)

    def generate(context, builder, sig, args):
        def data(index):
            return context.make_array(sig.args[index])(context, builder, args[index]).data

        def vector_at(base, offset):
            """Pointer to the vector `offset` vectors after base."""
            pointer = builder.bitcast(base, _VECTOR.as_pointer())
            return builder.gep(pointer, [offset])

        def load(pointer):
            return builder.load(pointer, align=8)

        def splat(value):
            empty = ir.Constant(_VECTOR, ir.Undefined)
            first = builder.insert_element(empty, value, ir.Constant(ir.IntType(32), 0))
            return builder.shuffle_vector(
                first, empty, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
            )

        def constant(value):
            return ir.Constant(ir.IntType(64), value)

        def plus_product(total, x, y):
            product = builder.fmul(x, y, flags=_CONTRACT)
            return builder.fadd(total, product, flags=_CONTRACT)

        a_data, b_data, u_data, r2_data = (data(i) for i in (0, 1, 2, 6))
        row_of_u = builder.mul(args[3], constant(2))
        squares = None
        for component, inputs in enumerate((args[4], args[5])):
            values = cgutils.unpack_tuple(builder, inputs)
            here = builder.add(row_of_u, constant(component))
            total = None
            for k, value in enumerate(values):
                weight = load(vector_at(b_data, constant(k)))
                if total is None:
                    total = builder.fmul(weight, splat(value), flags=_CONTRACT)
                else:
                    total = plus_product(total, weight, splat(value))
            for k in (1, 0):
                before = load(vector_at(u_data, builder.sub(here, constant(2 * (k + 1)))))
                total = plus_product(total, load(vector_at(a_data, constant(k))), before)
            builder.store(total, vector_at(u_data, here), align=8)
            if squares is None:
                squares = builder.fmul(total, total, flags=_CONTRACT)
            else:
                squares = plus_product(squares, total, total)
        place = vector_at(r2_data, args[7])
        largest = load(place)
        above = builder.fcmp_ordered(">", squares, largest)
        builder.store(builder.select(above, squares, largest), place, align=8)
        return context.get_dummy_value()

    return signature, generate
