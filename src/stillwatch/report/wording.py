"""How numbers, dates and other people's text are written, the same on the page and in the terminal."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import datetime

from stillwatch.findings import Campaign, Findings

# What a browser or a terminal would obey or hide: C0 and C1 controls, soft hyphen, grapheme joiner, Hangul and Khmer
# fillers, Mongolian selectors, zero-width characters, bidi marks, embeddings, overrides and isolates, line and
# paragraph separators, word joiners, the byte order mark, interlinear marks, surrogates, and the tags and selectors of
# plane 14, in which text can be hidden. Tab and line feed are left as they are, and so are the zero-width (non-)joiners
# U+200C and U+200D where Persian, Indic scripts and emoji need them: between two visible characters.
_HIDDEN = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff"
)
_UNSEEN = re.compile(
    rf"(?:[{_HIDDEN}]|(?<![^\s\u200c\u200d{_HIDDEN}])[\u200c\u200d]|[\u200c\u200d](?=[\s\u200c\u200d{_HIDDEN}]|\Z))+"
)

FACTORS = {
    "one_hand": "under one hand",
    "extraction": "extraction",
    "unsanctioned": "unsanctioned",
    "membership": "belongs to the campaign",
    "holder_takes_part": "the holder takes part",
}


def visible(text: str) -> str:
    """Other people's text with every character that would act unseen written out, as in ‹U+202E› or ‹U+0000 ×3›.

    The result holds nothing that a terminal, a browser or the bidirectional algorithm obeys, and can be encoded as
    UTF-8 whatever the input (lone surrogates included). It is text, not HTML: escape it as any other.
    """
    return "".join(piece for piece, _ in visible_pieces(text))


def visible_pieces(text: str) -> list[tuple[str, bool]]:
    """What `visible` gives, in pieces, each with whether it stands for unseen characters."""
    text = text.replace("\r\n", "\n")
    pieces = []
    end = 0
    for match in _UNSEEN.finditer(text):
        pieces += [(text[end : match.start()], False), (_written_out(match.group()), True)]
        end = match.end()
    return [*pieces, (text[end:], False)]


def _written_out(run: str) -> str:
    parts = []
    i = 0
    while i < len(run):
        j = i
        while j < len(run) and run[j] == run[i]:
            j += 1
        parts.append(f"U+{ord(run[i]):04X}" + (f" ×{j - i}" if j - i > 1 else ""))
        i = j
    return "‹" + " ".join(parts) + "›"


def one_line(text: str, width: int | None = None) -> str:
    """The text on one line; with a width in terminal cells, cut there with an ellipsis."""
    line = " ".join(visible(text).split())
    if width is None or cells(line) <= width:
        return line
    kept = ""
    for character in line:
        if cells(kept + character) > width - 1:
            break
        kept += character
    return kept.rstrip() + "…"


def cells(text: str) -> int:
    """Terminal cells that the text takes: two for East Asian wide characters, none for combining marks."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def loss_unit(findings: Findings) -> str:
    """What expected losses are counted in: output tokens, exchanges or accounts."""
    return plain_name(str(findings.settings.get("loss") or "output_tokens"))


def expected_loss(campaign: Campaign) -> str:
    """Probability times what is at stake; a dash where nothing is known of that."""
    return short_count(round(campaign.expected_loss)) if campaign.at_stake else "–"


def count(n: int) -> str:
    """A count with thousands set apart: 140,500."""
    return f"{n:,}"


def short_count(n: int) -> str:
    """A large count in few characters: 212 million, 14.6 million, 140,500."""
    for size, name in ((1_000_000_000, "billion"), (1_000_000, "million")):
        if n >= size:
            value = n / size
            return f"{value:.0f} {name}" if value >= 100 else f"{value:.1f} {name}"
    return count(n)


def tick_count(n: int) -> str:
    """A round count for the scale of a chart: 500, 20k, 1.5M."""
    for size, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if n >= size:
            return f"{n / size:g}{letter}"
    return str(n)


def percent(p: float) -> str:
    """A probability that never claims certainty: 96.1%, over 99.9%, under 0.1%."""
    if p > 0.999:
        return "over 99.9%"
    if p < 0.001:
        return "under 0.1%"
    return f"{100 * p:.1f}%" if p >= 0.9 or p < 0.1 else f"{100 * p:.0f}%"


def share(part: int, whole: int) -> str:
    """Part of a whole in per cent: 14%, 0.3%, under 0.1%, and a dash where the whole is nothing."""
    if whole <= 0:
        return "–"
    p = part / whole
    if p == 0:
        return "0%"
    if p < 0.001:
        return "under 0.1%"
    return f"{100 * p:.1f}%" if p < 0.1 else f"{100 * p:.0f}%"


def signed_bits(bits: float) -> str:
    """Bits with their sign, a true minus, and one decimal: +6.2, −1.7, 0.0."""
    rounded = round(bits, 1)
    if rounded == 0:
        return "0.0"
    return f"{'+' if rounded > 0 else '−'}{abs(rounded):,.1f}"


def likelier(bits: float) -> str:
    """Bits as a ratio in words: 'about 70 times likelier', 'about 3 times less likely', 'neither way'."""
    if abs(bits) < 0.25:
        return "neither way"
    direction = "likelier" if bits > 0 else "less likely"
    if abs(bits) >= 40:  # 2^40 = 1.1e12
        return f"over a trillion times {direction}"
    ratio = 2 ** abs(bits)
    if ratio < 10:
        return f"about {ratio:.1f} times {direction}"
    digits = math.floor(math.log10(ratio))
    number = short_count(int(round(ratio, 1 - digits))).replace(".0 ", " ")
    return f"about {number} times {direction}"


def odds_bits(p: float) -> float:
    """log2 odds of a probability, held within ±40 bits, beyond which the number says nothing more."""
    if p <= 0:
        return -40.0
    if p >= 1:
        return 40.0
    return max(-40.0, min(40.0, math.log2(p / (1 - p))))


def probability_of(bits: float) -> float:
    """The probability whose log2 odds these are."""
    return float(1 / (1 + 2.0 ** -max(-60.0, min(60.0, bits))))


def day(time: datetime) -> str:
    """5 January 2026."""
    return f"{time.day} {time:%B} {time.year}"


def span(first: datetime, last: datetime) -> str:
    """A stretch of time, as briefly as it can be said: 5 January 2026, 14:02–14:31 · 3–28 May 2026 · ..."""
    if first.date() == last.date():
        return f"{day(first)}, {first:%H:%M}–{last:%H:%M} UTC"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day(last)}"
    if first.year == last.year:
        return f"{first.day} {first:%B} – {day(last)}"
    return f"{day(first)} – {day(last)}"


def lasting(first: datetime, last: datetime) -> str:
    """How long a stretch of time is, in whole minutes, hours or calendar days."""
    seconds = (last - first).total_seconds()
    if seconds < 2 * 3600:
        return plural(max(1, round(seconds / 60)), "minute")
    if seconds < 48 * 3600:
        return plural(round(seconds / 3600), "hour")
    return plural((last.date() - first.date()).days + 1, "day")


def plain_name(name: str) -> str:
    """A name from the code as words: popular_artefact becomes popular artefact."""
    return visible(name).replace("_", " ")


def plural(n: int, singular: str, many: str | None = None) -> str:
    """1 account, 312 accounts."""
    return f"{count(n)} {singular if n == 1 else many or singular + 's'}"
