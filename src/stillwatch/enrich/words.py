"""Machine words and vectors for the compiled loops: many bytes at once, at any place in an array.

numba has neither, so each is written in LLVM's terms, as its `intrinsic` is meant for; the arguments are numba's types,
which the inner function compiles. LLVM makes of a vector what the machine at hand has, be it 16, 32 or 64 bytes wide.
"""
# ruff: noqa: ARG001, PLR0917
# mypy: disable-error-code="no-untyped-call, import-untyped"

from __future__ import annotations

from functools import reduce
from itertools import pairwise

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

# What the vectors hold: as many as a word has bits, so that one word says something of each.
WIDE = 64

_WORD = ir.IntType(64)
_BYTES = ir.VectorType(ir.IntType(8), WIDE)
_EIGHT = ir.VectorType(_WORD, 8)


def _pointer(context, builder, array, value, place, kind):  # type: ignore[no-untyped-def]
    data = make_array(array)(context, builder, value).data
    return builder.bitcast(builder.gep(data, [place]), kind.as_pointer())


def _every(kind, value):  # type: ignore[no-untyped-def]
    return ir.Constant(kind, [value] * kind.count)


@intrinsic
def lent(context, array):  # type: ignore[no-untyped-def]
    """The same array without a count of its references, which numba would raise and lower, atomically, at each call.

    Good only while somebody else holds the array: for arguments of a function, since its caller does.
    """

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        same = make_array(signature.args[0])(context, builder, args[0])
        same.meminfo = ir.Constant(same.meminfo.type, None)
        return same._getvalue()

    return array(array), build


@intrinsic
def load8(context, array, at):  # type: ignore[no-untyped-def]
    """Eight bytes from any place in a byte array, the first lowest (on the little-endian machines numba supports)."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.load(_pointer(context, builder, signature.args[0], args[0], args[1], _WORD), align=1)

    return types.uint64(array, types.int64), build


@intrinsic
def store8(context, array, at, word):  # type: ignore[no-untyped-def]
    """Eight bytes to any place in a byte array."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        place = _pointer(context, builder, signature.args[0], args[0], args[1], _WORD)
        builder.store(args[2], place, align=1)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.uint64), build


@intrinsic
def fold_ascii(context, data, i, out, n, last):  # type: ignore[no-untyped-def]
    """Fold data[i : i + 64] onto out[n:] as if all were ASCII: lower case, digits to '0', white space and controls
    to ' '. Returns two words of a bit a byte, the first lowest: which bytes are not ASCII (the folded ones up to the
    first such are right), and which are a ' ' or '0' that repeats the one before; `last` stands before the first."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        def within(first, count):  # type: ignore[no-untyped-def]
            return builder.icmp_unsigned("<", builder.sub(raw, _every(_BYTES, first)), _every(_BYTES, count))

        source, start, target, end, before = args
        raw = builder.load(_pointer(context, builder, signature.args[0], source, start, _BYTES), align=1)
        digit = within(ord("0"), 10)
        space = builder.or_(within(0, 33), builder.icmp_unsigned("==", raw, _every(_BYTES, 127)))
        folded = builder.select(within(ord("A"), 26), builder.add(raw, _every(_BYTES, 32)), raw)
        folded = builder.select(digit, _every(_BYTES, ord("0")), folded)
        folded = builder.select(space, _every(_BYTES, ord(" ")), folded)
        builder.store(folded, _pointer(context, builder, signature.args[2], target, end, _BYTES), align=1)
        first = builder.insert_element(
            ir.Constant(_BYTES, ir.Undefined), builder.trunc(before, ir.IntType(8)), ir.IntType(32)(WIDE - 1)
        )
        shift = ir.Constant(ir.VectorType(ir.IntType(32), WIDE), list(range(WIDE - 1, 2 * WIDE - 1)))
        same = builder.icmp_unsigned("==", folded, builder.shuffle_vector(first, folded, shift))
        repeats = builder.and_(same, builder.or_(digit, space))
        beyond = builder.icmp_signed("<", raw, _every(_BYTES, 0))
        return context.make_tuple(
            builder, signature.return_type, [builder.bitcast(bits, _WORD) for bits in (beyond, repeats)]
        )

    return types.UniTuple(types.uint64, 2)(data, types.int64, out, types.int64, types.uint64), build


def _three_vectors(context, builder, array, text, at):  # type: ignore[no-untyped-def]
    """text[at : at + 64], and the same one and two bytes further on."""
    places = [builder.add(at, ir.Constant(_WORD, k)) for k in range(3)]
    return [builder.load(_pointer(context, builder, array, text, place, _BYTES), align=1) for place in places]


def _within(builder, vector, first, last):  # type: ignore[no-untyped-def]
    return builder.icmp_unsigned("<=", builder.sub(vector, _every(_BYTES, first)), _every(_BYTES, last - first))


def _all(builder, *conditions):  # type: ignore[no-untyped-def]
    return reduce(builder.and_, conditions)


def _any(builder, *conditions):  # type: ignore[no-untyped-def]
    return reduce(builder.or_, conditions)


@intrinsic
def folds_to_itself(context, data, at):  # type: ignore[no-untyped-def]
    """A bit for each of data[at : at + 64], the first lowest: whether a character of three bytes begins there (if the
    two that follow are no ASCII) of the most frequent ones that fold to themselves: Han, Hangul, kana, their
    punctuation, and quotation marks. Reads 66 bytes."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        first, second, third = _three_vectors(context, builder, signature.args[0], *args)

        def of(*bounds):  # type: ignore[no-untyped-def]
            vectors = zip((first, second, third), bounds, strict=False)
            return _all(builder, *(_within(builder, vector, low, high) for vector, (low, high) in vectors))

        found = _any(
            builder,
            of((0xE2, 0xE2), (0x80, 0x80), (0x98, 0x9F)),  # U+2018 to U+201F
            of((0xE3, 0xE3), (0x80, 0x80), (0x81, 0x91)),  # U+3001 to U+3011
            of((0xE3, 0xE3), (0x81, 0x82), (0x81, 0x96)),  # U+3041 to U+3056, U+3081 to U+3096
            of((0xE3, 0xE3), (0x81, 0x81), (0x97, 0xBF)),  # U+3057 to U+307F
            of((0xE3, 0xE3), (0x82, 0x82), (0xA1, 0xBF)),  # U+30A1 to U+30BF
            of((0xE3, 0xE3), (0x83, 0x83), (0x80, 0xBE)),  # U+30C0 to U+30FE
            of((0xE4, 0xE8)),  # U+4000 to U+8FFF
            of((0xE9, 0xE9), (0x80, 0xBE)),  # to U+9FBF
            of((0xEA, 0xEA), (0xB0, 0xBF)),  # U+AC00 to U+AFFF
            of((0xEB, 0xEC)),  # U+B000 to U+CFFF
            of((0xED, 0xED), (0x80, 0x9D)),  # to U+D77F
        )
        return builder.bitcast(found, _WORD)

    return types.uint64(data, types.int64), build


@intrinsic
def weighty(context, text, at):  # type: ignore[no-untyped-def]
    """Two words of a bit for each of text[at : at + 64], the first lowest: whether a weighty character begins there
    (see `sketch`), and whether one of four bytes does. Reads 66 bytes."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        first, second, _ = _three_vectors(context, builder, signature.args[0], *args)
        # U+3000 to U+DFFF but for U+A4C0 to U+ABFF, and U+20000 to U+3FFFF.
        letters = _all(builder, _within(builder, first, 0xEA, 0xEA), _within(builder, second, 0x93, 0xAF))
        of_three = _all(builder, _within(builder, first, 0xE3, 0xED), builder.not_(letters))
        of_four = _all(builder, _within(builder, first, 0xF0, 0xF0), _within(builder, second, 0xA0, 0xBF))
        both = [_any(builder, of_three, of_four), of_four]
        return context.make_tuple(builder, signature.return_type, [builder.bitcast(bits, _WORD) for bits in both])

    return types.UniTuple(types.uint64, 2)(text, types.int64), build


def _load_words(context, builder, array, value, at, count):  # type: ignore[no-untyped-def]
    """`count` vectors of eight words each, from words[at:] on."""
    start = _pointer(context, builder, array, value, at, _EIGHT)
    return [builder.load(builder.gep(start, [ir.IntType(32)(k)]), align=8) for k in range(count)]


def _store_words(context, builder, array, value, at, vectors):  # type: ignore[no-untyped-def]
    start = _pointer(context, builder, array, value, at, _EIGHT)
    for k, vector in enumerate(vectors):
        builder.store(vector, builder.gep(start, [ir.IntType(32)(k)]), align=8)


def _later(builder, vectors, places):  # type: ignore[no-untyped-def]
    """The words that stand so many places (under eight) after each of all vectors but the last."""
    shift = ir.Constant(ir.VectorType(ir.IntType(32), 8), list(range(places, places + 8)))
    return [builder.shuffle_vector(a, b, shift) for a, b in pairwise(vectors)]


def _lesser(builder, some, others):  # type: ignore[no-untyped-def]
    return [builder.select(builder.icmp_unsigned("<", a, b), a, b) for a, b in zip(some, others, strict=True)]


@intrinsic
def least_of_8(context, words, at, out, to):  # type: ignore[no-untyped-def]
    """To each of out[to : to + 64] the least of eight words, from words[at] on, words[at + 1] on and so forth."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        least = _load_words(context, builder, signature.args[0], args[0], args[1], WIDE // 8 + 1)
        for places in (1, 2, 4):
            end = ir.Constant(_EIGHT, ir.Undefined)  # nothing of it reaches the first 64
            least = _lesser(builder, least, _later(builder, [*least, end], places))
        _store_words(context, builder, signature.args[2], args[2], args[3], least[:-1])
        return context.get_dummy_value()

    return types.void(words, types.int64, out, types.int64), build


def _with_changes(context, builder, array, value, at, least):  # type: ignore[no-untyped-def]
    """Store the vectors to words[at:]; return a bit for each word, whether it differs from the one before it."""
    place = builder.sub(at, ir.Constant(_WORD, 1))
    before = builder.insert_element(
        ir.Constant(_EIGHT, ir.Undefined),
        builder.load(_pointer(context, builder, array, value, place, _WORD)),
        ir.IntType(32)(7),
    )
    _store_words(context, builder, array, value, at, least)
    bits = ir.Constant(_WORD, 0)
    for k, (vector, previous) in enumerate(zip(least, _later(builder, [before, *least], 7), strict=True)):
        changed = builder.bitcast(builder.icmp_unsigned("!=", vector, previous), ir.IntType(8))
        bits = builder.or_(bits, builder.shl(builder.zext(changed, _WORD), ir.Constant(_WORD, 8 * k)))
    return bits


@intrinsic
def least_of_64(context, eights, at, out, to):  # type: ignore[no-untyped-def]
    """To each of out[to : to + 64] the least of 64 words, where eights are the least of eight each, from eights[at] on.
    Returns a bit for each, the first lowest: whether it differs from the one before it in out."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        vectors = _load_words(context, builder, signature.args[0], args[0], args[1], 15)
        # The least from each of the first eight to the eighth, and of those after it (van Herk 1992).
        backward, forward = [vectors[7]], [vectors[8]]
        for k in range(6, -1, -1):
            backward[:0] = _lesser(builder, [vectors[k]], backward[:1])
        for k in range(9, 15):
            forward += _lesser(builder, [vectors[k]], forward[-1:])
        least = backward[:1] + _lesser(builder, backward[1:], forward)
        return _with_changes(context, builder, signature.args[2], args[2], args[3], least)

    return types.uint64(eights, types.int64, out, types.int64), build


@intrinsic
def least_of_29(context, eights, at, out, to):  # type: ignore[no-untyped-def]
    """The same for 29 words."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        vectors = _load_words(context, builder, signature.args[0], args[0], args[1], 11)
        pairs = _lesser(builder, vectors[:10], vectors[1:])
        # 8 + 8 + 8 + 8 words, of which three twice
        last = _later(builder, vectors[2:], 5)
        least = _lesser(builder, _lesser(builder, pairs[:8], vectors[2:10]), last)
        return _with_changes(context, builder, signature.args[2], args[2], args[3], least)

    return types.uint64(eights, types.int64, out, types.int64), build


@intrinsic
def lowest(context, word):  # type: ignore[no-untyped-def]
    """The place of the lowest bit that is set; 64 where none is."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), build


@intrinsic
def ones(context, word):  # type: ignore[no-untyped-def]
    """How many bits are set."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), build


@intrinsic
def multiply(context, a, b):  # type: ignore[no-untyped-def]
    """The two halves of the 128-bit product of two words, combined by exclusive or."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        top = builder.lshr(product, ir.Constant(wide, 64))
        return builder.trunc(builder.xor(product, top), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), build
