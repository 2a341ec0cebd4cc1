"""Payloads and instructions: varied enough that what is shared is shared on purpose."""

import gzip
from pathlib import Path
from random import Random

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import InputError
from stillwatch.simulate import simulate
from stillwatch.simulate.lines import NO_LINES, read_lines
from stillwatch.simulate.seeds import mixed
from stillwatch.simulate.templates import CHINESE_INTENTS, INTENTS, instructions
from stillwatch.simulate.text import CODE, Parts, Texts, compile_grammar, lengths, write_texts
from stillwatch.simulate.vocabulary_more import LANGUAGES

RUN = 60  # bytes


def texts(language: int, count: int, target: int) -> list[bytes]:
    nothing = np.zeros(count, np.int64)
    rows = Texts(
        mixed(np.arange(count), language, 3),
        nothing + language,
        np.ones(count, bool),
        nothing + target,
        nothing,
        nothing,
        nothing - 1,
    )
    buffer, ends = write_texts(compile_grammar(), Parts.of([""]), NO_LINES, rows)
    whole = buffer.tobytes()
    return [whole[a:b] for a, b in zip(np.concatenate(([0], ends[:-1])), ends, strict=True)]


def folded(text: bytes) -> bytes:
    """As a sketch folds: lower case, and every run of digits and of white space alike, so that numbers do not count."""
    out = bytearray()
    for byte in text.lower():
        c = 48 if 48 <= byte <= 57 else 32 if byte in b"\n\t" else byte
        if not (out and c in (48, 32) and out[-1] == c):
            out.append(c)
    return bytes(out)


def colliding_pairs(documents: list[bytes]) -> int:
    """Pairs of documents that share a run of RUN bytes."""
    owners: dict[bytes, int] = {}
    pairs = set()
    for number, text in enumerate(documents):
        for at in range(len(text) - RUN + 1):
            first = owners.setdefault(text[at : at + RUN], number)
            if first != number:
                pairs.add((first, number))
    return len(pairs)


@pytest.mark.parametrize("language", range(CODE + 1), ids=[*(x.code for x in LANGUAGES), "code"])
def test_independent_payloads_share_no_run_by_accident(language: int) -> None:
    # 300 texts are 44,850 pairs; the worst grammar (Hindi) was measured at 4 pairs in a million before this bound
    assert colliding_pairs([folded(t) for t in texts(language, 300, 1200)]) <= 1


def test_payloads_are_valid_text_of_the_length_asked_for() -> None:
    for language in range(CODE + 1):
        for t in texts(language, 20, 500):
            t.decode()
            assert 500 <= len(t) < 1_524


def test_one_seed_is_one_text() -> None:
    assert texts(0, 5, 300) == texts(0, 9, 300)[:5]


def test_lengths_have_the_stated_mean() -> None:
    seeds = mixed(np.arange(200_000), 1)
    for code in (False, True):
        # the cap takes a little off the mean of the wider distribution
        assert lengths(seeds, np.full(len(seeds), code)).mean() == pytest.approx(1200, rel=0.15)


@pytest.mark.parametrize("intent", INTENTS)
def test_wordings_of_a_job_differ_and_jobs_of_an_intent_differ(intent: str) -> None:
    one = instructions(Random(1), intent, 8)
    other = instructions(Random(2), intent, 8)
    assert len(set(one)) >= 4
    assert all(10 <= len(t.split()) <= 80 for t in one)
    assert colliding_pairs([folded(" ".join(one).encode()), folded(" ".join(other).encode())]) == 0


def test_jobs_of_strangers_share_next_to_no_run() -> None:
    owners: dict[bytes, set[int]] = {}
    for job in range(240):
        for text in instructions(Random(job), list(INTENTS)[job % len(INTENTS)], 3):
            run = folded(text.encode())
            for at in range(len(run) - RUN + 1):
                owners.setdefault(run[at : at + RUN], set()).add(job)
    # 5 in 10,000 were measured among the 3,270 instructions of a world of a million exchanges
    assert sum(len(o) > 1 for o in owners.values()) < 0.002 * len(owners)


@pytest.mark.parametrize("intent", CHINESE_INTENTS)
def test_chinese_instructions_are_short(intent: str) -> None:
    for text in instructions(Random(3), intent, 6, chinese=True):
        assert 15 <= len(text) <= 70


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    out = tmp_path / "text"
    out.mkdir()
    lines = [f"line {i:05d} of a folder, long enough to be a payload of its own {i * 7919:x}" for i in range(6_000)]
    (out / "a.txt").write_text("\n".join(lines[:3_000]) + "\nshort\n")
    prompts = "\n".join(f'{{"prompt": "{line}"}}' for line in lines[3_000:])
    (out / "b.jsonl.gz").write_bytes(gzip.compress(prompts.encode()))
    return out


def test_payloads_from_a_folder_are_not_shared_between_accounts_by_accident(folder: Path, tmp_path: Path) -> None:
    assert len(read_lines(folder)) == 6_000
    simulate(tmp_path / "w", exchanges=4_000, seed=3, text=folder)
    con = duckdb.connect()
    shared = con.execute(
        f"""with sent as (select regexp_extract(prompt, 'line [0-9]+ of') line, e.account_id, population
            from read_parquet('{tmp_path}/w/exchanges.parquet') e
            join read_parquet('{tmp_path}/w/truth_accounts.parquet') t on e.account_id = t.account_id)
        select distinct population from sent where line in
            (select line from sent where line <> '' group by line having count(distinct account_id) > 1)"""
    ).fetchall()
    # these send from lists that are shared on purpose
    meant = {
        "university_class",
        "benchmark_user",
        "open_pipeline",
        "tutorial_weekend",
        "viral_prompt",
        "nightly_regression",
        "ci_fleet",
    }
    assert {p for (p,) in shared} <= meant
    prompts = pq.read_table(tmp_path / "w" / "exchanges.parquet", columns=["prompt"])["prompt"].to_pylist()
    assert sum("of a folder" in p for p in prompts) == len(prompts)


def test_bad_folders_are_met_by_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a folder"):
        read_lines(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no lines of text"):
        read_lines(tmp_path / "empty")
    damaged = (folder / "b.jsonl.gz").read_bytes()
    (folder / "b.jsonl.gz").write_bytes(damaged[:200])
    with pytest.raises(InputError, match="cut short"):
        read_lines(folder)
    (folder / "b.jsonl.gz").write_bytes(b"not gzip")
    with pytest.raises(InputError, match="not a gzip file"):
        read_lines(folder)
    (folder / "b.jsonl.gz").unlink()
    (folder / "c.jsonl").write_text('{"prompt": "x"}\n{"text": "y"}\n')
    with pytest.raises(InputError, match="line 2"):
        read_lines(folder)


def test_too_little_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "a.txt").write_text("one line of text that is long enough to be taken\n")
    with pytest.raises(InputError, match="too few"):
        simulate(tmp_path / "w", exchanges=3_000, text=tmp_path / "t")
