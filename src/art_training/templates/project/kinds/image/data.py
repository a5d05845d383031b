"""The data: 1,797 handwritten digits, which come with scikit-learn, each somewhere on a canvas of 12 x 12 pixels.

Put your own images into `splits`; everything else follows from what it returns.
"""

import art_training as art
import torch
from sklearn.datasets import load_digits

TARGET = "label"  # the entry that is predicted; the others are what the model gets, by the names of its arguments
CLASSES = 10


def splits():
    """Each split as tensors by name: images (N, 1, 12, 12) of numbers from 0 to 1, and labels (N,) from 0 to 9."""
    pixels, labels = load_digits(return_X_y=True)
    pixels, labels = torch.tensor(pixels / 16, dtype=torch.float32).reshape(-1, 8, 8), torch.tensor(labels)
    always = torch.Generator().manual_seed(0)  # the same places and the same splits each time
    images = torch.zeros(len(labels), 1, 12, 12)
    for image, digit, (top, left) in zip(
        images, pixels, torch.randint(5, (len(labels), 2), generator=always).tolist(), strict=True
    ):
        image[0, top : top + 8, left : left + 8] = digit
    # Where several images show one thing or one person, draw things or persons instead of rows.
    rows = torch.randperm(len(labels), generator=always)
    parts = zip(("train", "validation", "test"), rows.split([1077, 360, 360]), strict=True)
    return {name: {"image": images[part], TARGET: labels[part]} for name, part in parts}


def data():
    """The splits in batches; `art.data` takes datasets and loaders as well."""
    return art.data(**splits(), batch_size=64)
