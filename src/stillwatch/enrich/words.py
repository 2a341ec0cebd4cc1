"""Machine words for the compiled loops: eight bytes at any place in an array, and products of 128 bits.

numba has neither, so each is written in LLVM's terms, as its `intrinsic` is meant for; the arguments are numba's types,
which the inner function compiles.
"""
# ruff: noqa: ARG001
# mypy: disable-error-code="no-untyped-call, import-untyped"

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array


@intrinsic
def load8(context, array, at):  # type: ignore[no-untyped-def]
    """Eight bytes from any place in a byte array, the first lowest (on the little-endian machines numba supports)."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        data = make_array(signature.args[0])(context, builder, args[0]).data
        place = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(64).as_pointer())
        return builder.load(place, align=1)

    return types.uint64(array, types.int64), build


@intrinsic
def store8(context, array, at, word):  # type: ignore[no-untyped-def]
    """Eight bytes to any place in a byte array."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        data = make_array(signature.args[0])(context, builder, args[0]).data
        place = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(64).as_pointer())
        builder.store(args[2], place, align=1)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.uint64), build


@intrinsic
def multiply(context, a, b):  # type: ignore[no-untyped-def]
    """The two halves of the 128-bit product of two words, combined by exclusive or."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        top = builder.lshr(product, ir.Constant(wide, 64))
        return builder.trunc(builder.xor(product, top), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), build
