"""Rules on images and maps that must lie on each other: those of the data, and those that a model predicts."""

import numpy as np
from scipy.stats import hypergeom

from art_training.probes.alignment import MOVED, Fit, Surroundings, first_batches, fit, maps, within
from art_training.probes.evaluation import Evaluation
from art_training.probes.positions import positions
from art_training.records import Severity, Split
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured, require_validation
from art_training.rules.rule import Found, Stage, rule
from art_training.setup.task import Task

_KNOWN = 0.3  # correlation of targets with what surroundings say; below that they say too little of places
_NEARLY = 0.8  # of what fits in validation, that another position must reach
_LESS = 0.5  # of it: how much worse the row fits as it is, and the lowest that it may fall below 0
_SHARE = 0.1  # of training rows; fewer are flaws of single images
_RARELY = 0.2  # of that share: what is allowed in validation, where symmetric or poor images are as frequent
_CHANCE = 1e-4  # of so many more in training, were they as frequent in both; alone it would accuse of single flaws
_FEWEST = 16
_LEARNS = 0.9  # of the loss, that it falls to where predictions lie on their targets


@rule(
    "ART218",
    "images move and their targets do not",
    category="preprocessing",
    severity=Severity.ERROR,
    stage=Stage.EVALUATE,
    finds=(
        "Targets are maps of the size of their images. Colour and contrast about each pixel, by least squares on the validation split, say where "
        "the target is, with a correlation of at least 0.3. In validation images fit their maps as they are; in training more than a tenth of them "
        "fit when mirrored, turned or moved: nearly as well as validation does (0.8 of it), and better by half of it than as they are. It is "
        "at most a fifth as frequent in validation, and were it as frequent in both the difference would happen less than once in ten thousand (Fisher)."
    ),
    why="Each image that was moved alone teaches that the target is somewhere else: edges blur, and small things vanish.",
    wrong="image = RandomHorizontalFlip()(image)  # and the mask as it was",
    right="image, mask = v2.RandomHorizontalFlip()(image, tv_tensors.Mask(mask))",
    source="https://docs.pytorch.org/vision/stable/auto_examples/transforms/plot_transforms_getting_started.html",
    symptoms=("ART405",),
    asks=(first_batches,),
)
def images_move(laboratory: Laboratory) -> Found | None:
    """An augmentation of one of two."""
    task = _with_maps(laboratory)
    training = laboratory.ask(first_batches)
    evaluation = laboratory.get(Evaluation)
    if not evaluation.observations:
        require_validation(laboratory)
        raise NotMeasured("no validation batch was seen")
    theirs = maps((one.batch for one in evaluation.observations), task.inputs, task.target)
    mine = maps(training, task.inputs, task.target, classes=None if theirs is None else theirs.classes)
    if mine is None or theirs is None or mine.images.shape[1:] != theirs.images.shape[1:]:
        raise NotApplicable("targets are no maps of the size of one image")
    if mine.targets.shape[1:] != theirs.targets.shape[1:] or min(len(mine.images), len(theirs.images)) < _FEWEST:
        raise NotMeasured(f"fewer than {_FEWEST} maps, or others in training than in validation")
    validation = within(theirs)
    usual = float(validation.as_they_are.median())
    if usual < _KNOWN:
        raise NotMeasured("what is about a pixel says too little of its target")
    train = fit(Surroundings(theirs).say(mine.images), mine.targets)
    apart, known = _apart(train, usual), _apart(validation, usual)
    count, rows = int(apart.sum()), len(apart)
    found = int(known.sum())
    chance = float(hypergeom.sf(count - 1, rows + len(known), count + found, rows))
    if count < _SHARE * rows or known.mean() > _RARELY * count / rows or chance > _CHANCE:
        return None
    how = [one for one, is_apart in zip(train.how, apart, strict=True) if is_apart]
    most = max(dict.fromkeys(how), key=how.count)
    better, worse = (float(one.numpy()[apart].mean()) for one in (train.turned, train.as_they_are))
    return Found(
        f"{count} of {rows} training images fit their targets when they are {most} ({how.count(most)} of them) or otherwise turned, and not as "
        f"they are; in validation {found} of {len(known)} do",
        {"images": count, "of": rows, "validation": found, "how": most, "fits": better, "as_they_are": worse},
        "apply what moves, turns or mirrors an image to its target too, with the same random numbers",
        where=Split.TRAIN.value,
        confirmed_by=(
            f"{'moved' if most == MOVED else 'turned'} back, these images say where their targets are by a correlation of {better:.2f}, and as "
            f"they are of {worse:.2f}; in validation it is {usual:.2f}"
        ),
    )  # fmt: skip


@rule(
    "ART333",
    "predictions lie in another position than the image",
    category="model",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Spots that are put on an image appear in what is predicted of its pixels mirrored, turned, or with rows and columns exchanged: four times as "
        "strong there as anywhere else a position could bring them. And targets lie on the images as they are: what is about a pixel says its target by "
        "a correlation of at least 0.3, twice that in the position of the predictions. Confirmed where a few steps of training, with the "
        "images so that predictions lie on the targets, bring the loss to nine tenths of what it is otherwise; else it is an information."
    ),
    why="Convolutions cannot bring a prediction from one place to another: they learn what is true of all places, and no more.",
    wrong="x = x.permute(0, 3, 2, 1)  # (N, height, width, channels) to (N, channels, width, height)",
    right="x = x.permute(0, 3, 1, 2)",
    source="https://docs.pytorch.org/docs/stable/generated/torch.permute.html",
    symptoms=("ART405",),
)
def lies_elsewhere(laboratory: Laboratory) -> Found | None:
    """Axes that were exchanged."""
    task = _with_maps(laboratory)
    assert task.target is not None
    seen = laboratory.ask(positions(task.inputs, task.target))
    if seen is None:
        raise NotApplicable(
            "predictions are no map of the image's size, or spots of an image appear at no place of their own"
        )
    if not seen.apart:
        return None
    one, other = seen.as_it_is, seen.turned
    confirmed = one is not None and other is not None and np.isfinite(other.last) and other.last < _LEARNS * one.last
    return Found(
        f"what is predicted lies on the image when that is {seen.predictions}, and targets lie on it as it is",
        {"position": seen.predictions, "fits": seen.fits, "fits_turned": seen.fits_turned},
        "look for a transpose, permute, flip or rot90 of the input or the output, and keep (N, channels, height, width) in this order",
        confirmed_by=(
            f"with the images turned to meet the predictions the loss came to {other.last:.3g} in {other.steps} steps, and as they are to {one.last:.3g}"
            if confirmed and one is not None and other is not None
            else ""
        ),
        severity=None if confirmed else Severity.INFO,
    )


def _with_maps(laboratory: Laboratory) -> Task:
    task = laboratory.task
    if task is None or task.target is None or not task.inputs:
        raise NotApplicable("there is no input with a target")
    return task


def _apart(seen: Fit, usual: float) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Rows that fit in another position only; not those that say the opposite, as a negative does."""
    now, turned = seen.as_they_are.numpy(), seen.turned.numpy()
    return (turned >= _NEARLY * usual) & (turned - now >= _LESS * usual) & (now > -_LESS * usual)
