import json
import logging
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import lightning as L
import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    StackDataset,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    random_split,
)

import art_training as art
from art_training.records import Fingerprint
from art_training.setup.identity import storage
from art_training.setup.identity.data_digest import DataDigest, digest_data
from art_training.setup.identity.files import tree_of


class Memory:
    """What a store remembers; it goes through JSON as it would there."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def memo(self, key: str) -> Any:
        return json.loads(self.kept[key]) if key in self.kept else None

    def remember(self, key: str, value: Any) -> None:
        self.kept[key] = json.dumps(value)


@pytest.fixture
def digest() -> Callable[..., DataDigest]:
    memory = Memory()

    def digested(data: Any, *, version: str | None = None, seed: int = 1, forget: bool = False) -> DataDigest:
        if forget:
            memory.kept.clear()
        return digest_data(data, version=version, seed=seed, memo=memory.memo, remember=memory.remember)

    return digested


def told(before: DataDigest, after: DataDigest) -> list[str]:
    return [str(change) for change in Fingerprint(after.components).changes(Fingerprint(before.components))]


class Augmented(Dataset[Any]):
    """A dataset that must never be asked for an item."""

    def __init__(self, inner: Any, strength: float = 0.5) -> None:
        self.inner = inner
        self.strength = strength

    def __len__(self) -> int:
        return len(self.inner)

    def __getitem__(self, index: int) -> Any:
        raise AssertionError("an item was asked for")


LOG = logging.getLogger("set up")  # says how often; a counter of the class would be part of what the class is


@pytest.fixture
def times(caplog: pytest.LogCaptureFixture) -> Callable[[], int]:
    """How often data was set up in this test."""
    caplog.set_level(logging.INFO, "set up")
    return lambda: sum(record.name == "set up" for record in caplog.records)


class Numbers(L.LightningDataModule):
    def __init__(self, values: Any = None, batch_size: int = 8, strength: float = 0.5) -> None:
        super().__init__()
        self.numbers = torch.arange(32.0) if values is None else values
        self.batch_size = batch_size
        self.strength = strength

    def setup(self, stage: str) -> None:
        LOG.info("once more")
        whole = TensorDataset(self.numbers, self.numbers * 2)
        self.train, self.validation = random_split(whole, [24, 8])

    def train_dataloader(self) -> Any:
        return DataLoader(Augmented(self.train, self.strength), self.batch_size, shuffle=True)

    def val_dataloader(self) -> Any:
        return DataLoader(self.validation, self.batch_size)


def test_the_same_data_has_the_same_digest_and_items_are_never_asked_for(digest: Callable[..., DataDigest]) -> None:
    one = digest(Numbers)
    assert one.unknown == ()
    assert len(one.value) == 64
    assert digest(Numbers, forget=True) == one


def test_a_digest_is_recalled_without_setting_the_data_up(
    digest: Callable[..., DataDigest], times: Callable[[], int]
) -> None:
    one = digest(Numbers)
    assert digest(Numbers) == one
    assert times() == 1


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (lambda: Numbers(batch_size=4), "data.batch_size: 8 -> 4"),
        (lambda: Numbers(strength=0.9), "data.strength: 0.5 -> 0.9"),
        (lambda: Numbers(torch.arange(32.0) + 1), "data digest changed"),
        (lambda: Numbers(torch.arange(33.0)[:32].double()), "data digest changed"),
    ],
)
def test_what_changed_is_told(digest: Callable[..., DataDigest], data: Any, sentence: str) -> None:
    assert sentence in told(digest(Numbers()), digest(data()))


def test_speed_is_not_part_of_the_data(digest: Callable[..., DataDigest]) -> None:
    class Loads(Numbers):
        num_workers = 0

        def train_dataloader(self) -> Any:
            return DataLoader(self.train, 4, num_workers=self.num_workers)

    slow, quick = Loads(), Loads()
    quick.num_workers = 2
    assert digest(slow) == digest(quick)


def test_an_instance_stays_as_it_was(digest: Callable[..., DataDigest]) -> None:
    module = Numbers()
    before, buffer = dict(vars(module)), module.numbers
    digest(module)
    assert vars(module) == before
    assert module.numbers is buffer
    assert not hasattr(module, "train")


def test_an_instance_that_was_set_up_by_hand_is_the_same_data(digest: Callable[..., DataDigest]) -> None:
    module = Numbers()
    before = digest(module)
    random_states = torch.get_rng_state()
    module.setup("fit")
    torch.set_rng_state(random_states)
    after = digest(module, forget=True)
    assert told(before, after) == []


def test_random_states_and_the_working_directory_are_left_alone(
    digest: Callable[..., DataDigest], tmp_path: Path
) -> None:
    class Disturbs(Numbers):
        def setup(self, stage: str) -> None:
            random.random()
            np.random.rand()
            torch.rand(3)
            os.chdir(tmp_path.parent)
            super().setup(stage)

    states = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist(), Path.cwd())
    digest(Disturbs)
    assert states == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist(), Path.cwd())


def test_the_environment_is_left_alone(digest: Callable[..., DataDigest]) -> None:
    class Seeds(Numbers):
        def setup(self, stage: str) -> None:
            L.seed_everything(3, verbose=False)
            super().setup(stage)

    digest(Seeds)
    assert "PL_GLOBAL_SEED" not in os.environ


def test_what_is_drawn_at_random_while_setting_up_is_the_same_each_time(digest: Callable[..., DataDigest]) -> None:
    class Drawn(Numbers):
        def setup(self, stage: str) -> None:
            self.numbers = torch.rand(32) + float(np.random.rand()) + random.random()
            super().setup(stage)

    one = digest(Drawn)
    torch.rand(5)
    assert digest(Drawn, forget=True) == one
    assert digest(Drawn, seed=2) != one


STORAGES: list[Callable[[int], Any]] = [
    lambda n: TensorDataset(torch.full((4,), n)),
    lambda n: Subset(TensorDataset(torch.arange(9)), [n, 1]),
    lambda n: ConcatDataset([TensorDataset(torch.arange(3)), TensorDataset(torch.arange(n))]),
    lambda n: StackDataset(TensorDataset(torch.arange(3)), TensorDataset(torch.full((3,), n))),
    lambda n: [(n, 1), (2, 3)],
    lambda n: [np.full(3, n)],
    lambda n: (np.zeros((3, 2)), np.full(3, n)),
    lambda n: {"x": torch.zeros(3), "y": torch.full((3,), n)},
    lambda n: Augmented(pd.DataFrame({"a": [n, 2]})),
    lambda n: Augmented([1, 2], strength=n),
    lambda n: Augmented({"rows": [{"text": str(n)}]}),
    lambda n: DataLoader(TensorDataset(torch.arange(8)), sampler=WeightedRandomSampler([1.0, n], 8)),
    lambda n: DataLoader(TensorDataset(torch.full((4,), n))),
]


@pytest.mark.parametrize("storage", STORAGES)
def test_every_storage_is_compared_by_what_it_holds(digest: Callable[..., DataDigest], storage: Any) -> None:
    one, same, other = (digest(art.data(train=storage(n))) for n in (5, 5, 6))
    assert one.unknown == ()
    assert one == same
    assert one.value != other.value


def test_settings_of_declared_data_are_told_by_name(digest: Callable[..., DataDigest]) -> None:
    arrays = (np.zeros((8, 2)), np.zeros(8))
    assert told(digest(art.data(arrays)), digest(art.data(arrays, batch_size=4))) == ["data.batch_size: 32 -> 4"]


def test_a_dataset_may_say_what_it_is(digest: Callable[..., DataDigest]) -> None:
    class Says(Augmented):
        def __init__(self, name: str) -> None:
            super().__init__([1, 2])
            self.name, self.noise = name, object()

        def fingerprint(self) -> str:
            return self.name

    assert digest(art.data(Says("a"))) == digest(art.data(Says("a")))
    assert digest(art.data(Says("a"))).value != digest(art.data(Says("b"))).value


def test_a_version_stands_in_for_the_digest(digest: Callable[..., DataDigest]) -> None:
    class Breaks(Numbers):
        def setup(self, stage: str) -> None:
            raise AssertionError("set up")

    one, other = digest(Breaks, version="2026-01"), digest(Breaks, version="2026-02")
    assert one.value == "2026-01"
    assert told(one, other) == ["data version: '2026-01' -> '2026-02'"]


def test_settings_count_beside_a_version_and_nothing_is_read(digest: Callable[..., DataDigest]) -> None:
    class Unread(Numbers):
        def __reduce__(self) -> Any:
            raise AssertionError("read")

    one, other = (digest(Unread(batch_size=size), version="1") for size in (8, 4))
    assert told(one, other) == ["data.batch_size: 8 -> 4"]
    arrays = (np.zeros((8, 2)), np.zeros(8))
    one, other = (digest(art.data(arrays, batch_size=size), version="1") for size in (8, 4))
    assert told(one, other) == ["data.batch_size: 8 -> 4"]
    augmented = digest(art.data(DataLoader(Augmented([1]))), version="1")
    assert "data: Augmented.__getitem__" in augmented.components


def test_data_that_cannot_be_set_up_is_unknown_and_says_why(digest: Callable[..., DataDigest]) -> None:
    class Breaks(Numbers):
        def setup(self, stage: str) -> None:
            raise FileNotFoundError("no such file: digits.csv")

    found = digest(Breaks)
    assert found.value == "unknown"
    assert found.unknown == ("the data cannot be set up: FileNotFoundError: no such file: digits.csv",)


def test_the_test_split_is_part_of_the_data(digest: Callable[..., DataDigest]) -> None:
    class Tests(Numbers):
        held_out = 1.0

        def setup(self, stage: str) -> None:
            if stage == "test":
                self.test = TensorDataset(torch.full((3,), self.held_out))
            else:
                super().setup(stage)

        def test_dataloader(self) -> Any:
            return DataLoader(self.test)

    class Others(Tests):
        held_out = 2.0

    assert digest(Tests).value != digest(Others).value


def test_loaders_in_lists_and_dictionaries_are_read(digest: Callable[..., DataDigest]) -> None:
    class Several(Numbers):
        number = 1.0

        def val_dataloader(self) -> Any:
            return [DataLoader(self.validation), {"noisy": DataLoader(TensorDataset(torch.full((2,), self.number)))}]

    class Other(Several):
        number = 2.0

    found = digest(Several)
    assert found.components["data.val_dataloader[1].noisy.batch_size"] == 1
    assert found.value != digest(Other).value


# Files.


def csv_module(folder: Path) -> type[Numbers]:
    class FromFile(Numbers):
        def setup(self, stage: str) -> None:
            self.numbers = torch.tensor([float(line) for line in (folder / "numbers.csv").read_text().split()])
            super().setup(stage)

    return FromFile


def write(folder: Path, value: float) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "numbers.csv").write_text("\n".join(str(value + n) for n in range(32)))


def test_a_file_that_was_read_and_changed_is_read_again(
    digest: Callable[..., DataDigest], times: Callable[[], int], tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    write(folder, 1)
    module = csv_module(folder)
    one = digest(module)
    assert digest(module) == one
    assert times() == 1
    write(folder, 2)
    assert digest(module).value != one.value
    assert times() == 2


def test_a_file_that_was_only_touched_is_the_same_data(
    digest: Callable[..., DataDigest], times: Callable[[], int], tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    write(folder, 1)
    module = csv_module(folder)
    one = digest(module)
    os.utime(folder / "numbers.csv", ns=(1, 1))
    assert digest(module) == one
    assert times() == 2


class Images(Dataset[Any]):
    """Opens its files one by one, later."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names = sorted(path.name for path in Path(root).iterdir())

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Any:
        raise AssertionError("an item was asked for")


def test_files_that_a_dataset_will_open_later_are_read_through_its_attributes(
    digest: Callable[..., DataDigest], tmp_path: Path
) -> None:
    for place, text in (("one", "a"), ("same", "a"), ("other", "b")):
        (tmp_path / place / "cats").mkdir(parents=True)
        (tmp_path / place / "cats" / "1.png").write_text(text)
    one, same, other = (digest(art.data(Images(tmp_path / place))) for place in ("one", "same", "other"))
    assert one == same
    assert one.value != other.value


def test_files_are_read_once_as_long_as_they_stay(
    digest: Callable[..., DataDigest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "images"
    root.mkdir()
    (root / "1.png").write_text("a")
    one = digest(art.data(Images(root)))
    read: list[Path] = []
    monkeypatch.setattr(storage, "tree_of", lambda path: read.append(path) or tree_of(path))
    assert digest(art.data(Images(root))) == one
    assert not read
    (root / "1.png").write_text("b")
    assert digest(art.data(Images(root))).value != one.value
    assert read == [root]


def test_a_file_added_to_a_folder_of_data_is_seen(
    digest: Callable[..., DataDigest], times: Callable[[], int], tmp_path: Path
) -> None:
    root = tmp_path / "images"
    root.mkdir()
    (root / "1.png").write_text("a")

    class Module(Numbers):
        def setup(self, stage: str) -> None:
            LOG.info("once more")
            self.train = self.validation = Images(root)

    one = digest(Module)
    assert digest(Module) == one
    assert times() == 1
    (root / "2.png").write_text("b")
    assert digest(Module).value != one.value


@pytest.mark.parametrize(
    ("does", "why"),
    [
        ("import socket; socket.create_connection(('127.0.0.1', 9), timeout=0.1)", "a network"),
        ("import subprocess; subprocess.run(['true'])", "another program was started"),
        ("import os; os.environ.get('FOLD')", "its code asks for environ"),
        ("import sys, types; sys.modules['h5py'] = types.ModuleType('h5py')", "h5py may read files"),
    ],
)
def test_what_cannot_be_tracked_is_never_remembered(
    digest: Callable[..., DataDigest],
    times: Callable[[], int],
    does: str,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)  # put back afterwards
    monkeypatch.delitem(sys.modules, "h5py")
    namespace: dict[str, Any] = {"Numbers": Numbers, "__name__": "cell"}
    source = f"""
        class Module(Numbers):
            def setup(self, stage):
                try:
                    {does}
                except OSError:
                    pass
                super().setup(stage)
    """
    exec(dedent(source), namespace)
    module = namespace["Module"]
    one, again = digest(module), digest(module)
    assert why in one.note
    assert times() == 2
    assert one.value == again.value


def test_a_factory_counts_with_its_arguments(digest: Callable[..., DataDigest]) -> None:
    size = 4
    one = digest(lambda: Numbers(batch_size=size))
    assert one.components["data.batch_size"] == 4


def test_an_iterable_without_storage_is_told_to_be_unknown(digest: Callable[..., DataDigest]) -> None:
    class Streams(Numbers):
        def train_dataloader(self) -> Any:
            return (torch.zeros(2) for _ in range(3))

    found = digest(Streams)
    assert any("train_dataloader" in text for text in found.unknown)


class Blind(Dataset[Any]):
    """Opens files that none of its attributes names."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        return (Path("somewhere") / f"{index}.txt").read_text()


def test_a_dataset_that_opens_files_which_it_does_not_name_is_unknown(digest: Callable[..., DataDigest]) -> None:
    found = digest(art.data(Blind()))
    assert len(found.unknown) == 1
    assert found.unknown[0].startswith("data: train (Blind) calls read_text for an item, and holds no path: give")


def test_a_dataset_that_makes_its_items_is_known(digest: Callable[..., DataDigest]) -> None:
    class Made(Blind):
        def __getitem__(self, index: int) -> Any:
            return index * 2

    assert digest(art.data(Made())).unknown == ()


def test_two_datasets_of_one_folder_are_both_known(digest: Callable[..., DataDigest], tmp_path: Path) -> None:
    class Named(Blind):
        def __init__(self) -> None:
            self.root = tmp_path / "images"

        def __getitem__(self, index: int) -> Any:
            return (self.root / f"{index}").read_bytes()

    (tmp_path / "images").mkdir()
    assert digest(art.data(Named(), Named())).unknown == ()


LAZY = """
    import os
    from pathlib import Path

    IMAGES = Path({images!r})

    def made():
        return Path.home()

    class Pictures:
        def __init__(self, index):
            self.index = Path(index)
            self.names = Path(index).read_text().split()

        def __len__(self):
            return 2

        def __getitem__(self, number):
            return self.picture({place})

        def picture(self, path):
            return path.read_text()
"""


@pytest.mark.parametrize(
    ("place", "known"),
    [
        ("IMAGES / self.names[number]", True),
        ("IMAGES.joinpath(self.names[number])", True),
        ("self.index", True),
        ("made() / self.names[number]", False),
        ("self.index.parent / self.names[number]", False),
    ],
)
def test_what_is_opened_for_an_item_counts_or_is_unknown_whatever_other_path_is_held(
    digest: Callable[..., DataDigest], load: Callable[..., Any], tmp_path: Path, place: str, known: bool
) -> None:
    images, index = tmp_path / "images", tmp_path / "index.csv"
    images.mkdir()
    for name in "ab":
        (images / name).write_text("1")
    index.write_text("a b")
    made = load(LAZY.format(images=str(images), place=place)).Pictures
    before = digest(art.data(made(str(index))))
    assert (before.unknown == ()) == known
    if not known:
        assert before.unknown[0].startswith("data: train (Pictures) calls ")
    assert digest(art.data(made(str(index)))) == before
    for name in "ab":
        (images / name).write_text("22")
    if "IMAGES" in place:
        assert told(before, digest(art.data(made(str(index))))) == ["data digest changed"]


def test_folders_that_a_module_names_and_that_are_opened_late_are_looked_at_again(
    digest: Callable[..., DataDigest], load: Callable[..., Any], tmp_path: Path
) -> None:
    images, index = tmp_path / "images", tmp_path / "index.csv"
    images.mkdir()
    (images / "a").write_text("1")
    index.write_text("a")
    pictures = load(LAZY.format(images=str(images), place="IMAGES / self.names[number]")).Pictures

    class Module(L.LightningDataModule):
        def setup(self, stage: str) -> None:
            self.train = pictures(str(index))

        def train_dataloader(self) -> Any:
            return DataLoader(self.train)

    before = digest(Module)
    assert digest(Module) == before
    (images / "a").write_text("22")
    assert told(before, digest(Module)) == ["data digest changed"]


def test_a_library_that_keeps_models_does_not_make_data_unknown(
    digest: Callable[..., DataDigest], times: Callable[[], int]
) -> None:
    import safetensors.torch  # noqa: F401  As whoever exports a model does.

    one = digest(Numbers)
    assert digest(Numbers) == one
    assert times() == 1
