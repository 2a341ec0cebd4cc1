"""Hashed n-grams: the encoder that needs no weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Bytes a gram: about a short word's stem in Latin script, one character and a part of the next in Chinese.
GRAM = 4
# About as wide as sentence encoders are (MiniLM: 384), and a power of two, as the hash needs.
WIDTH = 512
# Knuth's multiplicative hash, 2^32 divided by the golden ratio.
MULTIPLIER = np.uint32(2_654_435_769)
# The longest text that is read, in bytes: past it the counts hardly change.
LONGEST = 4_000


def encode(texts: list[str]) -> npt.NDArray[np.float32]:
    """One unit vector a text, (len(texts), WIDTH): square roots of counts of hashed byte n-grams, lower case.

    A text shorter than a gram is all zeros.
    """
    out = np.zeros((len(texts), WIDTH), np.float32)
    weights = (256 ** np.arange(GRAM)).astype(np.uint32)
    for n, text in enumerate(texts):
        octets = np.frombuffer(text.lower().encode("utf-8", "replace")[:LONGEST], np.uint8).astype(np.uint32)
        if len(octets) >= GRAM:
            grams = np.lib.stride_tricks.sliding_window_view(octets, GRAM) @ weights
            places = (grams * MULTIPLIER) >> np.uint32(32 - WIDTH.bit_length() + 1)
            out[n] = np.sqrt(np.bincount(places, minlength=WIDTH))
    return np.asarray(out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9), np.float32)
