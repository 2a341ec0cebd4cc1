"""The spool: what was acknowledged is on disk, encrypted, and comes back once; what was torn is cut off."""

import errno
import os
import stat
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.errors import InputError
from stillwatch.serve.spool import Key, Limits, Spool, SpoolBusy, expired, recovered, sealed, used
from stillwatch.serve.spool import segment as segments
from stillwatch.serve.spool.segment import Writing

KEY = Key(b"k" * 32)


def payloads(folder: Path, key: Key = KEY) -> list[bytes | None]:
    return [payload for segment in sealed(folder) for payload in segment.frames(key)]


def spool(folder: Path, **limits: float) -> Spool:
    folder.mkdir(exist_ok=True)
    return Spool(folder, KEY, Limits(**limits))


def test_what_was_appended_comes_back_in_its_order(tmp_path):
    one = spool(tmp_path)
    wanted = [f"payload {n}".encode() for n in range(200)]
    for done in [one.append(payload) for payload in wanted]:
        done.result(10)
    one.close()
    assert payloads(tmp_path) == wanted


def test_nothing_can_be_read_on_the_disk_without_the_key(tmp_path):
    one = spool(tmp_path)
    one.append(b"quixotic zephyr " * 100).result(10)
    one.close()
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert len(held) > 1600
    assert b"quixotic" not in held


def test_equal_payloads_do_not_look_alike(tmp_path):
    for _ in range(2):
        one = spool(tmp_path)
        for done in [one.append(b"the same" * 8) for _ in range(3)]:
            done.result(10)
        one.close()
    held = b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir()))
    pieces = [held[at : at + 16] for at in range(len(held) - 16)]
    assert len(set(pieces)) == len(pieces)


class Disk:
    """Remembers how much of each file was brought to the disk, so that the power can fail."""

    def __init__(self, monkeypatch):
        self.synced: dict[int, int] = {}
        self.named: set[str] = set()
        fdatasync, fsync = os.fdatasync, os.fsync
        monkeypatch.setattr(os, "fdatasync", lambda handle: (fdatasync(handle), self._note(handle)))
        monkeypatch.setattr(os, "fsync", lambda handle: (fsync(handle), self._note(handle)))

    def _note(self, handle: int) -> None:
        found = os.fstat(handle)
        if stat.S_ISDIR(found.st_mode):
            self.named |= set(os.listdir(handle))
        else:
            self.synced[found.st_ino] = found.st_size

    def after_power_failed(self, folder: Path, to: Path) -> None:
        to.mkdir()
        for path in folder.iterdir():
            if path.name in self.named:
                (to / path.name).write_bytes(path.read_bytes()[: self.synced.get(path.stat().st_ino, 0)])


def test_what_was_acknowledged_survives_a_loss_of_power(tmp_path, monkeypatch):
    disk = Disk(monkeypatch)
    one = spool(tmp_path / "live")
    acknowledged = []
    for n in range(30):
        done = one.append(str(n).encode() * 50)
        done.result(10)
        acknowledged.append(str(n).encode() * 50)
        if n in (0, 7, 29):
            disk.after_power_failed(tmp_path / "live", tmp_path / f"after{n}")
            recovered(tmp_path / f"after{n}", KEY)
            assert payloads(tmp_path / f"after{n}") == acknowledged
    one.close()


def test_many_appends_share_one_sync(tmp_path, monkeypatch):
    syncs = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda handle: (syncs.append(handle), time.sleep(0.02), real(handle)))
    one = spool(tmp_path)
    for done in [one.append(b"x" * 100) for _ in range(500)]:
        done.result(10)
    one.close()
    assert len(payloads(tmp_path)) == 500
    assert len(syncs) < 50


def written(folder: Path, frames: list[bytes]) -> Path:
    """A segment whose writer was killed: open, and locked by nobody."""
    folder.mkdir(exist_ok=True)
    one = Writing(folder, KEY)
    for frame in frames:
        one.append(frame)
    one.sync()
    os.close(one._handle)
    return one.segment.path


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=200), min_size=1, max_size=6), st.data())
def test_a_torn_tail_is_cut_and_the_frames_before_it_stand(tmp_path_factory, frames, data):
    folder = tmp_path_factory.mktemp("torn")
    path = written(folder, frames)
    size = path.stat().st_size
    kept = data.draw(st.integers(40, size - 1))
    garbage = data.draw(st.binary(max_size=100) | st.just(b"\0" * 64))
    was = path.read_bytes()
    torn = was[:kept] + garbage
    path.write_bytes(torn)
    # What is garbage may be what stood there.
    same = next((n for n, (a, b) in enumerate(zip(was, torn, strict=False)) if a != b), min(len(was), len(torn)))
    ends = [40]
    for frame in frames:
        ends.append(ends[-1] + 4 + len(frame) + 16)
    whole = sum(end <= same for end in ends) - 1
    found = recovered(folder, KEY)
    assert payloads(folder) == frames[:whole]
    assert found.segments == 1
    assert found.cut == len(torn) - ends[whole]
    assert found.cut == 0 or sealed(folder)[0].size == ends[whole]


def test_a_header_that_is_not_whole_held_nothing(tmp_path):
    path = written(tmp_path, [])
    path.write_bytes(path.read_bytes()[:17])
    assert recovered(tmp_path, KEY).segments == 0
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_frame_is_told_and_those_after_it_are_kept(tmp_path):
    path = written(tmp_path, [b"a" * 50, b"b" * 50, b"c" * 50])
    held = bytearray(path.read_bytes())
    held[40 + 70 + 10] ^= 1
    path.write_bytes(held)
    recovered(tmp_path, KEY)
    assert payloads(tmp_path) == [b"a" * 50, None, b"c" * 50]


def test_frames_cannot_be_moved_within_a_segment_or_to_another(tmp_path):
    first = written(tmp_path, [b"a" * 50, b"b" * 50]).read_bytes()
    second = written(tmp_path, [b"c" * 50, b"d" * 50])
    held = second.read_bytes()
    second.write_bytes(held[:40] + held[110:180] + first[110:180])
    recovered(tmp_path, KEY)
    assert payloads(tmp_path) == [b"a" * 50, b"b" * 50]


def test_a_segment_that_is_being_written_is_left_alone(tmp_path):
    one = spool(tmp_path)
    one.append(b"x").result(10)
    assert recovered(tmp_path, KEY).segments == 0
    other = spool(tmp_path)
    other.append(b"y").result(10)
    other.close()
    assert payloads(tmp_path) == [b"y"]
    one.close()
    assert payloads(tmp_path) == [b"x", b"y"]


def test_a_segment_is_sealed_in_time_without_further_traffic(tmp_path):
    one = spool(tmp_path, segment_seconds=0.05)
    one.append(b"x").result(10)
    until = time.monotonic() + 10
    while not sealed(tmp_path) and time.monotonic() < until:
        time.sleep(0.01)
    assert payloads(tmp_path) == [b"x"]
    one.close()


def test_another_key_is_refused_by_name(tmp_path):
    written(tmp_path, [b"x"])
    with pytest.raises(InputError, match=r"written with another key of the spool: spool_key_file takes"):
        spool_with = Spool(tmp_path, Key(b"z" * 32))
        spool_with.close()
    recovered(tmp_path, KEY)
    with pytest.raises(InputError, match="another key"):
        recovered(tmp_path, Key(b"z" * 32))
    with pytest.raises(InputError, match="another key"):
        payloads(tmp_path, Key(b"z" * 32))


def test_a_segment_that_cannot_be_begun_leaves_nothing_open_and_nothing_behind(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(segments, "_write", full)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(OSError, match="No space"):
            Writing(tmp_path, KEY)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert not list(tmp_path.iterdir())


def test_a_full_spool_takes_nothing_and_says_when_to_come_again(tmp_path):
    one = spool(tmp_path, disk=2000, segment_seconds=0.01)
    one.append(b"x" * 1500).result(10)
    with pytest.raises(SpoolBusy, match="full until it is drained") as refused:
        one.append(b"y" * 1500)
    assert refused.value.retry_after > 0
    until = time.monotonic() + 10
    while not sealed(tmp_path) and time.monotonic() < until:
        time.sleep(0.01)
    sealed(tmp_path)[0].path.unlink()
    time.sleep(0.3)
    one.append(b"y" * 1500).result(10)
    one.close()
    assert payloads(tmp_path) == [b"y" * 1500]


def test_a_disk_that_fails_is_told_and_nothing_half_written_stays(tmp_path, monkeypatch):
    one = spool(tmp_path)
    one.append(b"before").result(10)
    real = os.fdatasync

    def failing(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdatasync", failing)
    with pytest.raises(SpoolBusy, match="cannot be written"):
        one.append(b"lost").result(10)
    monkeypatch.setattr(os, "fdatasync", real)
    one.append(b"after").result(10)
    one.close()
    assert payloads(tmp_path) == [b"before", b"after"]
    assert used(tmp_path) == sum(path.stat().st_size for path in tmp_path.iterdir())


def test_what_nobody_drains_is_removed_in_time(tmp_path, monkeypatch):
    one = spool(tmp_path)
    one.append(b"x").result(10)
    one.close()
    assert expired(tmp_path, 3600) == []
    now = time.time()
    monkeypatch.setattr(segments.time, "time", lambda: now + 3700)
    assert len(expired(tmp_path, 3600)) == 1
    assert payloads(tmp_path) == []


def test_a_sender_that_goes_away_stops_nobody(tmp_path):
    one = spool(tmp_path)
    gone = one.append(b"gone")
    assert not gone.cancel()
    one.append(b"here").result(10)
    one.close()
    assert payloads(tmp_path) == [b"gone", b"here"]


def test_whatever_fails_in_writing_is_told_to_the_sender_and_the_next_one_is_served(tmp_path, monkeypatch):
    one = spool(tmp_path)

    def failing(self, payload):
        raise MemoryError

    with monkeypatch.context() as broken:
        broken.setattr(Writing, "append", failing)
        with pytest.raises(SpoolBusy, match="cannot be written"):
            one.append(b"lost").result(10)
    one.append(b"after").result(10)
    one.close()
    assert payloads(tmp_path) == [b"after"]


def test_after_closing_nothing_is_taken(tmp_path):
    one = spool(tmp_path)
    one.close()
    with pytest.raises(SpoolBusy, match="shutting down"):
        one.append(b"x")


def test_a_key_is_made_once_for_its_owner_alone(tmp_path):
    first = Key.of_spool(tmp_path / "spool", None)
    assert stat.S_IMODE((tmp_path / "spool" / "spool.key").stat().st_mode) == 0o600
    assert Key.of_spool(tmp_path / "spool", None).id == first.id
    assert Key.of_spool(tmp_path / "other", None).id != first.id


@pytest.mark.parametrize(
    ("mode", "size", "said"),
    [(0o644, 32, "chmod 600"), (0o640, 32, "chmod 600"), (0o600, 31, "at least 32 bytes")],
)
def test_a_key_file_that_is_no_secret_is_refused(tmp_path, mode, size, said):
    path = tmp_path / "key"
    path.write_bytes(b"x" * size)
    path.chmod(mode)
    with pytest.raises(InputError, match=said):
        Key.read(path)
