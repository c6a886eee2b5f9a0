"""What `agentic_dsl.runtime.mask_store` keeps, refuses and removes."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest

from agentic_dsl.errors import CacheError
from agentic_dsl.runtime import mask_store
from agentic_dsl.runtime.mask_store import MaskKey, MaskStore

PAYLOAD = b'{"masks":[1,2,3]}' * 100


def key(grammar: str = 'root ::= "a"\n') -> MaskKey:
    return MaskKey.of(grammar, tokenizer="t", backend="xgrammar", backend_version="1", serialization="5")


@pytest.fixture
def store(tmp_path: Path) -> MaskStore:
    return MaskStore(tmp_path / "masks")


def put(store: MaskStore, grammar: str = 'root ::= "a"\n', payload: bytes = PAYLOAD) -> Path:
    path = store.put(key(grammar), payload)
    assert path is not None
    return path


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


# Keys


def test_every_input_changes_the_key() -> None:
    base = key()
    changed = [replace(base, **{field.name: "other"}) for field in fields(MaskKey)]
    digests = {entry.digest for entry in (base, *changed, key("root ::= [a]\n"))}
    assert len(digests) == len(changed) + 2
    assert key().digest == base.digest


def test_the_format_of_the_files_is_part_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key().digest
    monkeypatch.setattr(mask_store, "FORMAT", 2)
    assert key().digest != before


# Reading and writing


def test_what_was_put_is_got(store: MaskStore) -> None:
    assert store.get(key()) is None
    path = put(store)
    assert path == store.path_of(key())
    assert store.get(key()) == PAYLOAD


def test_an_empty_payload_is_an_entry(store: MaskStore) -> None:
    put(store, payload=b"")
    assert store.get(key()) == b""


def test_putting_again_replaces_the_entry(store: MaskStore) -> None:
    put(store)
    put(store, payload=b"new")
    assert store.get(key()) == b"new"
    assert len(store.ls()) == 1


def test_nothing_is_created_by_looking(store: MaskStore) -> None:
    assert store.get(key()) is None
    assert store.ls() == store.verify() == []
    assert store.gc().removed == ()
    assert not store.folder.exists()


def test_the_default_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGENTIC_DSL_CACHE_DIR", str(tmp_path / "elsewhere"))
    assert MaskStore().folder == tmp_path / "elsewhere" / "masks"


def test_a_failed_write_leaves_the_old_entry_and_no_temporary_file(
    store: MaskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store)

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CacheError, match="No space left on device"):
        store.put(key(), b"new")
    monkeypatch.undo()
    assert store.get(key()) == PAYLOAD
    assert [path.suffix for path in store.folder.iterdir()] == [".mask"]


def test_a_folder_that_cannot_be_made_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = MaskStore(tmp_path / "file")
    with pytest.raises(CacheError) as caught:
        store.put(key(), PAYLOAD)
    assert "AGENTIC_DSL_CACHE_DIR" in (caught.value.help or "")
    with pytest.raises(CacheError):
        store.ls()
    assert store.get(key()) is None


# Damage


def _truncate(content: bytes) -> bytes:
    return content[:-1]


def _cut_in_the_prefix(content: bytes) -> bytes:
    return content[:20]


def _empty(_: bytes) -> bytes:
    return b""


def _append(content: bytes) -> bytes:
    return content + b"x"


def _flip_the_payload(content: bytes) -> bytes:
    return content[:-5] + bytes([content[-5] ^ 1]) + content[-4:]


def _flip_the_head(content: bytes) -> bytes:
    return content.replace(b'"backend"', b'"backenD"')


def _wrong_magic(content: bytes) -> bytes:
    return b"PK\x03\x04\0\0\0\0" + content[8:]


def _other_format(content: bytes) -> bytes:
    return content[:8] + b"\x63" + content[9:]


def _huge_head(content: bytes) -> bytes:
    return content[:12] + b"\xff\xff\xff\xff" + content[16:]


DAMAGES = [
    _truncate,
    _cut_in_the_prefix,
    _empty,
    _append,
    _flip_the_payload,
    _flip_the_head,
    _wrong_magic,
    _other_format,
    _huge_head,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
def test_a_damaged_file_is_a_miss_a_log_line_and_gone(
    store: MaskStore,
    damage: Callable[[bytes], bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = put(store)
    path.write_bytes(damage(path.read_bytes()))
    assert [entry.path for entry in store.verify()] == [path]
    with caplog.at_level(logging.WARNING):
        assert store.get(key()) is None
    assert "is not usable" in caplog.text
    assert not path.exists()
    put(store)
    assert store.get(key()) == PAYLOAD


def test_every_single_flipped_bit_is_noticed(store: MaskStore) -> None:
    path = put(store, payload=b"abc")
    content = path.read_bytes()
    for position in range(len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x10]) + content[position + 1 :])
        assert store.get(key()) is None, position


def test_an_entry_under_the_name_of_another_is_a_miss(store: MaskStore) -> None:
    put(store, "one").rename(store.path_of(key("two")))
    assert [entry.reason for entry in store.verify()] == ["it belongs to another key"]
    assert store.get(key("two")) is None


def test_verify_finds_the_damaged_and_removes_them_on_request(store: MaskStore) -> None:
    good, bad = put(store, "good"), put(store, "bad")
    bad.write_bytes(_flip_the_payload(bad.read_bytes()))
    assert [entry.path for entry in store.verify()] == [bad]
    assert bad.exists()
    assert [entry.reason for entry in store.verify(remove=True)] == ["its digest differs"]
    assert not bad.exists()
    assert good.exists()
    assert store.verify() == []


# Listing and bounds


def test_ls_names_what_an_entry_was_made_of_the_last_used_first(store: MaskStore) -> None:
    before = time.time()
    old, new = put(store, "old"), put(store, "new")
    age(old, 100)
    entries = store.ls()
    assert [entry.path for entry in entries] == [new, old]
    assert entries[0].key == key("new")
    assert entries[0].nbytes == new.stat().st_size
    assert before - 1 <= entries[1].created <= time.time() + 1
    assert entries[1].used == pytest.approx(before - 100, abs=5)


def test_ls_leaves_out_what_is_not_an_entry(store: MaskStore) -> None:
    put(store)
    (store.folder / "notes.txt").write_text("mine")
    (store.folder / "broken.mask").write_bytes(b"x")
    assert len(store.ls()) == 1


def test_getting_an_entry_saves_it_from_the_collection(store: MaskStore) -> None:
    paths = [put(store, name) for name in ("first", "second", "third")]
    for path, seconds in zip(paths, (300, 200, 100), strict=True):
        age(path, seconds)
    store.get(key("first"))
    sizes = [path.stat().st_size for path in paths]
    collected = store.gc(sizes[0] + sizes[2])
    assert collected.removed == (paths[1],)
    assert (collected.bytes_before, collected.bytes_after) == (sum(sizes), sizes[0] + sizes[2])
    assert [path.exists() for path in paths] == [True, False, True]


def test_the_store_stays_within_its_bound_as_it_is_written(tmp_path: Path) -> None:
    store = MaskStore(tmp_path, max_bytes=5000)
    for n in range(12):
        age(put(store, str(n), bytes(1000)), 100 - n)
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 5000
    assert store.get(key("11")) is not None
    assert store.get(key("0")) is None


def test_an_entry_larger_than_the_store_is_not_written(tmp_path: Path) -> None:
    store = MaskStore(tmp_path, max_bytes=1000)
    assert store.put(key(), bytes(1000)) is None
    assert list(tmp_path.iterdir()) == []


def test_collecting_down_to_nothing_empties_the_store_and_leaves_other_files(store: MaskStore) -> None:
    put(store, "a")
    put(store, "b")
    (store.folder / "notes.txt").write_text("mine")
    assert len(store.gc(0).removed) == 2
    assert [path.name for path in store.folder.iterdir()] == ["notes.txt"]


def test_what_killed_writers_left_is_collected_once_it_is_old(store: MaskStore) -> None:
    put(store)
    young, old = store.folder / "young.tmp", store.folder / "old.tmp"
    for path in (young, old):
        path.write_bytes(b"half")
    age(old, 7200)
    store.gc()
    assert young.exists()
    assert not old.exists()


# Processes

_WORKER = """
import sys
from pathlib import Path
from agentic_dsl.runtime.mask_store import MaskKey, MaskStore

store = MaskStore(Path(sys.argv[1]))
key = MaskKey.of("shared", tokenizer="t", backend="x", backend_version="1", serialization="5")
payload = bytes(range(256)) * 4000
for _ in range(60):
    store.put(key, payload)
    assert store.get(key) == payload
"""


def test_two_processes_write_and_read_one_key_at_once(store: MaskStore) -> None:
    command = [sys.executable, "-c", _WORKER, str(store.folder)]
    workers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [worker.communicate(timeout=120)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], errors
    assert errors == ["", ""]  # no damaged entry was seen, so nothing was logged
    assert store.verify() == []
    assert [path.suffix for path in store.folder.iterdir()] == [".mask"]
