"""Rules on which tokens a loss of sequences asks for, and how much each of them counts."""

from art_training.probes.asked import Asked, asked, batches_a_step
from art_training.probes.endings import Ending, ending
from art_training.probes.serving import plan
from art_training.probes.terminators import effective_share, terminator
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable
from art_training.rules.rule import Found, Stage, rule
from art_training.setup.data.batch import size

_LOST = 0.75
_ALIKE = 1e-2  # of a factor, which single precision tells to about a thousandth


@rule(
    "ART435",
    "the token that ends a sequence is never asked for",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Attributes, constants or a vocabulary name one number as the token that ends a sequence (eos, eot, stop_token, </s>); it comes "
        "after the first position in at least half of the rows; the model is asked for the next token (told by exchanging tokens); and of "
        "50 or more targets that count none is that token. Where it is a target at all, it is no finding. And, whatever it is called, where "
        "a mask or lengths count one of the tokens that rows are filled up with as a part of each row that is filled up, and by the gradients none "
        "is asked for. A warning where batches of different widths say it: the longest row of each of three or more ends with exactly one."
    ),
    why="The model never learns to stop: what it generates goes on until the limit.",
    wrong="labels[ids == pad] = -100  # and pad is eos",
    right="labels[attention_mask == 0] = -100  # the first eos counts",
    source="https://github.com/huggingface/transformers/issues/23530",
)
def never_ends(laboratory: Laboratory) -> Found | None:
    """An end that is masked with the padding."""
    found, seen = laboratory.ask(terminator), laboratory.ask(ending)
    if found is None and seen is None:
        raise NotApplicable("nothing tells what ends a sequence, or the next token is not what is learned")
    if found is None or found.asked or found.ends < found.rows / 2:
        return None if seen is None or seen.asked or seen.rows < seen.of / 2 else _filled_up(seen)
    return Found(
        f"none of {found.targets} targets that count is {found.token}, which {found.name} calls the end of a sequence and {found.ends} "
        f"of {found.rows} rows hold",
        {"token": found.token, "name": found.name, "rows": found.ends, "of": found.rows, "targets": found.targets},
        "pad with another token than the one that ends a sequence, or mask by length, so that the first one counts",
        where=f"batch[{found.path}]",
        confirmed_by=(
            f"{found.ends} of {found.rows} rows hold the token, and the loss ({found.ignored} is left out) asks for it "
            f"{found.asked} times in {found.targets}"
        ),
    )


def _filled_up(seen: Ending) -> Found:
    how = (
        f"batch[{seen.told_by}] counts one of them as a part of each row"
        if seen.told_by
        else "the longest row of every batch ends with one"
    )
    return Found(
        f"sequences are filled up with {seen.token}, which ends them as well ({how}), and none of {seen.targets} targets that count is "
        "that token",
        {"token": seen.token, "told_by": seen.told_by, "rows": seen.rows, "of": seen.of, "targets": seen.targets},
        "pad with another token than the one that ends a sequence, or mask by length, so that the first one counts",
        where=f"batch[{seen.path}]",
        confirmed_by=(
            f"by the gradients of {seen.targets} positions the loss asks for the token {seen.asked} times, and {seen.rows} of "
            f"{seen.of} rows end with it"
        ),
        severity=None if seen.told_by else Severity.WARNING,
    )


@rule(
    "ART426",
    "tokens count by the batch that they are in",
    category="loss",
    severity=Severity.WARNING,
    stage=Stage.PROBE,
    finds=(
        "The trainer, or the step itself, accumulates gradients over several batches. By the gradients of what is differentiated, however it is "
        "written, it is a mean over the targets of the batch that count, each by the same factor, and batches have such different numbers of them "
        "that by Kish's effective sample size less than three quarters of the tokens are left. Batches of rows of any length taken at random "
        "stay above."
    ),
    why=(
        "A mean of means is not the mean: a token of a short batch counts many times as much as one of a long batch, and the result "
        "depends on how rows fall into batches."
    ),
    wrong="return F.cross_entropy(logits, labels, ignore_index=-100)  # accumulate_grad_batches=8",
    right="return F.cross_entropy(logits, labels, ignore_index=-100, reduction='sum') / usual_tokens_a_batch",
    source="https://github.com/huggingface/blog/pull/2414 (gradient accumulation)",
)
def mean_of_means(laboratory: Laboratory) -> Found | None:
    """Batches of unequal numbers of tokens that count alike."""
    batches = max(laboratory.ask(plan).accumulate, laboratory.ask(batches_a_step))
    if batches < 2:
        raise NotApplicable("gradients are not accumulated")
    seen = laboratory.ask(asked)
    full = max(size(one) for one in seen.batches)  # a short last batch is not what an accumulation is made of
    counts = [_counted(seen, place) for place, one in enumerate(seen.batches) if size(one) == full]
    told = [one for one in counts if one is not None]
    if len(told) < 3 or len(told) < len(counts) or not _are_means(told):
        raise NotApplicable("what is differentiated is no mean over tokens, or batches are too few")
    known = [count for count, _ in told]
    left = effective_share(known)
    if left >= _LOST:
        return None
    return Found(
        f"gradients of {batches} batches are averaged though these have {min(known)} to {max(known)} targets that count: a token of one "
        f"counts up to {max(known) / min(known):.3g} times as much as one of another",
        {"counts": known, "effective": left, "accumulate": batches},
        "divide the sum over the targets by one number for all batches, such as the usual number of targets",
        confirmed_by=f"of the tokens of {len(known)} batches, weighed like this, {left:.0%} are left, and with one weight all are",
    )


def _counted(seen: Asked, place: int) -> tuple[int, float] | None:
    """How many targets of a batch count, and what each is multiplied with; None where each has another factor, or examples have one."""
    found = [one for one in seen.classes if one.batch == place and one.weights.shape[1] > 1]
    if len(found) != 1:
        return None
    weights = found[0].weights[found[0].weights > 0]
    if not len(weights) or float(weights.max()) > (1 + _ALIKE) * float(weights.min()):
        return None
    return len(weights), float(weights.mean())


def _are_means(told: list[tuple[int, float]]) -> bool:
    """Whether factors are one over the number of targets, but for a number that is the same for all batches."""
    totals = [count * weight for count, weight in told]
    return max(totals) <= (1 + _ALIKE) * min(totals)
