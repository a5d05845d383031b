import asyncio
from contextlib import closing

import pytest
from playwright.sync_api import expect

from art_training.dashboard.source import Source
from art_training.errors import StoreCorrupt
from art_training.stores import RunQuery
from art_training.stores.sql import SqlStore
from art_training.testing.history import keep_run, verdict


def steps(source):
    """The steps of the runs that the source knows; None where it has no store."""
    return asyncio.run(source.ask(lambda store: [run.step for run in store.runs(RunQuery())]))


def remove(path):
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "art.db"


@pytest.fixture
def source(path):
    source = Source(lambda: SqlStore(path, read_only=True) if path.exists() else None, str(path), path)
    yield source
    source.close()


def keep(path, step):
    with closing(SqlStore(path)) as store:
        keep_run(store, step, verdicts=[verdict("good")])


def test_a_store_that_is_deleted_and_one_that_comes_in_its_place_are_noticed(source, path):
    assert steps(source) is None
    keep(path, "A")
    assert steps(source) == ["A"]
    before = asyncio.run(source.ask(lambda store: store.revision()))
    remove(path)
    assert steps(source) is None
    keep(path, "B")
    assert steps(source) == ["B"]
    assert asyncio.run(source.ask(lambda store: store.revision())) != before


def test_a_store_that_another_takes_the_place_of_is_read_no_more(source, path):
    keep(path, "A")
    keep(path.with_name("other.db"), "B")
    assert steps(source) == ["A"]
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    path.with_name("other.db").replace(path)
    assert steps(source) == ["B"]


def test_a_store_that_is_overwritten_is_refused_until_it_is_one_again(source, path):
    keep(path, "A")
    assert steps(source) == ["A"]
    path.write_bytes(b"this is no database" * 1000)
    for _ in range(2):
        with pytest.raises(StoreCorrupt, match=r"art\.db"):
            steps(source)
    remove(path)
    keep(path, "B")
    assert steps(source) == ["B"]


def test_it_is_replaced_while_others_read(source, path):
    keep(path, "A")

    async def many():
        asked = [source.ask(lambda store: len(store.runs(RunQuery()))) for _ in range(40)]
        keep(path.with_name("other.db"), "B")
        path.with_name("other.db").replace(path)
        return await asyncio.gather(*asked, *(source.ask(lambda store: len(store.runs(RunQuery()))) for _ in range(40)))

    assert set(asyncio.run(many())) == {1}


@pytest.mark.slow  # starts a process and looks at it with a browser
@pytest.mark.parametrize(
    "address", ["project?name=toy", "tune?name=toy", "data?name=toy", "findings?name=toy", "step?name=toy"]
)
def test_a_page_shows_nothing_of_a_store_that_is_gone(serve, page, path, address):
    keep(path, "Tune")
    page.goto(f"{serve()}/{address}")
    content = page.locator("#content")
    shown = content.locator("> :not(h1, .crumbs, .notice)").filter(visible=True, has_text="")
    expect(page.locator(".notice")).to_be_hidden()
    expect(shown.first).to_be_visible()
    remove(path)
    expect(page.locator(".notice")).to_contain_text("There is no store at")
    expect(shown).to_have_count(0)
    keep(path, "ExploreData")
    expect(page.locator(".notice")).to_be_hidden()
    expect(shown.first).to_be_visible()
    for ending in ("-wal", "-shm"):  # SQLite would go on to read what is still in them
        path.with_name(path.name + ending).unlink(missing_ok=True)
    path.write_bytes(b"this is no database" * 1000)
    expect(page.locator(".notice")).to_contain_text("This cannot be shown:")
    expect(shown).to_have_count(0)
    expect(content).not_to_contain_text("passed", use_inner_text=True)
