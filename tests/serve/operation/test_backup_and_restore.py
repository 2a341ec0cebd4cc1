"""What a back-up holds, what it keeps apart, and that a restored service is the one that it was."""

import errno
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.respond.databases import fresh
from tests.serve.gateways.live import every

from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.respond.state import State
from stillwatch.serve.access.keys import KeyFile, new
from stillwatch.serve.access.roles import Role
from stillwatch.serve.backup import _into_state, _write, backup, restore
from stillwatch.serve.settings import ServeSettings
from stillwatch.serve.spool import Key
from stillwatch.serve.state import open_state
from stillwatch.store.kept import opened


@pytest.fixture
def service(tmp_path):
    """A folder with some of everything."""
    settings = ServeSettings(folder=tmp_path / "service")
    settings.folder.mkdir()
    state = State.open(settings.database)
    with state.changing("ana") as change:
        change.decide([(decision, True) for decision in every()])
        change.record("look", "campaign-1", {"passage": "p"})
    state.close()
    token, kept = new("gateway", frozenset({Role.DECIDE}))
    KeyFile(settings.keys_file).add(kept)
    Key.of_spool(settings.spool_folder, None)
    (settings.spool_folder / "segment").write_bytes(b"ciphertext")
    with opened(settings.store_folder):
        pass
    return settings, token


def keys_of(settings: ServeSettings) -> list[bytes]:
    places = (settings.store_folder / "sketch.key", settings.spool_folder / "spool.key", settings.keys_file)
    return [path.read_bytes() for path in (*places, settings.folder / "state.db.audit-key")]


def same(one: State, other: State) -> bool:
    now = datetime.now(UTC)
    return (
        list(one.standing(now)[1]) == list(other.standing(now)[1])
        and one.entries() == other.entries()
        and one.head() == other.head()
        and one.version() == other.version()
    )


def test_a_restored_service_is_the_one_that_it_was(service, tmp_path):
    settings, token = service
    backup(settings, tmp_path / "copy", tmp_path / "keys")
    again = ServeSettings(folder=tmp_path / "again")
    restore(again, tmp_path / "copy", tmp_path / "keys")
    assert same(State.open(settings.database), State.open(again.database))
    assert KeyFile(again.keys_file).ring().principal(token) is not None
    assert keys_of(settings) == keys_of(again)
    assert (again.spool_folder / "segment").read_bytes() == b"ciphertext"
    with opened(again.store_folder):
        pass


def test_the_keys_are_apart_and_only_their_owner_reads_them(service, tmp_path):
    settings, _ = service
    backup(settings, tmp_path / "copy", tmp_path / "keys")
    copied = b"".join(path.read_bytes() for path in (tmp_path / "copy").rglob("*") if path.is_file())
    for key in keys_of(settings):
        assert key not in copied
    kept = list((tmp_path / "keys").iterdir())
    assert len(kept) == 4
    assert all(path.stat().st_mode & 0o077 == 0 for path in (*kept, tmp_path / "keys"))


def test_from_sqlite_to_postgresql_and_back(service, tmp_path, postgresql):
    settings, _ = service
    backup(settings, tmp_path / "copy", tmp_path / "keys")
    there = ServeSettings(folder=tmp_path / "there", state_url=fresh(postgresql))
    restore(there, tmp_path / "copy", tmp_path / "keys")
    assert keys_of(there) == keys_of(settings)
    state = State.open(settings.database)
    with closing(open_state(there)) as other:
        assert same(state, other)
        assert (other.sealed, other.verify()[1]) == (True, None)
    backup(there, tmp_path / "copy-2", tmp_path / "keys-2")
    back = ServeSettings(folder=tmp_path / "back")
    restore(back, tmp_path / "copy-2", tmp_path / "keys-2")
    assert same(state, State.open(back.database))


def test_a_service_makes_its_key_in_its_folder_on_postgresql(tmp_path, postgresql):
    settings = ServeSettings(folder=tmp_path / "service", state_url=fresh(postgresql))
    for _ in range(2):
        with closing(open_state(settings)) as state:
            assert state.sealed
    key = settings.folder / "state.db.audit-key"
    key.write_bytes(b"x" * 32)
    with pytest.raises(InputError, match=f"{key}: the audit is sealed with another key"):
        open_state(settings)


def test_the_key_of_a_database_of_sqlite_elsewhere_is_copied(tmp_path):
    settings = ServeSettings(folder=tmp_path / "service", state_url=f"sqlite:///{tmp_path}/elsewhere.db")
    open_state(settings).close()
    backup(settings, tmp_path / "copy", tmp_path / "keys")
    assert (tmp_path / "keys" / "audit.key").read_bytes() == (tmp_path / "elsewhere.db.audit-key").read_bytes()


def decisions_only(folder):
    """A service that never saw traffic: no store, no spool, no access keys."""
    settings = ServeSettings(folder=folder)
    open_state(settings).close()
    return settings


def test_a_service_that_took_nothing_in_is_brought_back(tmp_path):
    settings = decisions_only(tmp_path / "service")
    backup(settings, tmp_path / "copy", tmp_path / "keys")
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["audit.key"]
    again = ServeSettings(folder=tmp_path / "again")
    restore(again, tmp_path / "copy", tmp_path / "keys")
    assert same(open_state(settings), open_state(again))
    with opened(again.store_folder):
        Key.of_spool(again.spool_folder, None)


def test_keys_that_settings_name_are_copied_and_brought_back(tmp_path):
    """Where a key lies outside the folder, it may outlive it, and lie there already."""
    sketch, spool = tmp_path / "sketch", tmp_path / "spool-key"
    for path in (sketch, spool):
        path.write_bytes(path.name.encode() * 32)
        path.chmod(0o600)
    settings = ServeSettings(folder=tmp_path / "service", spool_key_file=spool)
    open_state(settings).close()
    with opened(settings.store_folder, sketch):
        pass
    backup(settings, tmp_path / "copy", tmp_path / "keys", sketch)
    kept = (tmp_path / "keys" / "sketch.key").read_bytes()
    assert kept == sketch.read_bytes()
    again = ServeSettings(folder=tmp_path / "again", spool_key_file=spool)
    sketch.unlink()
    restore(again, tmp_path / "copy", tmp_path / "keys", sketch)
    assert sketch.read_bytes() == kept
    with opened(again.store_folder, sketch):
        pass
    spool.write_bytes(b"another" * 8)
    with pytest.raises(InputError, match=f"{spool}: another key than the backup's"):
        restore(
            ServeSettings(folder=tmp_path / "third", spool_key_file=spool), tmp_path / "copy", tmp_path / "keys", sketch
        )


def test_an_audit_without_seals_is_brought_back_without(tmp_path, postgresql):
    place = fresh(postgresql)
    State.open(place).close()  # as the command line makes it, where no key is named
    backup(ServeSettings(folder=tmp_path / "service", state_url=place), tmp_path / "copy", tmp_path / "keys")
    again = ServeSettings(folder=tmp_path / "again")
    restore(again, tmp_path / "copy", tmp_path / "keys")
    with closing(open_state(again)) as state:
        assert not state.sealed


def test_what_fails_midway_can_be_tried_again(service, tmp_path, monkeypatch):
    settings, _ = service
    backup(settings, tmp_path / "copy", tmp_path / "keys")
    again = ServeSettings(folder=tmp_path / "again")
    for name, sound in (("_write", _write), ("_into_state", _into_state)):
        monkeypatch.setattr(f"stillwatch.serve.backup.{name}", full)
        with pytest.raises(EnvironmentFailure, match="No space left"):
            restore(again, tmp_path / "copy", tmp_path / "keys")
        monkeypatch.setattr(f"stillwatch.serve.backup.{name}", sound)
        assert {path.name.split("-")[0] for path in again.folder.iterdir()} <= {"state.db"}
    audit = tmp_path / "copy" / "state" / "audit.jsonl"
    whole = audit.read_text()
    audit.write_text(whole.replace("ana", "eve"))
    with pytest.raises(InputError, match="the audit record is not whole"):
        restore(again, tmp_path / "copy", tmp_path / "keys")
    audit.write_text(whole)
    restore(again, tmp_path / "copy", tmp_path / "keys")
    assert same(State.open(settings.database), State.open(again.database))


def test_a_copy_that_fails_can_be_tried_again(service, tmp_path, monkeypatch):
    settings, _ = service
    with monkeypatch.context() as broken, pytest.raises(EnvironmentFailure, match="No space left"):
        broken.setattr("stillwatch.serve.backup._write", full)
        backup(settings, tmp_path / "copy", tmp_path / "keys")
    backup(settings, tmp_path / "copy", tmp_path / "keys")
    restore(ServeSettings(folder=tmp_path / "again"), tmp_path / "copy", tmp_path / "keys")


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device", "a file")


def test_a_changed_copy_is_seen(service, tmp_path):
    settings, _ = service
    backup(settings, tmp_path / "copy", tmp_path / "keys")
    audit = tmp_path / "copy" / "state" / "audit.jsonl"
    audit.write_text(audit.read_text().replace("ana", "eve"))
    with pytest.raises(InputError, match="the audit record is not whole"):
        restore(ServeSettings(folder=tmp_path / "again"), tmp_path / "copy", tmp_path / "keys")


def test_nothing_is_overwritten_and_nothing_half_done_is_taken(service, tmp_path):
    settings, _ = service
    backup(settings, tmp_path / "copy", tmp_path / "keys")
    with pytest.raises(InputError, match="is there already"):
        backup(settings, tmp_path / "copy", tmp_path / "more-keys")
    with pytest.raises(InputError, match="kept apart"):
        backup(settings, tmp_path / "other", tmp_path / "other" / "keys")
    with pytest.raises(InputError, match="is there already"):
        restore(settings, tmp_path / "copy", tmp_path / "keys")
    with pytest.raises(InputError, match=r"no access\.json in it"):
        restore(ServeSettings(folder=tmp_path / "again"), tmp_path / "copy", tmp_path / "copy")
    with pytest.raises(InputError, match="no backup"):
        restore(ServeSettings(folder=tmp_path / "again"), Path(tmp_path), tmp_path / "keys")
