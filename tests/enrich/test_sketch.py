"""The sketch keeps its guarantee, folds alike what reads alike, and is what its definition says, on any text."""

from __future__ import annotations

import itertools
import random

import numba
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.enrich.folding import GIVE_UP, HAS_ASCII, MARK, folding, folding_of_normalised, normalised
from stillwatch.enrich.kernels import CHUNK
from stillwatch.enrich.sketch import CAP, Gear, _Rows, hashed, locate, sketch
from stillwatch.enrich.words import folds_to_itself

GEAR = Gear.from_key()
WORD = 2**64 - 1


def passages(*texts: str | None, gear: Gear = GEAR, cap: int = CAP) -> list[set[int]]:
    return [set(p) for p in sketch(pa.array(texts, pa.string()), gear, cap).passages.to_pylist()]


def mixed_up(x: int) -> int:
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & WORD
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & WORD
    return x ^ (x >> 31)


def is_weighty(character: str) -> bool:
    point = ord(character)
    return 0x3000 <= point < 0xA4C0 or 0xAC00 <= point < 0xD800 or 0x20000 <= point < 0x40000


def by_definition(folded: bytes, gear: Gear = GEAR) -> set[int]:
    """Winnowing written out: the least hash of every window, at both scales."""
    table, whiten = [int(v) for v in gear.table], int(gear.whiten)

    def hashes(shift: int, gram: int) -> list[int]:
        found = []
        for i in range(len(folded) - gram + 1):
            h = 0
            for byte in folded[i : i + gram]:
                h = ((h << shift) + table[byte]) & WORD
            found.append(h)
        return found

    found = set()
    short, long = hashes(2, 32), hashes(1, 64)
    weighty = [is_weighty(c) for c in folded.decode() for _ in c.encode()]
    dense = [sum(weighty[i : i + 32]) >= 16 for i in range(len(short))]
    for is_dense, run in itertools.groupby(range(len(short)), key=dense.__getitem__):
        at = list(run)
        for i in range(max(1, len(at) - 28)) if is_dense else ():
            found.add(min(short[k] for k in at[i : i + 29]))
    for i in range(max(1, len(long) - 63)) if long else ():
        if len(long) < 64 or not all(dense[i : i + 96]):
            found.add(min(long[i : i + 64]))
    return {mixed_up(h ^ whiten) >> 1 for h in found}


ODD = "éÀ ñ“”…ﬁ①\u200b\u00a0\u2028½🙂한ｱﾞe\u0301\u094dः٣İß\ufdfa"
ascii_text = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=400)
any_text = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(ODD + "中文字 \n0aA")), max_size=300
)
periodic = st.builds(lambda unit, n: unit * n, st.text("abc中 0", min_size=1, max_size=9), st.integers(1, 120))

# Stretches of either kind, long enough for windows to lie within one and across two of them.
stretch = st.one_of(
    st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), max_size=90),
    st.text(st.characters(min_codepoint=0x400, max_codepoint=0x45F), max_size=60),
    st.text("abcdefghij klm", max_size=200),
    # Beside the borders of what is weighty, and emoji, which are four bytes and are not.
    st.text("⿻〆ꒌꓐꟿꯍ가힣ힰ豈ｱ𠀀𪛕🀄🙂", max_size=40),
)
stretches = st.lists(stretch, max_size=6).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(ascii_text, any_text, periodic, stretches))
def test_sketch_is_winnowing_by_definition(text):
    folded, places = locate(text, GEAR)
    [found] = passages(text)
    assert found == by_definition(folded) == set(places)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(any_text, periodic), max_size=6))
def test_folding_by_table_is_folding_by_normalising(texts):
    straight = sketch(pa.array(texts, pa.string()), GEAR)
    long_way = _Rows(normalised(pa.array(texts, pa.string())), GEAR, CAP, folding_of_normalised())
    assert straight.whole.fill_null(-1).to_pylist() == long_way.whole.tolist()
    assert straight.passages.values.to_pylist() == long_way.values.tolist()


def test_every_first_character_folds_as_normalising_does():
    for start in range(0x80, 0x20000, 0x800):
        # Between letters, so that what composes with its neighbour shows.
        texts = pa.array([f"a{chr(p)}b{chr(p)}" for p in range(start, start + 0x800) if not 0xD800 <= p < 0xE000])
        if len(texts) == 0:
            continue
        long_way = _Rows(normalised(texts), GEAR, CAP, folding_of_normalised())
        assert sketch(texts, GEAR).whole.fill_null(-1).to_pylist() == long_way.whole.tolist(), hex(start)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("नरजडकिकि़्॑́eéеが‍ াে", max_size=12), max_size=20))
def test_marks_that_compose_with_some_letters_fold_as_normalising_does(texts):
    long_way = _Rows(normalised(pa.array(texts, pa.string())), GEAR, CAP, folding_of_normalised())
    assert sketch(pa.array(texts, pa.string()), GEAR).whole.fill_null(-1).to_pylist() == long_way.whole.tolist()


@numba.njit
def unchanged_at_once(data, places):
    for i in range(len(places)):
        places[i] = folds_to_itself(data, 3 * i) & np.uint64(1)


def test_characters_that_fold_in_vectors_fold_to_themselves():
    points = [p for p in range(0x800, 0x10000) if not 0xD800 <= p < 0xE000]
    places = np.zeros(len(points), np.uint64)
    unchanged_at_once(np.frombuffer("".join(map(chr, points)).encode() + bytes(66), np.uint8), places)
    assert places.sum() > 30_000
    for point in itertools.compress(points, places):
        entry = int(folding().low[point])
        assert entry & (MARK | GIVE_UP | HAS_ASCII) == 0, hex(point)
        assert (entry & 0xFFFFFF).to_bytes(3, "little").decode() == chr(point)


# No runs of white space or digits, which fold: what is shared must have its length after folding.
letters = st.text("abcdefghijklmnopqrstuvwxyz", min_size=127, max_size=127)
characters = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=20, max_size=20)


@settings(max_examples=150, deadline=None)
@given(letters, ascii_text, ascii_text, ascii_text, ascii_text)
def test_a_shared_run_of_127_bytes_is_always_caught(run, a, b, c, d):
    first, second = passages(a + run + b, c + run + d)
    [alone] = passages(run)
    assert alone and alone <= first & second


@settings(max_examples=150, deadline=None)
@given(characters, any_text, any_text, any_text, any_text)
def test_twenty_shared_chinese_characters_are_always_caught(run, a, b, c, d):
    first, second = passages(f"{a} {run} {b}", f"{c} {run} {d}")
    assert first & second


def shared_passages(run: str) -> set[int]:
    """What texts of different surroundings have in common for a run that both hold."""
    first, second = passages(f"{'alpha beta ' * 20}|{run}|{'gamma, delta; ' * 20}", f"{'other. ' * 30}|{run}|")
    return first & second


def of_bytes(text: str, size: int) -> str:
    """The first characters of a text that make up at most so many bytes, or one character less."""
    return text.encode()[:size].decode(errors="ignore")


@pytest.mark.parametrize(
    "text",
    [
        "用中文逐步解释你的推理过程然后给出最终答案并说明理由不要省略任何步骤",
        "次の質問にできるだけ詳しく答えて、理由も書いてください",
        "다음질문에단계별로생각한뒤에답하고그이유를자세히설명하라",
        "ꀀꁀꂀꃀꄀꅀꆀꇀꈀꉀꊀꋀꌀꍀꎀꏀꐀꑀꒀꀁꁁ",
        "𠀀𠁀𠂀𠃀𠄀𠅀𠆀𠇀𠈀𠉀𠊀𠋀𠌀𠍀𠎀𠏀",
    ],
)
def test_60_bytes_of_signs_for_syllables_or_words_are_caught(text):
    run = of_bytes(text, 60)
    assert len(run.encode()) == 60
    assert shared_passages(run)


@pytest.mark.parametrize(
    "text",
    [
        "объясни по шагам как ты пришёл к ответу и назови причины не пропуская ничего из рассуждения",
        "कृपया इस प्रश्न का उत्तर विस्तार से लिखें और हर चरण का कारण भी बताएं ताकि समझ आए",
        "อธิบายวิธีคิดทีละขั้นตอนอย่างละเอียดแล้วจึงสรุปคำตอบพร้อมเหตุผลประกอบ",
        "εξήγησε βήμα προς βήμα πώς έφτασες στην απάντηση και γράψε όλους τους λόγους",
        "اشرح خطوة بخطوة كيف وصلت إلى الجواب واذكر كل الأسباب التي دعتك إلى ذلك من غير حذف",
        "הסבר צעד אחר צעד כיצד הגעת אל התשובה וכתוב את כל הסיבות בלי לדלג על שום שלב בדרך",
        "😀😁😂😃😄😅😆😇😈😉😊😋😌😍😎😏😐😑😒😓😔😕😖😗😘😙😚😛😜😝😞😟😠",
    ],
)
def test_letters_are_of_the_long_scale_in_any_script(text):
    # Runs of 64 to 126 bytes are caught where the least hash of a window happens to lie in them. The first bytes of a
    # long gram weigh a bit or two each, so that one of 64 may also equal another by its last 60.
    assert not shared_passages(of_bytes(text, 56))
    assert len(of_bytes(text, 130).encode()) >= 127
    assert shared_passages(of_bytes(text, 130))
    assert {end - start for start, end in locate(text * 9, GEAR)[1].values()} == {64}


# Three stretches of 45 bytes and more, whose length folding keeps: at least 135 in all.
long_run = st.lists(
    st.one_of(
        st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=15, max_size=50),
        st.text("abcdefghijklm", min_size=45, max_size=120),
    ),
    min_size=3,
    max_size=5,
).map("".join)


@settings(max_examples=150, deadline=None)
@given(long_run, stretches, stretches)
def test_a_shared_run_of_127_bytes_in_any_scripts_is_always_caught(run, before, after):
    # Parted by what neither folds nor composes with them, so that the run folds to the same bytes in each.
    first, second = passages(f"{before}|{run}|{after}", f"{after}|{run}|{before}")
    assert first & second


@pytest.mark.parametrize("script", ["latin", "chinese", "both"])
def test_chunks_leave_no_seam(script):
    draw = random.Random(3)
    latin = "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=2 * CHUNK + 300))
    chinese = "".join(chr(draw.randrange(0x4E00, 0x9FFF)) for _ in range(CHUNK))
    text = {"latin": latin, "chinese": chinese, "both": latin[: CHUNK - 40] + chinese[:900] + latin[CHUNK:]}[script]
    folded, places = locate(text, GEAR)
    [found] = passages(text)
    assert found == by_definition(folded) == set(places)


def test_a_text_that_changes_script_at_every_turn():
    # 16 bytes of 32 and then 15, for ever: each short gram that counts stands beside one that does not.
    text = ("中" * 5 + "é" + "-" * 17) * 3_000 + "中中中中中x" * 20_000
    made = sketch(pa.array([text]), GEAR)
    assert made.passages.to_pylist()[0]


def test_what_reads_alike_folds_alike():
    text = "Give the answer to question 12 of part 7, step by step; write down every thing that you thought of. " * 2
    variants = [
        text.upper(),
        text.replace("12", "99999").replace("7", "123"),
        text.replace(" ", " \n\t "),
        text.replace(" ", "\u00a0"),
        text.replace("step", "st\u200bep"),
        text.replace("a", "ａ"),
        "\ufeff  " + text + "\n\n",
    ]
    [plain] = passages(text)
    assert plain
    assert all(found == plain for found in passages(*variants))
    assert passages("caf\u00e9 noir " * 20) == passages("cafe\u0301 NOIR " * 20)


def test_null_empty_and_short():
    made = sketch(pa.array([None, "", "  \n", "short", "x" * 63, "x" * 64], pa.string()), GEAR)
    assert [len(p) for p in made.passages.to_pylist()] == [0, 0, 0, 0, 0, 1]
    assert [w is None for w in made.whole.to_pylist()] == [True, True, True, False, False, False]
    assert len(sketch(pa.array([], pa.string()), GEAR).passages) == 0


def sample(seed: int = 0, rows: int = 60) -> list[str | None]:
    draw = random.Random(seed)
    words = ["alpha", "beta", "中文字符", "élan", "12", "e\u0301", "gamma", "ｱﾞ", "한국어"]
    return [None if i % 7 == 3 else " ".join(draw.choices(words, k=draw.randrange(200))) for i in range(rows)]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_slices_offsets_and_batches_change_nothing(kind):
    texts = pa.array(sample(), kind)
    whole = sketch(texts, GEAR).passages.to_pylist()
    assert sketch(texts.slice(5, 20), GEAR).passages.to_pylist() == whole[5:25]
    assert sketch(texts.slice(59), GEAR).passages.to_pylist() == whole[59:]
    by_one = [p for i in range(len(texts)) for p in sketch(texts.slice(i, 1), GEAR).passages.to_pylist()]
    assert by_one == whole
    order = np.random.default_rng(0).permutation(len(texts))
    assert sketch(texts.take(pa.array(order)), GEAR).passages.to_pylist() == [whole[i] for i in order]


def test_another_key_gives_other_passages():
    text = " ".join(str(w) for w in sample() if w)
    [ours], [theirs] = passages(text), passages(text, gear=Gear.from_key(b"another key of 16 bytes or more"))
    assert ours and not ours & theirs
    assert hashed(pa.array([text]), GEAR) != hashed(pa.array([text]), Gear.from_key(b"another key of 16 bytes or more"))
    assert Gear.from_key().published and not Gear.from_key(b"x" * 16).published


def test_the_cap_keeps_the_least_and_is_told():
    draw = random.Random(1)
    text = "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=40_000))
    made = sketch(pa.array([text, "short " * 20]), GEAR, 50)
    [everything] = passages(text, cap=10_000)
    assert made.capped.tolist() == [True, False]
    assert made.passages.to_pylist()[0] == sorted(everything)[:50]
    assert everything == set(locate(text, GEAR)[1])


def test_text_longer_than_all_scratch_room():
    draw = random.Random(2)
    text = "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=240 * CHUNK))
    made = sketch(pa.array([text]), GEAR)
    everything = sorted(locate(text, GEAR)[1])
    assert len(everything) > 12_000
    assert made.passages.to_pylist() == [everything[:CAP]] and made.capped.tolist() == [True]


@pytest.mark.parametrize("unit", ["x", "0", " ", "ab", "中", "\u0301", "é" + "\u0301", "ｱﾞ"])
def test_one_thing_repeated_gives_few_passages(unit):
    [found] = passages(unit * 100_000)
    assert len(found) <= 8


def test_a_prompt_of_50_megabytes():
    [found] = passages("x" * 50_000_000)
    assert len(found) == 1


def test_bytes_that_are_no_utf8_are_kept_and_read_no_further():
    for data in (b"\xf0", b"\xe4\xb8", b"\xc3", b"\x80" * 200, b"a" * 70 + b"\xff", b"\xf0\x9f\x99"):
        offsets = pa.py_buffer(np.array([0, len(data)], np.int32).tobytes())
        texts = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(data)])
        assert len(sketch(texts, GEAR).passages) == 1


def test_located_bytes_are_the_run_that_texts_share():
    run = "compare the two answers and say which is better, with all the reasons that you have for saying so, in order"
    first, second = (locate(t, GEAR) for t in ("my own text " * 9 + run, run + " and yours" * 30))
    shared = first[1].keys() & second[1].keys()
    assert shared
    for passage in shared:
        runs = {folded[slice(*places[passage])] for folded, places in (first, second)}
        assert len(runs) == 1
