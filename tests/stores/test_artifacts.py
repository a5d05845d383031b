"""Files kept by their digest: whole, unchanged, and never freed under a writer's hands."""

import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from art_training.errors import StoreError
from art_training.stores.artifacts import FolderArtifacts
from art_training.stores.memory import MemoryStore
from art_training.stores.remote import RemoteArtifacts


@pytest.fixture
def folder(tmp_path: Path) -> FolderArtifacts:
    return FolderArtifacts(tmp_path / "artifacts")


@pytest.fixture
def remote(tmp_path: Path) -> RemoteArtifacts:
    return RemoteArtifacts(f"memory://{tmp_path.name}", tmp_path / "cache")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "last.ckpt"
    path.write_bytes(os.urandom(3_000_000))
    return path


def test_the_digest_is_the_sha_256_of_the_bytes(folder: FolderArtifacts, file: Path) -> None:
    assert folder.put(file, name="x").digest == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_changed_file_is_not_handed_out(folder: FolderArtifacts, file: Path) -> None:
    digest = folder.put(file, name="x").digest
    place = folder.fetch(digest)
    place.chmod(0o644)
    place.write_bytes(b"malice")
    with pytest.raises(StoreError, match=r"was changed: its bytes have the digest .*remove the file and run the step"):
        folder.fetch(digest)
    assert folder.put(file, name="x").digest == digest  # Another length: it is replaced.
    assert folder.fetch(digest).read_bytes() == file.read_bytes()


def test_a_file_that_is_kept_already_is_not_written_again(folder: FolderArtifacts, file: Path) -> None:
    place = folder.fetch(folder.put(file, name="x").digest)
    before = place.stat()
    os.utime(place, (0, 0))
    folder.put(file, name="y")
    assert place.stat().st_ino == before.st_ino
    assert place.stat().st_mtime >= before.st_mtime - 1  # Its age began anew.


def test_a_copy_that_fails_leaves_nothing(folder: FolderArtifacts, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="Is a directory"):
        folder.put(tmp_path, name="x")
    assert folder.kept() == {}
    assert [path for path in folder.folder.rglob("*") if path.is_file() and path.name != ".lock"] == []


def test_what_a_killed_copy_left_is_not_an_artifact(folder: FolderArtifacts, file: Path) -> None:
    folder.put(file, name="x")
    half = folder.folder / "incoming" / "tmpabc"
    half.write_bytes(b"half")
    assert len(folder.kept()) == 1
    assert folder.tidy(_an_hour_ago()) == 0  # It may still be on its way.
    os.utime(half, (0, 0))
    assert folder.tidy(_an_hour_ago(), dry=True) == 4
    assert half.exists()
    assert folder.tidy(_an_hour_ago()) == 4
    assert not half.exists()


def test_what_a_killed_upload_left_is_not_an_artifact(remote: RemoteArtifacts, file: Path) -> None:
    remote.put(file, name="x")
    remote._fs.pipe_file(f"{remote._root}/ab/{'ab' * 32}.1-2.part", b"half")
    assert len(remote.kept()) == 1
    assert remote.tidy(_an_hour_ago()) == 0
    assert remote.tidy(datetime.now(UTC) + timedelta(seconds=1)) == 4
    assert len(remote._fs.find(remote._root)) == 1


def test_many_threads_may_put_and_free_the_same_file(folder: FolderArtifacts, file: Path) -> None:
    def put_and_fetch(_: int) -> int:
        return len(folder.fetch(folder.put(file, name="x").digest).read_bytes())

    with ThreadPoolExecutor(8) as pool:
        freeing = pool.submit(lambda: [folder.delete(d, unused_since=_an_hour_ago()) for d in list(folder.kept()) * 20])
        assert set(pool.map(put_and_fetch, range(24))) == {3_000_000}
        assert not any(freeing.result())


def _an_hour_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


def test_remote_files_are_fetched_once_and_checked(remote: RemoteArtifacts, file: Path) -> None:
    digest = remote.put(file, name="x").digest
    local = remote.fetch(digest)
    assert local.read_bytes() == file.read_bytes()
    local.chmod(0o644)
    local.write_bytes(b"damaged in the cache")
    assert remote.fetch(digest).read_bytes() == file.read_bytes()
    remote._fs.pipe_file(remote._place(digest), b"damaged at home")
    assert remote.fetch(digest).read_bytes() == file.read_bytes()
    remote.cache.delete(digest)
    with pytest.raises(StoreError, match="was changed"):
        remote.fetch(digest)


def test_an_upload_leaves_no_halves(remote: RemoteArtifacts, file: Path) -> None:
    digest = remote.put(file, name="x").digest
    remote.put(file, name="y")
    assert [place.rpartition("/")[2] for place in remote._fs.find(remote._root)] == [digest]


def test_a_url_that_nothing_installed_can_reach_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"artifacts cannot be kept at 'nowhere://x'"):
        RemoteArtifacts("nowhere://x", tmp_path)


def test_the_files_of_a_store_in_memory_go_with_it(file: Path) -> None:
    store = MemoryStore()
    place = store.artifacts.fetch(store.artifacts.put(file, name="x").digest)
    del store
    assert not place.exists()


def test_importing_artifacts_imports_no_remote_file_systems() -> None:
    import subprocess

    code = "import sys, art_training.stores.remote; assert 'fsspec' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
