"""The data: reviews that a little grammar makes, each good or bad, such as `it rained a lot and the food was not cold`.

Put your own texts and labels into `texts`, and your own way to make numbers of words into `encoded`; everything else
follows from what `splits` returns.
"""

import random

import art_training as art
import torch

TARGET = "label"  # the entry that is predicted; the others are what the model gets, by the names of its arguments
CLASSES = 2
LENGTH = 24  # words; what is longer is cut

THINGS = ["food", "room", "staff", "bed", "view", "music", "light", "tea", "garden", "price"]
GOOD, BAD = ["lovely", "great", "calm", "warm", "fine"], ["cold", "rude", "awful", "sad", "poor"]
MOODS = dict.fromkeys(GOOD, 1) | dict.fromkeys(BAD, -1)
ASIDES = ["", "", "it rained", "we came by train", "there was a dog in the hall"]


def texts():
    """Reviews, each once, and whether each is good (1) or bad (0).

    `not` turns a word round, and `very` makes it count twice.
    """
    draw = random.Random(0)
    made = {}
    while len(made) < 2000:
        sentiment, parts = 0, [draw.choice(ASIDES)]
        for thing in draw.sample(THINGS, 2):
            mood, sign, weight = draw.choice(list(MOODS)), draw.choice([1, -1]), draw.choice([1, 2])
            sentiment += MOODS[mood] * sign * weight
            parts.append(" ".join(["the", thing, "was", *["not"][: sign < 0], *["very"][: weight > 1], mood]))
        draw.shuffle(parts)
        if sentiment:  # whoever likes one thing as much as he dislikes the other says nothing
            made[" and ".join(filter(None, parts))] = int(sentiment > 0)
    return list(made.items())


WORDS = ["<padding>", "<unknown>", *sorted({word for text, _ in texts() for word in text.split()})]


def encoded(text):
    """A sentence as LENGTH numbers of words; 0 is padding."""
    known = {word: number for number, word in enumerate(WORDS)}
    numbers = [known.get(word, 1) for word in text.lower().split()][:LENGTH]
    return numbers + [0] * (LENGTH - len(numbers))


def splits():
    """Each split as tensors by name: numbers of words (N, LENGTH), and labels (N,). No sentence is in two of them."""
    made = texts()
    tokens = torch.tensor([encoded(text) for text, _ in made])
    labels = torch.tensor([label for _, label in made])
    sizes = {"train": 1200, "validation": 400, "test": 400}
    parts = zip(sizes, torch.arange(len(made)).split(list(sizes.values())), strict=True)
    return {name: {"tokens": tokens[part], TARGET: labels[part]} for name, part in parts}


def data():
    """The splits in batches; `art.data` takes datasets and loaders as well."""
    return art.data(**splits(), batch_size=64)
