"""Rows become exchanges: one batch at a time, in time order, every column a pure function of the row and its seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.simulate.accounts import (
    MICROSECONDS_A_DAY,
    MODELS,
    NEW,
    NEW_MINI,
    OLD_MODELS,
    RELEASED_ON,
    USER_AGENTS,
    Account,
)
from stillwatch.simulate.lines import Lines, deal
from stillwatch.simulate.rhythm import Rows
from stillwatch.simulate.seeds import Seeds, fraction, mixed, normal
from stillwatch.simulate.streams import Streams
from stillwatch.simulate.templates import QUOTED_TEXTS, RESPONSE_FORMS, TOOL_SETS
from stillwatch.simulate.text import CODE, MEAN_BYTES, Grammar, Parts, Texts, compile_grammar, lengths, write_texts
from stillwatch.tables import EXCHANGES

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# What befalls any request, whoever sends it: assumptions of the order that API status pages and post-mortems report.
REFUSED, LIMITED, FAILED, BLOCKED = 0.02, 0.015, 0.008, 0.003
VARIED = 0.5  # of conversations that are sent again, with another last message: assumption
FORM_KEPT = 0.6  # share of answers that begin in the form their job asks for: assumption
CODE_SHARED = 0.15  # of the items of shared lists
QUOTED = 0.03  # of messages begin with text that everybody quotes: licences, notices, poems
OUTPUT_TALK, OUTPUT_CODE = (5.02, 0.859), (2.79, 0.847)  # ln(generated tokens), Azure LLM inference traces 2023
STATUSES = np.array(["ok", "refused", "rate_limited", "blocked", "error"])
REFUSALS = (
    "I can't help with that request.",
    "Sorry, but I'm not able to assist with this.",
    "I won't provide that, though I am glad to help with something related.",
    "抱歉，我无法协助完成这个请求。",
)
_HEX = np.array([[ord(c) for c in f"{b:02x}"] for b in range(256)], np.uint8)


def hex_ids(h: Seeds) -> pa.Array:
    """Hashes as sixteen hexadecimal digits each."""
    digits = _HEX[np.ascontiguousarray(h.astype(">u8")).view(np.uint8)].reshape(-1)
    offsets = np.arange(len(h) + 1, dtype=np.int32) * 16
    return pa.StringArray.from_buffers(len(h), pa.py_buffer(offsets), pa.py_buffer(digits))


def nulled(values: pa.Array, keep: Flags) -> pa.Array:
    """The values where `keep`, null elsewhere."""
    return values.take(pa.array(np.where(keep, np.arange(len(keep)), 0), mask=~keep))


def _text_array(buffer: npt.NDArray[np.uint8], ends: Ints) -> pa.Array:
    offsets = np.concatenate(([0], ends)).astype(np.int32)
    return pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(buffer))


def _flat(lists: list[list[int]]) -> tuple[Ints, Ints, Ints]:
    counts = np.array([len(x) for x in lists], np.int64)
    return np.array([v for x in lists for v in x], np.int64), np.cumsum(counts) - counts, counts


@dataclass(slots=True)
class _Asked:
    """What a batch's rows ask, shared by several columns."""

    stream: Ints
    origin: Ints
    account: Ints
    wording: Ints
    seed: Seeds  # of the last message
    first_seed: Seeds  # of the conversation's opening message
    conversation: Seeds
    words: Seeds  # of the conversation whose messages are sent; its own unless it is sent again
    varied: Flags  # sent again with a last message of its own
    row: Seeds
    code: Flags
    shared: Flags  # the message comes from a shared list
    opening: Flags


class Renderer:
    """Renders batches of rows as record batches of `tables.EXCHANGES`."""

    def __init__(self, world: Streams, seed: int, lines: Lines) -> None:
        self._secret = int(mixed(np.array([seed]), 77)[0] >> np.uint64(1))
        self._start = round(world.start.timestamp()) * 1_000_000
        self._lines = lines
        self.from_lines = len(lines) > 0
        self._grammar: Grammar = compile_grammar()
        self._streams(world)
        self._accounts(world.register.accounts)
        self._texts(world)

    def _streams(self, world: Streams) -> None:
        s = world.streams
        self.account_of = np.array([x.account.number for x in s], np.int64)
        self.campaign_of = np.array([x.campaign for x in s], np.int64)
        self._keys = pa.array([x.key for x in s])
        self._wordings, self._wording_at, self._wording_count = _flat([list(x.wordings) for x in s])
        self._ips, self._ip_at, self._ip_count = _flat([list(x.addresses) for x in s])
        self._ip_text = pa.array(world.addresses.table)
        self._hold = np.array([x.hold for x in s]) * MICROSECONDS_A_DAY
        pools = [x.payloads for x in s]
        self._pool = np.array([p.number if p else 0 for p in pools], np.int64)
        self._pool_size = np.array([p.size if p else 1 for p in pools], np.int64)
        self._pool_share = np.array([p.share if p else 0.0 for p in pools])
        self._language = np.array([x.account.language if x.language < 0 else x.language for x in s], np.int64)
        self._new_share = np.array([x.new_model_share for x in s])
        self._only_new = np.array([x.only_new_model for x in s])
        self._end_users = np.array([x.account.end_users if x.end_users is None else x.end_users for x in s], np.int64)
        self._line_at, self._line_count, self._pool_line, self._pool_lines = deal(s, len(self._lines))

    def _accounts(self, accounts: list[Account]) -> None:
        self._account_ids = pa.array([a.account_id for a in accounts])
        self._path = pa.array([a.path for a in accounts])
        self._temperature = pa.array([a.temperature for a in accounts], pa.float64())
        self._limit = pa.array([a.max_tokens for a in accounts], pa.int32())
        self._limit_number = np.array([a.max_tokens or 1 << 30 for a in accounts], np.int64)
        self._budget = pa.array([a.budget for a in accounts], pa.int32())
        self._budget_number = np.array([a.budget or 0 for a in accounts], np.int64)
        self._client = np.array([a.client for a in accounts], np.int64)
        self._tls = np.array([a.tls for a in accounts], np.int64)
        self._model = np.array([a.model for a in accounts], np.int64)
        self._adopts = np.array([a.adopts for a in accounts])
        self._closed = np.array([np.inf if a.closed is None else a.closed for a in accounts])
        self._shown = np.array([not a.strips for a in accounts])
        self._has_conversation = np.array([a.has_conversations for a in accounts])
        self._has_history = np.array([a.has_history for a in accounts])
        self._logprobs = np.array([a.logprobs for a in accounts])
        self._streaming = np.array([a.streams for a in accounts])
        self._batching = np.array([a.batches for a in accounts])

    def _texts(self, world: Streams) -> None:
        w = world.wordings
        pieces = dict.fromkeys(
            [
                "",
                *QUOTED_TEXTS,
                *(x.before for x in w),
                *(x.after for x in w),
                *RESPONSE_FORMS,
                *(x.response for x in w),
            ]
        )
        number = {text: i for i, text in enumerate(pieces)}
        self._parts = Parts.of(list(pieces))
        self._before = np.array([number[x.before] for x in w], np.int64)
        self._after = np.array([number[x.after] for x in w], np.int64)
        self._response = np.array([number[x.response] for x in w], np.int64)
        self._usual = np.array([number[x] for x in RESPONSE_FORMS], np.int64)
        self._tools_of = np.array([x.tools for x in w], np.int64)
        self._code_share = np.array([x.code for x in w])
        self._refused = np.array([REFUSED if x.refused is None else x.refused for x in w])
        self._workload = pa.array([x.workload for x in w])
        self._every_turn = np.array([x.every_turn for x in w])
        systems = list(dict.fromkeys(x.system for x in w))
        order = {text: i for i, text in enumerate(systems)}
        self._system_of = np.array([order[x.system] for x in w], np.int64)
        self._system_text = pa.array([x or None for x in systems], pa.string())
        self._system_bytes = np.array([len(x.encode()) for x in systems], np.int64)
        self._empty_system = order.get("", -1)

    def render(self, rows: Rows, at: Ints, ordinal: Ints | None) -> pa.RecordBatch:
        """The rows numbered `at` (their place in time order gives their ids); `ordinal` counts within streams."""
        asked = self._ask(rows, at)
        time = rows.time[at]
        status = self._status(asked, time)
        columns: dict[str, pa.Array] = {}
        self._who(columns, asked, at, time)
        bytes_sent = self._say(columns, asked, status, ordinal)
        turn = rows.turn[at].astype(np.int64)
        self._how(columns, asked, turn=turn, time=time, status=status, sent=bytes_sent)
        return pa.RecordBatch.from_arrays([columns[f.name] for f in EXCHANGES.schema], schema=EXCHANGES.schema)

    def workloads(self, rows: Rows, at: Ints) -> pa.Array:
        """The workload of each row numbered `at`: the truth, empty where the wording is public."""
        return self._workload.take(pa.array(self._ask(rows, at).wording))

    def _ask(self, rows: Rows, at: Ints) -> _Asked:
        stream, origin = rows.stream[at].astype(np.int64), rows.origin[at].astype(np.int64)
        turn = rows.turn[at].astype(np.int64)
        c = mixed(rows.conversation[at], self._secret)
        words = c if rows.words is None else mixed(rows.words[at], self._secret)
        varied = (words != c) & (fraction(mixed(c, 34)) < VARIED)
        wording = self._wordings[
            self._wording_at[origin]
            + (mixed(words, 3) % self._wording_count[origin].astype(np.uint64)).astype(np.int64)
        ]
        shared = fraction(mixed(words, 4)) < self._pool_share[origin]
        item = (self._pool_size[origin] * fraction(mixed(words, 5))).astype(np.int64)
        first = np.where(shared, mixed(self._pool[origin], item, self._secret), mixed(words, 6))
        opening = turn == 0
        seed = np.where(opening, first, mixed(np.where(varied, c, words), 7, turn))
        shared = shared & opening
        code = fraction(mixed(seed, 8)) < np.where(shared, CODE_SHARED, self._code_share[wording])
        return _Asked(
            stream=stream,
            origin=origin,
            account=self.account_of[stream],
            wording=wording,
            seed=seed,
            first_seed=first,
            conversation=c,
            words=words,
            varied=varied,
            row=mixed(at, self._secret, 9),
            code=code,
            shared=shared,
            opening=opening,
        )

    def _status(self, q: _Asked, time: Ints) -> Ints:
        u = fraction(mixed(q.row, 10))
        refused = self._refused[q.wording]
        ends = np.stack([refused, refused + LIMITED, refused + LIMITED + BLOCKED, refused + LIMITED + BLOCKED + FAILED])
        status = np.array([1, 2, 3, 4, 0])[(u >= ends).sum(axis=0)]
        return np.where(time / MICROSECONDS_A_DAY > self._closed[q.account], 3, status)

    def _who(self, out: dict[str, pa.Array], q: _Asked, at: Ints, time: Ints) -> None:
        account = pa.array(q.account)
        out["exchange_id"] = hex_ids(mixed(at + self._secret))
        out["time"] = pa.array(time + self._start).cast(pa.timestamp("us", tz="UTC"))
        out["account_id"] = self._account_ids.take(account)
        out["key_id"] = self._keys.take(pa.array(q.stream))
        users = self._end_users[q.stream]
        user = (np.maximum(users, 1) ** fraction(mixed(q.conversation, 11))).astype(np.int64)
        out["end_user_id"] = nulled(hex_ids(mixed(q.account, user, self._secret, 12)), users > 0)
        out["conversation_id"] = nulled(
            hex_ids(mixed(q.conversation, q.account, 13)), self._has_conversation[q.account]
        )
        out["access_path"] = self._path.take(account)
        held = mixed(q.stream, (time / self._hold[q.stream]).astype(np.int64), 14)
        which = np.where(fraction(mixed(q.row, 15)) < 0.05, mixed(q.row, 16), held)  # now and then another line
        ip = self._ips[self._ip_at[q.stream] + (which % self._ip_count[q.stream].astype(np.uint64)).astype(np.int64)]
        shown = self._shown[q.account]
        out["ip"] = nulled(self._ip_text.take(pa.array(ip)), shown)
        out["user_agent"] = nulled(pa.array(USER_AGENTS).take(pa.array(self._client[q.account])), shown)
        out["tls_fingerprint"] = nulled(pa.array(TLS).take(pa.array(self._tls[q.account])), shown)

    def _say(self, out: dict[str, pa.Array], q: _Asked, status: Ints, ordinal: Ints | None) -> Ints:
        n = len(q.seed)
        nothing = np.zeros(n, np.int64)
        around = q.opening | self._every_turn[q.wording]
        before = np.where(around, self._before[q.wording], 0)
        after = np.where(around, self._after[q.wording], 0)
        quote = (before == 0) & (fraction(mixed(q.seed, 17)) < QUOTED)
        before = np.where(quote, 1 + (mixed(q.seed, 18) % np.uint64(len(QUOTED_TEXTS))).astype(np.int64), before)
        line = nothing - 1 if ordinal is None else self._line(q, ordinal)
        size = self._parts.at[before + 1] - self._parts.at[before] + self._parts.at[after + 1] - self._parts.at[after]
        # the whole message follows one law of lengths, whether an instruction is part of it or not
        target = np.maximum(lengths(q.seed, q.code) - size, 40)
        # what is shared is one text for all, in English; the rest is in the account's language
        grammar = np.where(q.code, CODE, np.where(q.shared, 0, self._language[q.stream]))
        asks = fraction(mixed(q.seed, 19)) < 0.6
        texts = Texts(q.seed, grammar, asks, target, before, after, line)
        buffer, ends = write_texts(self._grammar, self._parts, self._lines, texts)
        out["prompt"] = _text_array(buffer, ends)
        system = self._system_of[q.wording]
        out["system_prompt"] = self._system_text.take(pa.array(system))
        answered = mixed(q.seed, q.row, 20)
        extract = 120 + (answered % np.uint64(160)).astype(np.int64)  # an extract: the store keeps no whole answers
        # a job asks for a form and mostly gets it; any answer may begin like one
        usual = self._usual[(mixed(answered, 32) % np.uint64(len(self._usual))).astype(np.int64)]
        lead = np.where(fraction(mixed(answered, 33)) < FORM_KEPT, self._response[q.wording], usual)
        extract = np.where(status == 0, extract, 0)
        texts = Texts(answered, grammar, np.zeros(n, bool), extract, lead, nothing, nothing - 1)
        said, said_ends = write_texts(self._grammar, self._parts, self._lines, texts)
        response = nulled(_text_array(said, said_ends), status == 0)
        refusal = pa.array(REFUSALS).take(
            pa.array(np.where(status == 1, (q.row % np.uint64(len(REFUSALS))).astype(np.int64), 0))
        )
        out["response"] = pc.if_else(pa.array(status == 1), refusal, response)
        return np.diff(ends, prepend=0) + self._system_bytes[system]

    def _line(self, q: _Asked, ordinal: Ints) -> Ints:
        own = self._line_at[q.stream] + ordinal % self._line_count[q.stream]
        pool = self._pool[q.origin]
        item = (q.first_seed % self._pool_lines[pool].astype(np.uint64)).astype(np.int64)
        return np.where(q.shared, self._pool_line[pool] + item, own)

    def _how(self, out: dict[str, pa.Array], q: _Asked, *, turn: Ints, time: Ints, status: Ints, sent: Ints) -> None:
        account = pa.array(q.account)
        out["model"] = pa.array(MODELS).take(pa.array(self._which_model(q, time)))
        tools = self._tools_of[q.wording]
        out["tools"] = nulled(
            pa.array([list(t) for t in TOOL_SETS], pa.list_(pa.string())).take(pa.array(tools)), tools > 0
        )
        out["temperature"] = self._temperature.take(account)
        out["max_tokens"] = self._limit.take(account)
        out["reasoning_budget"] = self._budget.take(account)
        out["logprobs"] = pa.array(self._logprobs[q.account])
        out["n"] = pa.array(np.where(fraction(mixed(q.row, 21)) < 0.01, 4, 1).astype(np.int32))
        out["stream"] = pa.array(fraction(mixed(q.row, 22)) < self._streaming[q.account])
        out["batch"] = pa.array(fraction(mixed(q.row, 23)) < self._batching[q.account])
        system = self._system_of[q.wording] != self._empty_system
        messages = 2 * turn + 1 + system
        out["messages"] = pa.array(messages.astype(np.int32))
        out["history_hashes"] = self._history(q, messages, system)
        spare = normal(mixed(q.row, 24))
        mu, spread = np.where(q.code, OUTPUT_CODE[0], OUTPUT_TALK[0]), np.where(q.code, OUTPUT_CODE[1], OUTPUT_TALK[1])
        answer = np.exp(mu + spread * spare)
        thought = np.minimum(np.exp(6.0 + normal(mixed(q.row, 25))), self._budget_number[q.account])
        ok = status == 0
        total = np.minimum(answer + thought, self._limit_number[q.account])
        out["output_tokens"] = pa.array(
            np.where(ok, np.maximum(total, 1), np.where(status == 1, 14, 0)).astype(np.int32)
        )
        out["reasoning_tokens"] = pa.array(np.where(ok, np.minimum(thought, total), 0).astype(np.int32))
        # four bytes a token; each earlier turn adds a message and an answer of the usual size
        history = turn * (MEAN_BYTES / 4 + 200) * np.exp(0.3 * normal(mixed(q.conversation, 26)))
        out["input_tokens"] = pa.array((sent / 4 + history + 3).astype(np.int32))
        out["status"] = pa.array(STATUSES).take(pa.array(status))

    def _which_model(self, q: _Asked, time: Ints) -> Ints:
        day = time / MICROSECONDS_A_DAY
        u = fraction(mixed(q.row, 27))
        other = np.array([OLD_MODELS.at(float(x)) for x in np.linspace(0, 0.999, 64)], np.int64)
        model = np.where(u < 0.15, other[(mixed(q.row, 28) % np.uint64(64)).astype(np.int64)], self._model[q.account])
        newest = np.where((day > RELEASED_ON[NEW_MINI]) & (fraction(mixed(q.row, 29)) < 0.2), NEW_MINI, NEW)
        share = self._new_share[q.stream]
        v = fraction(mixed(q.row, 30))
        turned = (share > 0) & (day > RELEASED_ON[NEW] + 0.3) & (v < share)
        adopted = (share == 0) & (day > self._adopts[q.account]) & (v < 0.8)
        model = np.where(turned | adopted, newest, model)
        return np.where(self._only_new[q.stream], NEW, model)

    def _history(self, q: _Asked, messages: Ints, system: Flags) -> pa.Array:
        has = self._has_history[q.account]
        counts = np.where(has, messages, 0)
        row = np.repeat(np.arange(len(counts)), counts)
        j = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts) - system[row]
        fixed = mixed(self._system_of[q.wording][row], 31, self._secret)
        opened = mixed(fixed, q.first_seed[row], self._before[q.wording][row], self._after[q.wording][row])
        own = q.varied[row] & (j == (messages - 1 - system)[row])
        said = np.where(own, q.conversation[row], q.words[row])
        h = np.where(j < 0, fixed, np.where(j == 0, opened, mixed(opened, said, j)))
        offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
        return nulled(pa.ListArray.from_arrays(pa.array(offsets), hex_ids(h)), has)


def _fingerprints() -> tuple[str, ...]:
    h = mixed(np.arange(len(USER_AGENTS)), 4242)
    g = mixed(np.arange(len(USER_AGENTS)), 2424)
    return tuple(
        f"t13d{15 + i % 4}{10 + i % 7}h2_{int(a):016x}"[:23] + f"_{int(b):016x}"[:13]
        for i, (a, b) in enumerate(zip(h, g, strict=True))
    )


TLS = _fingerprints()
