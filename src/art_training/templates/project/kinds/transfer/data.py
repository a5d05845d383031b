"""The data: handwritten digits of scikit-learn, each somewhere on a canvas of 12 x 12 pixels.

There are many of 0 to 4, to learn from what a digit is, and ten each of 5 to 9, which is what the model is for.
Put what you have much of into `source`, and your own task into `splits`; everything else follows from what they return.
"""

import art_training as art
import torch
from sklearn.datasets import load_digits

TARGET = "label"  # the entry that is predicted; the others are what the model gets, by the names of its arguments
CLASSES = 5


def digits(first, sizes):
    """Digits from `first` on as classes from 0 on, in splits of so many: images (N, 1, 12, 12), labels (N,)."""
    pixels, labels = load_digits(return_X_y=True)
    pixels, labels = torch.tensor(pixels / 16, dtype=torch.float32).reshape(-1, 8, 8), torch.tensor(labels)
    always = torch.Generator().manual_seed(0)  # the same places and the same splits each time
    images = torch.zeros(len(labels), 1, 12, 12)
    places = torch.randint(5, (len(labels), 2), generator=always).tolist()
    for image, digit, (top, left) in zip(images, pixels, places, strict=True):
        image[0, top : top + 8, left : left + 8] = digit
    rows = torch.randperm(len(labels), generator=always)
    rows = rows[(first <= labels[rows]) & (labels[rows] < first + CLASSES)]
    parts = zip(sizes, rows[: sum(sizes.values())].split(list(sizes.values())), strict=True)
    return {name: {"image": images[part], TARGET: labels[part] - first} for name, part in parts}


def source():
    """What the backbone learns first."""
    return digits(0, {"train": 700, "validation": 200})


def splits():
    """What the model is for, with few examples to learn from."""
    return digits(5, {"train": 50, "validation": 300, "test": 400})


def data():
    """The splits in batches; `art.data` takes datasets and loaders as well."""
    return art.data(**splits(), batch_size=25)


def source_data():
    """The same of what the backbone learns first."""
    return art.data(**source(), batch_size=64)
