"""Files that runs left."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from art_training.errors import StoreError
from art_training.records import Artifact
from art_training.stores import Store
from art_training.stores.sql import SqlStore
from art_training.testing.history import keep_run
from art_training.views.artifacts import artifact_of, artifacts_of


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(SqlStore(tmp_path / "store" / "art.db")) as store:
        yield store


@pytest.fixture
def table(store: Store, tmp_path: Path) -> Artifact:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    return store.artifacts.put(tmp_path / "t.csv", name="t.csv", kind="table", note="all")


def test_a_file_is_listed_and_opened_by_its_digest(store: Store, table: Artifact) -> None:
    run = keep_run(store, "Overfit", artifacts=[table]).id
    (row,) = artifacts_of(store, run)
    assert (row.name, row.kind, row.digest, row.bytes, row.note) == ("t.csv", "table", table.digest, 8, "all")
    assert (row.kept, row.shown, row.media_type) == (True, "table", "text/csv")
    found, path = artifact_of(store, run, table.digest)
    assert (found, path.read_text()) == (row, "a,b\n1,2\n")


def test_a_file_is_opened_only_through_a_run_that_names_it(store: Store, table: Artifact) -> None:
    keep_run(store, "Overfit", artifacts=[table])
    other = keep_run(store, "Explore", minute=1).id
    for run in (other, "run-none", ""):
        with pytest.raises(StoreError, match="left no file with the digest"):
            artifact_of(store, run, table.digest)


@pytest.mark.parametrize("digest", ["../../art.db", "/etc/passwd", "..", "", "a" * 64, "%2e%2e/art.db"])
def test_a_path_is_no_digest_though_an_outcome_names_it(store: Store, digest: str) -> None:
    run = keep_run(store, "Overfit", artifacts=[Artifact("x.csv", "table", digest, 1)]).id
    (row,) = artifacts_of(store, run)
    assert not row.kept
    with pytest.raises(StoreError, match=r"left no file with the digest|is not kept any more"):
        artifact_of(store, run, digest)


def test_a_freed_file_is_listed_as_gone(store: Store, table: Artifact) -> None:
    run = keep_run(store, "Overfit", artifacts=[table]).id
    store.artifacts.delete(table.digest)
    assert [row.kept for row in artifacts_of(store, run)] == [False]
    with pytest.raises(StoreError, match=r"t\.csv of run .+ is not kept any more"):
        artifact_of(store, run, table.digest)


def test_what_a_browser_might_run_is_for_download_alone(store: Store) -> None:
    names = ["a.PNG", "b.svg", "c.html", "d.csv", "e.ckpt", "f", "g.txt", "h.js", "i.png.html"]
    run = keep_run(store, "Overfit", artifacts=[Artifact(name, "other", "ab" * 32, 1) for name in names]).id
    assert [row.shown for row in artifacts_of(store, run)] == [
        "picture",
        "download",
        "download",
        "table",
        "download",
        "download",
        "text",
        "download",
        "download",
    ]
    types = {row.media_type for row in artifacts_of(store, run)}
    assert types == {"image/png", "application/octet-stream", "text/csv", "text/plain"}
