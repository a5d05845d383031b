"""Faults that a learner looks for: each is one edit of a healthy project, and a row of the fault benchmark."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        name: unique; never told before the answer.
        file: of the project that it is in.
        right: lines of the healthy project.
        wrong: what stands in their place.
        categories: of its cause; the first is the best name for it.
        symptom: what one sees of it, without its cause.
        why: what is wrong, and why nothing tells.
        rule: of `art diagnose`, that finds it.
    """

    name: str
    file: str
    right: str
    wrong: str
    categories: tuple[str, ...]
    symptom: str
    why: str
    rule: str


FAULTS = (
    Fault(
        "softmax-twice",
        "model.py",
        "        return self.head(features)\n",
        "        return self.head(features).softmax(1)\n",
        ("loss", "model"),
        "The loss falls slowly, and never below about 1.46.",
        "cross_entropy takes scores and does its own softmax. Given probabilities, it squeezes them a second time: the loss "
        "cannot come near zero, and gradients are small.",
        "ART402",
    ),
    Fault(
        "frozen-body",
        "model.py",
        "        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams.lr)\n",
        "        optimizer = torch.optim.Adam(self.head.parameters(), lr=self.hparams.lr)\n",
        ("optimizer", "model"),
        "It learns, and remains well behind what this architecture can do.",
        "The optimiser was given the parameters of the last layer alone. The others keep their random weights; the loss "
        "falls all the same, because a linear layer on random features is a classifier, too.",
        "ART510",
    ),
    Fault(
        "schedule-by-batch",
        "model.py",
        '"interval": "epoch"}}\n',
        '"interval": "step"}}\n',
        ("schedule",),
        "The learning rate is nowhere where it was meant to be.",
        "T_max counts epochs, and the schedule is stepped after each batch: the cosine goes down and up again every twelve "
        "batches.",
        "ART542",
    ),
    Fault(
        "always-dropping",
        "model.py",
        "        features = self.dropout(features.flatten(1))\n",
        "        features = F.dropout(features.flatten(1), 0.5)\n",
        ("mode",),
        "The same input gives another output each time, in evaluation, too.",
        "F.dropout does not know whether the model trains: its argument `training` is True unless it is given. Half of the "
        "features are missing whenever the model is used.",
        "ART612",
    ),
    Fault(
        "few-rows-counted",
        "model.py",
        "        self.accuracy(scores.argmax(1), labels)\n",
        "        self.accuracy.update(scores.argmax(1)[:10], labels[:10])\n",
        ("metrics", "evaluation"),
        "The accuracy that is logged jumps between a few values, and is not that of the validation split.",
        "Only the first ten examples of each batch are counted: the number says little of the other 280.",
        "ART713",
    ),
    Fault(
        "cut-gradient",
        "model.py",
        "        features = F.max_pool2d(F.relu(self.norm(self.first(images))), 2)\n",
        "        features = F.max_pool2d(F.relu(self.norm(self.first(images))), 2).detach()\n",
        ("model", "optimizer"),
        "Some weights are after training what they were before.",
        "detach() ends the graph: no gradient reaches the first convolution and its normalisation, though the optimiser holds "
        "their parameters.",
        "ART324",
    ),
    Fault(
        "zero-weights",
        "model.py",
        '        self.accuracy = MulticlassAccuracy(10, average="micro")\n',
        '        self.accuracy = MulticlassAccuracy(10, average="micro")\n        for weight in self.parameters():\n'
        "            nn.init.zeros_(weight)\n",
        ("initialization",),
        "The loss stays at log 10 from the first batch to the last.",
        "Where all weights are zero no unit differs from another and no gradient passes: only the bias of the last layer can learn.",
        "ART330",
    ),
    Fault(
        "evaluation-mode",
        "model.py",
        "        images, labels = batch\n        loss = F.cross_entropy(self(images), labels)\n",
        "        self.eval()\n        images, labels = batch\n        loss = F.cross_entropy(self(images), labels)\n",
        ("mode",),
        "Dropout does nothing, and the running statistics of the normalisation are what they were at the beginning.",
        "The model was put into evaluation mode and trains in it.",
        "ART614",
    ),
    Fault(
        "rows-in-two-splits",
        "data.py",
        "        self.validation = TensorDataset(images[1200:1500], labels[1200:1500])\n",
        "        self.validation = TensorDataset(images[1000:1300], labels[1000:1300])\n",
        ("split",),
        "The model is better on validation than on images that it really has not seen.",
        "Two thirds of the rows of validation are rows of training: the slices overlap.",
        "ART150",
    ),
    Fault(
        "labels-in-another-order",
        "data.py",
        "        self.train = TensorDataset(images[:1200], labels[:1200])\n",
        "        self.train = TensorDataset(images[:1200], labels[:1200].flip(0))\n",
        ("labels", "data"),
        "Nothing can be learned but by heart.",
        "The labels of training stand in another order than its images: nearly every one is that of another image.",
        "ART164",
    ),
    Fault(
        "other-scale-in-validation",
        "data.py",
        "        images = (images - first.mean()) / first.std()\n",
        "        images[:1200] = (first - first.mean()) / first.std()\n",
        ("preprocessing", "data"),
        "Validation is far worse than training, from the first epoch on.",
        "Training images are standardised; those of validation and test are not.",
        "ART211",
    ),
    Fault(
        "sorted-rows",
        "data.py",
        "        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))\n",
        "        order = labels.argsort(stable=True)\n",
        ("split", "data"),
        "Validation has digits that training never saw.",
        "The rows are sorted by label before they are split: training holds the first digits, validation and test the last.",
        "ART154",
    ),
    Fault(
        "wrong-direction",
        "art_project.py",
        'EarlyStopping(monitor="val_loss", mode="min", patience=4)',
        'EarlyStopping(monitor="val_accuracy", mode="min", patience=4)',
        ("evaluation",),
        "Training ends after a few epochs, as soon as it begins to go well.",
        "Early stopping waits for the accuracy to become smaller: it takes every improvement for none.",
        "ART720",
    ),
    Fault(
        "far-too-fast",
        "model.py",
        "    def __init__(self, lr=3e-3, width=16, epochs=12):\n",
        "    def __init__(self, lr=3.0, width=16, epochs=12):\n",
        ("optimizer", "schedule"),
        "The loss jumps up at the beginning and never becomes good.",
        "With Adam each step moves every weight by about the learning rate, here a thousand times more than is usual.",
        "ART521",
    ),
)
