"""The data: 442 patients with diabetes, which come with scikit-learn: ten columns, and how the disease went on.

Put your own table into `splits`; everything else follows from what it returns.
"""

import art_training as art
import torch
from sklearn.datasets import load_diabetes

TARGET = "target"  # the entry that is predicted; the others are what the model gets, by the names of its arguments
COLUMNS = ["age", "sex", "bmi", "blood pressure", "s1", "s2", "s3", "s4", "s5", "s6"]


def splits():
    """Each split as tensors by name: rows (N, 10) and targets (N,), standardised by what training is like."""
    rows, target = load_diabetes(return_X_y=True, scaled=False)
    rows, target = torch.tensor(rows, dtype=torch.float32), torch.tensor(target, dtype=torch.float32)
    # Where several rows are of one person, draw persons instead of rows; where rows have a time, test on the latest.
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    parts = dict(zip(("train", "validation", "test"), order.split([262, 90, 90]), strict=True))
    seen = parts["train"]  # what validation and test are like is not known yet
    rows = (rows - rows[seen].mean(0)) / rows[seen].std(0)
    target = (target - target[seen].mean()) / target[seen].std()
    return {name: {"row": rows[part], TARGET: target[part]} for name, part in parts.items()}


def data():
    """The splits in batches; `art.data` takes datasets and loaders as well."""
    return art.data(**splits(), batch_size=32)
