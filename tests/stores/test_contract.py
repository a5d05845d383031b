"""Both stores keep to the contract that others are held to."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from art_training.stores import Store
from art_training.stores.memory import MemoryStore
from art_training.stores.sql import SqlStore
from art_training.testing.stores import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        with closing(MemoryStore()) as store:
            yield store

    @pytest.fixture
    def reopen(self, store: Store) -> Callable[[], Store]:
        return lambda: store


class TestSqlStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        with closing(SqlStore(tmp_path / "store" / "art.db")) as store:
            yield store

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Iterator[Callable[[], Store]]:
        opened: list[Store] = []

        def reopen() -> Store:
            opened.append(SqlStore(tmp_path / "store" / "art.db"))
            return opened[-1]

        yield reopen
        for store in opened:
            store.close()


class TestSqlStoreWithRemoteArtifacts(TestSqlStore):
    """Artifacts where fsspec reaches; its memory file system stands for a bucket."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        with closing(SqlStore(tmp_path / "store" / "art.db", artifacts="memory://bucket/art")) as store:
            yield store

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Iterator[Callable[[], Store]]:
        opened: list[Store] = []

        def reopen() -> Store:
            opened.append(SqlStore(tmp_path / "store" / "art.db", artifacts="memory://bucket/art"))
            return opened[-1]

        yield reopen
        for store in opened:
            store.close()
