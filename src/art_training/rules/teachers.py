"""Rules on parts that what trains is measured by: teachers, and networks of features."""

from collections.abc import Iterable

from art_training.probes.modes import ModesWatch
from art_training.probes.teachers import pupils, teachers
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.rule import Found, Stage, rule


@rule(
    "ART618",
    "a frozen teacher is in training mode",
    category="mode",
    severity=Severity.WARNING,
    stage=Stage.TRAIN,
    finds=(
        "A part that no optimiser moves is called in training, the loss follows what it gives and no layer outside of it does, and when the first "
        "batch enters, dropouts or batch norms in it are in training mode; the loss of a batch is another one where they evaluate. Parts "
        "of the shapes of one that trains, as averages of it and target networks have, are left out."
    ),
    why=(
        "Dropout makes what the teacher says random, and a batch norm lets it depend on the other examples and learn new statistics: the "
        "student learns from a worse network than the one that was trained."
    ),
    wrong="self.teacher = trained.requires_grad_(False)",
    right="self.teacher = trained.requires_grad_(False).eval()  # and again in train(), where the whole model is put into training mode",
    source="https://arxiv.org/abs/1503.02531 (Hinton et al., Distilling the Knowledge in a Neural Network, 2015)",
    watches=(ModesWatch,),
    asks=(teachers,),
)
def teaches_in_training_mode(laboratory: Laboratory) -> Iterable[Found]:
    """A mode that was forgotten."""
    watched = laboratory.get(ModesWatch)
    if watched.first is None:
        raise NotMeasured("no batch was seen to enter")
    found = laboratory.ask(teachers)
    if not found:
        raise NotApplicable("no part that stays as it is has a mode that the loss follows")
    for one in found:
        training = [part for part in one.parts if part in watched.first.training]
        if training:
            yield Found(
                f"{one.name}, which no optimiser moves and by which the loss measures, is in training mode: "
                f"{', '.join(training[:3])}{' and others' if len(training) > 3 else ''}",
                {"parts": training[:10], "training": one.training, "evaluating": one.evaluating},
                f"call {one.name}.eval() where it is made, and again in train(), which puts the whole model into training mode",
                where=one.name,
                confirmed_by=(
                    f"with it in evaluation mode the loss of one batch is {one.evaluating:.5g}, and in training mode {one.training:.5g}"
                ),
            )


@rule(
    "ART825",
    "a teacher that was loaded learns from its student",
    category="transfer",
    severity=Severity.WARNING,
    stage=Stage.PROBE,
    finds=(
        "All parameters of a part, or of one that it begins as a copy of, were loaded while the model was made, and are in an optimiser; they get a gradient, and none of them does "
        "where targets of losses of torch are detached, in calls whose predictions learn."
    ),
    why="The teacher moves to where the student is, which is the shortest way to agree: what it was loaded for is lost.",
    wrong="F.kl_div(student.log_softmax(1), teacher.softmax(1))  # and Adam(self.parameters())",
    right="F.kl_div(student.log_softmax(1), teacher.softmax(1).detach())  # and teacher.requires_grad_(False)",
    source="https://arxiv.org/abs/1503.02531 (Hinton et al., Distilling the Knowledge in a Neural Network, 2015)",
)
def teacher_learns(laboratory: Laboratory) -> Iterable[Found]:
    """A target that runs towards what is aimed at it."""
    found = laboratory.ask(pupils)
    if found is None:
        raise NotMeasured("the step optimises by itself, or returns no loss")
    for one in found:
        yield Found(
            f"{one.name} was loaded, with {one.parameters:,} parameters, and learns as the target of a loss alone: it moves towards what "
            "shall learn from it",
            {"parameters": one.parameters, "gradient": one.gradient},
            f"compute what {one.name} gives under torch.no_grad(), freeze it with requires_grad_(False), and leave it out of the optimiser",
            where=one.name,
            confirmed_by=f"its gradient has the norm {one.gradient:.2g}, and there is none where targets are detached",
        )
