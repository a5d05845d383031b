"""Rules on which tokens a loss of sequences asks for, and how much each of them counts."""

from art_training.probes.serving import plan
from art_training.probes.step_losses import SeenStep, steps
from art_training.probes.terminators import effective_share, terminator
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable
from art_training.rules.rule import Found, Stage, rule
from art_training.setup.data.batch import size

_OF_CLASSES = {"cross_entropy", "nll_loss"}
_LOST = 0.75


@rule(
    "ART435",
    "the token that ends a sequence is never asked for",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Attributes, constants or a vocabulary name one number as the token that ends a sequence (eos, eot, stop_token, </s>); it comes "
        "after the first position in at least half of the rows; the model is asked for the next token (told by exchanging tokens); and of "
        "50 or more targets that count none is that token. Where it is a target at all, it is no finding."
    ),
    why="The model never learns to stop: what it generates goes on until the limit.",
    wrong="labels[ids == pad] = -100  # and pad is eos",
    right="labels[attention_mask == 0] = -100  # the first eos counts",
    source="https://github.com/huggingface/transformers/issues/23530",
)
def never_ends(laboratory: Laboratory) -> Found | None:
    """An end that is masked with the padding."""
    found = laboratory.ask(terminator)
    if found is None:
        raise NotApplicable("no token is called the end of a sequence, or the next token is not what is learned")
    if found.asked or found.ends < found.rows / 2:
        return None
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


@rule(
    "ART426",
    "tokens count by the batch that they are in",
    category="loss",
    severity=Severity.WARNING,
    stage=Stage.PROBE,
    finds=(
        "The trainer accumulates gradients over several batches, the step returns the mean over its own targets that count (as torch "
        "computes it or as a sum that is divided by them, to a hundred-thousandth), and batches have such different numbers of them that by Kish's effective sample size less than three "
        "quarters of the tokens are left. Batches of rows of any length taken at random stay above."
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
    batches = laboratory.ask(plan).accumulate
    if batches < 2:
        raise NotApplicable("gradients are not accumulated")
    seen = laboratory.ask(steps)
    full = max(size(one.batch) for one in seen)  # a short last batch is not what an accumulation is made of
    counts = [_counted(one) for one in seen if size(one.batch) == full]
    known = [one for one in counts if one is not None]
    if len(known) < 3 or len(known) < len(counts):
        raise NotApplicable("the step does not return a mean over tokens, or batches are too few")
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


def _counted(one: SeenStep) -> int | None:
    """How many targets the mean of a step is taken of; None where the step returns anything else."""
    calls = [call for call in one.calls if call.learns]
    if len(calls) != 1 or len(one.totals) != 1 or calls[0].name not in _OF_CLASSES:
        return None
    call = calls[0]
    reduction = call.options.get("reduction", "mean")
    if reduction == "none" or call.options.get("weight") is not None:
        return None
    if call.target.is_floating_point() or call.target.numel() <= size(one.batch):  # one label an example
        return None
    count = int((call.target != call.options.get("ignore_index", -100)).sum())
    mean = float(call.value) / (1 if reduction == "mean" else max(1, count))
    return count or None if abs(one.totals[0] - mean) <= 1e-5 * abs(mean) else None
