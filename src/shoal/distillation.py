"""One network that answers like several: distillation (Hinton, Vinyals and Dean, 2015).

The *teacher* is the mean of the winner's networks. *Students*, networks of the same recipe on fresh seeds, learn its answers on the
training rows, mixed with the rows' own targets: ``t = s f + (1 - s) y``, where ``f`` are the teacher's probabilities and ``y`` is 1 at the
row's class, or both are values. Cross-entropy is linear in its target, and the squared error against ``t`` differs from
``s (z - f)^2 + (1 - s) (z - y)^2`` by a constant, so that mixing the targets is mixing the losses.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shoal.ensemble import answering, finished, inputs_of, model_of
from shoal.measurements.distillation import Distillation
from shoal.metrics import Metric, paired_bootstrap, score, spanned
from shoal.model import Model
from shoal.population import Shoal
from shoal.trainer import Network, Trainer, advance, own_seed, ranked

TEACHER_SHARE = 0.75
"""Weight of the teacher's answers in the targets. ``docs/defaults.md`` has what other weights brought on real tables."""
_SEED_NUMBER = 2 * 10**6
_ROWS_AT_ONCE = 1 << 15


def distilled_from(trainer: Trainer, shoal: Shoal, networks: Sequence[Network], metric: Metric) -> tuple[Model, Distillation]:
    """One network that has learned the answers of trained ones, as a finished model, and what it lost against them.

    Args:
        trainer: of the data set.
        shoal: for networks of their recipe.
        networks: of one recipe and age; as many students are trained as long, and the one with the lowest dev loss is the model.
        metric: what counts.

    Raises:
        DataError: every student diverged.
    """
    teacher = model_of(trainer, networks)
    learning = shoal.with_targets(soft_targets(trainer, teacher))
    students = [Network(number, own_seed(trainer.seed, _SEED_NUMBER + number), teacher.recipe) for number in range(len(networks))]
    for first in range(0, len(students), shoal.slots):
        advance(f"distillation-{first}", learning, students[first : first + shoal.slots], networks[0].steps, trainer.journal)
    model = finished(trainer, model_of(trainer, ranked(students)).single(), metric)
    return model, compared(trainer, answering(trainer, teacher, metric), answering(trainer, teacher.single(), metric), model, metric)


def soft_targets(trainer: Trainer, teacher: Model, share: float = TEACHER_SHARE) -> np.ndarray:
    """The training rows' targets, mixed with the teacher's answers: ``[rows, classes]``, ``[rows, labels]``, or scaled values ``[rows]``.

    Args:
        trainer: of the data set.
        teacher: of one recipe; its probabilities are taken at its temperature.
        share: weight of its answers.
    """
    dataset, _ = trainer.prepared(teacher.recipe.shape)
    inputs, own = dataset.inputs["train"], dataset.targets["train"]
    answers = np.concatenate([teacher.outputs(inputs[first : first + _ROWS_AT_ONCE]) for first in range(0, len(inputs), _ROWS_AT_ONCE)])
    if dataset.task == "regression":
        answers = dataset.preparation.target.scaled(answers)
    elif dataset.task == "classification":
        own = own[:, None] == np.arange(len(dataset.classes))
    return (share * answers + (1 - share) * own).astype(np.float32)


def compared(trainer: Trainer, teacher: Model, single: Model, distilled: Model, metric: Metric) -> Distillation:
    """A distilled network beside its teacher and the best of the teacher's networks, on the dev rows.

    Args:
        trainer: of the data set.
        teacher: as it would be a final model, and so the others.
        single: the best of its networks.
        distilled: that learned its answers.
        metric: what counts.
    """
    truth, weights = trainer.dataset.truth["dev"], trainer.dataset.weights["dev"]
    answers = [model.decided(model.outputs(inputs_of(trainer, model, "dev"))) for model in (teacher, single, distilled)]
    scores = [score(metric, truth, each, weights) for each in answers]
    draws = paired_bootstrap(metric, truth, answers, weights, seed=trainer.seed)
    spans = [spanned(value, some) for value, some in zip(scores, draws, strict=True)]
    errors, drawn = metric.as_error(np.array(scores)), metric.as_error(draws)
    loss, gain = (spanned(float(errors[2] - errors[place]), drawn[2] - drawn[place]) for place in (0, 1))
    theirs, alone, own = spans
    return Distillation(metric.name, len(truth), teacher.size, TEACHER_SHARE, theirs, alone, own, loss, gain)
