import gc
from pathlib import Path

import numpy as np

import art_training as art
from art_training.setup.task import Task, TaskKind
from art_training.testing.reading import ReadingBench


def test_without_a_folder_of_ones_own_nothing_is_written_where_one_works() -> None:
    data = art.data((np.zeros((4, 2)), np.zeros(4, int)))
    task = Task(TaskKind.CLASSIFICATION, inputs=("0",), target="1")
    bench = ReadingBench(data, task)
    folder = bench.folder
    (folder / "table.csv").write_text("a")
    assert folder != Path.cwd()
    del bench
    gc.collect()
    assert not folder.exists()
    assert ReadingBench(data, task, folder=Path.cwd()).folder == Path.cwd()
