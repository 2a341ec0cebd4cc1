"""Texts as vectors, each text encoded once and kept."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.content.corpora import Corpus, Text
from bench.peers import hashed

Embeddings = npt.NDArray[np.float32]
ENCODERS = ("hashed", "minilm")
# Tokens of a text that the sentence encoder reads: half of its limit, at half the time.
TOKENS = 128


def _minilm(texts: list[str], folder: Path) -> Embeddings:
    """By the sentence encoder, in its own environment; kept in `folder` by what was encoded."""
    script = Path(__file__).parents[1] / "peers" / "minilm.py"
    said = json.dumps([TOKENS, texts]).encode() + script.read_bytes()
    made = folder / f"minilm-{hashlib.sha256(said).hexdigest()[:16]}.npy"
    if not made.exists():
        given, unfinished = made.with_suffix(".json"), made.with_suffix(".unfinished.npy")
        given.write_text(json.dumps(texts), "utf-8")
        command = ["uv", "run", "--quiet", "--script", script, given, unfinished, "--tokens", str(TOKENS)]
        subprocess.run(command, check=True)
        unfinished.replace(made)
        given.unlink()
    return np.asarray(np.load(made), np.float32)


def encoded(corpus: Corpus, encoder: str, folder: Path) -> tuple[Embeddings, Embeddings]:
    """Vectors of honest texts and of campaigns', of length one: half of a vector is the system prompt's, half the
    prompt's, as the comparison of peers has it; no text is zeros."""
    texts = sorted({text for row in (*corpus.honest, *corpus.campaign) for text in row if text})
    vectors = hashed.encode(texts) if encoder == "hashed" else _minilm(texts, folder)
    table = np.concatenate([vectors, np.zeros((1, vectors.shape[1]), np.float32)])
    place = {text: n for n, text in enumerate(texts)} | {"": len(texts)}

    def of(rows: list[Text]) -> Embeddings:
        halves = [table[[place[row[side]] for row in rows]] for side in (0, 1)]
        return np.asarray(np.concatenate(halves, 1) / np.sqrt(2), np.float32)

    return of(corpus.honest), of(corpus.campaign)
