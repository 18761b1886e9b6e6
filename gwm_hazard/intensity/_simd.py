# Kernels take their types from numba.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""A few steps of LANES oscillators as vector instructions.

numba vectorises neither loops of a short constant length nor straight-line code, and these steps
take much of the time of a response spectrum: so they are written as LLVM vectors of LANES doubles,
which the compiler maps on whatever the processor has. `filter_1` and `filter_4` are the loop

    for t in range(first, first + steps):
        for j in range(LANES):
            vx = a[0, j] u[t-1, j] + a[1, j] u[t-2, j] + sum over k of b[k, j] xs[last - t + k]
            vy = the same of u[., LANES + j] and ys
            u[t, j], u[t, LANES + j] = vx, vy
            r2[row, j] = max(r2[row, j], vx^2 + vy^2)

with 1 and 4 steps; xs has the newest sample first. Within a call the states stay in registers,
which saves the wait for what was just written.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 8
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_CONTRACT = ("contract",)  # multiply and add in one instruction where there is one


def _make_filter(steps):
    """The intrinsic for so many steps."""

    def filter_steps(typingctx, a, b, u, first, xs, ys, r2, row):
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
                one = builder.insert_element(empty, value, ir.Constant(ir.IntType(32), 0))
                zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
                return builder.shuffle_vector(one, empty, zeros)

            def constant(value):
                return ir.Constant(ir.IntType(64), value)

            def plus_product(total, x, y):
                product = builder.fmul(x, y, flags=_CONTRACT)
                return builder.fadd(total, product, flags=_CONTRACT)

            a_data, b_data, u_data, r2_data = (data(i) for i in (0, 1, 2, 6))
            inputs = [[splat(v) for v in cgutils.unpack_tuple(builder, args[i])] for i in (4, 5)]
            taps = len(inputs[0]) - steps + 1
            weights = [load(vector_at(b_data, constant(k))) for k in range(taps)]
            poles = [load(vector_at(a_data, constant(k))) for k in range(2)]
            # rows of u hold one vector a component
            place = [builder.add(builder.mul(args[3], constant(2)), constant(c)) for c in range(2)]
            states = [
                [load(vector_at(u_data, builder.sub(at, constant(2 * k)))) for k in (1, 2)]
                for at in place
            ]
            at_r2 = vector_at(r2_data, args[7])
            largest = load(at_r2)
            for step in range(steps):
                squares = None
                for c in range(2):
                    total = None
                    for k, weight in enumerate(weights):
                        value = inputs[c][steps - 1 - step + k]
                        if total is None:
                            total = builder.fmul(weight, value, flags=_CONTRACT)
                        else:
                            total = plus_product(total, weight, value)
                    for k in (1, 0):
                        total = plus_product(total, poles[k], states[c][k])
                    states[c] = [total, states[c][0]]
                    here = builder.add(place[c], constant(2 * step))
                    builder.store(total, vector_at(u_data, here), align=8)
                    if squares is None:
                        squares = builder.fmul(total, total, flags=_CONTRACT)
                    else:
                        squares = plus_product(squares, total, total)
                above = builder.fcmp_ordered(">", squares, largest)
                largest = builder.select(above, squares, largest)
            builder.store(largest, at_r2, align=8)
            return context.get_dummy_value()

        return signature, generate

    return intrinsic(filter_steps)


filter_1 = _make_filter(1)
filter_4 = _make_filter(4)
