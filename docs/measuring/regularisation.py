"""Section 2: what regularisation does to three tables, from one study of each, and to a network of tanh units."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from measuring.comparison import (
    Column,
    about,
    columns,
    comparison,
    difference,
    is_clear,
    percent,
    settings,
    significant,
    steps,
    table,
    variants,
)
from measuring.networks import Network, Shelf, Trained, train
from measuring.topics import topic

from shoal.nets.layers import ACTIVATIONS
from shoal.recipe import Recipe

Changes = dict[str, Any]

L2: tuple[Changes, ...] = tuple({"optimiser": "adam", "l2": value} for value in (1.0, 10.0, 100.0))
WEIGHT_DECAY: tuple[Changes, ...] = tuple({"weight_decay": value} for value in (0.1, 1.0))
L1: tuple[Changes, ...] = tuple({"l1": value} for value in (10.0, 30.0, 100.0, 300.0))
DROPOUT: tuple[Changes, ...] = ({"keep_prob": 0.8}, {"keep_prob": 0.5}, {"input_keep_prob": 0.9})
AUGMENTATION: tuple[Changes, ...] = ({"mixup": 0.2}, {"mixup": 1.0}, {"input_noise": 0.1}, {"input_noise": 0.3})
MAX_NORM: tuple[Changes, ...] = ({"max_norm": 2.0}, {"max_norm": 1.0}, {"max_norm": 0.5})
SMOOTHING: tuple[Changes, ...] = ({"label_smoothing": 0.05}, {"label_smoothing": 0.1})
PATIENCE: tuple[Changes, ...] = ({"patience": 5.0}, {"patience": 15.0})

BASES = {
    "example:diabetes": Recipe(activation="relu", learning_rate=3e-3, batch_size=32, epochs=60),
    "spambase": Recipe(activation="relu", learning_rate=3e-3, epochs=30),
    "letter": Recipe(activation="relu", learning_rate=3e-3, epochs=40),
}
TABLES = tuple(BASES)


def norm_of_weights(network: Network) -> float:
    """``sqrt(sum ||W[l]||^2)``."""
    return float(np.sqrt(sum(np.square(layer["w"]).sum() for layer in network.parameters)))


def share_of_zeros(network: Network) -> float:
    """Of all weights, those that are exactly 0."""
    return float(np.concatenate([(layer["w"] == 0).ravel() for layer in network.parameters]).mean())


NORM = Column("norm of all W", norm_of_weights, significant, is_compared=False)
ZEROS = Column("weights exactly 0", share_of_zeros, percent, is_compared=False)


@functools.cache
def study(shelf: Shelf, name: str, seeds: int) -> Trained:
    """Every regulariser against one base recipe on one table."""
    changes = (*L2, *WEIGHT_DECAY, *L1, *DROPOUT, *AUGMENTATION, *MAX_NORM, *PATIENCE)
    return train(shelf, name, variants(BASES[name], *changes, *(SMOOTHING if name != "example:diabetes" else ())), seeds)


def compared(shelf: Shelf, seeds: int, tables: tuple[str, ...], changes: tuple[Changes, ...], *more: Column) -> str:
    """The base recipe and some variants, one Markdown table for each table of data."""
    blocks = []
    for name in tables:
        trained = study(shelf, name, seeds)
        chosen = {each: trained[each] for each in ("base recipe", *map(settings, changes)) if each in trained}
        kind = "variances" if name == "example:diabetes" else "share"
        blocks += [about(shelf, name, BASES[name], seeds=seeds), comparison(chosen, columns(kind, *more))]
    return "\n\n".join(blocks)


@topic("l2-and-weight-decay", *TABLES)
def _l2(shelf: Shelf, seeds: int) -> str:
    return compared(shelf, seeds, TABLES, (*L2, *WEIGHT_DECAY), NORM)


@topic("two-decays", "example:diabetes")
def _two_decays(shelf: Shelf, seeds: int) -> str:
    base = replace(BASES["example:diabetes"], epochs=20.0)
    rows = len(shelf.dataset("example:diabetes", 0).inputs["train"])
    pairs = {"gradient descent": ("gradient_descent", "gradient_descent", 0.05), "Adam": ("adam", "adamw", 3e-3)}
    recipes = {}
    for name, (coupled, decoupled, rate) in pairs.items():
        recipes[name, "l2"] = replace(base, optimiser=coupled, learning_rate=rate, l2=10.0)
        recipes[name, "decay"] = replace(base, optimiser=decoupled, learning_rate=rate, weight_decay=10.0 / rows)
    trained = train(shelf, "example:diabetes", {" ".join(key): recipe for key, recipe in recipes.items()}, seeds)
    lines = []
    for name in pairs:
        both = list(zip(trained[f"{name} l2"], trained[f"{name} decay"], strict=True))
        apart = [
            np.sqrt(sum(np.square(a["w"] - b["w"]).sum() for a, b in zip(l2.parameters, decay.parameters, strict=True)))
            for l2, decay in both
        ]
        relative = np.mean([distance / norm_of_weights(l2) for distance, (l2, _) in zip(apart, both, strict=True)])
        norms = [
            significant(float(np.mean([norm_of_weights(network) for network in trained[f"{name} {form}"]]))) for form in ("l2", "decay")
        ]
        lines.append([name, *norms, significant(float(relative))])
    headings = ("optimiser", "norm of all W, `l2 = 10`", "norm of all W, `weight_decay = 10/m`", "distance between the two, relative")
    return "\n\n".join([about(shelf, "example:diabetes", base, seeds=seeds), table(headings, lines)])


@topic("l1", "example:diabetes", "spambase")
def _l1(shelf: Shelf, seeds: int) -> str:
    return compared(shelf, seeds, ("example:diabetes", "spambase"), (*L1, L2[1]), ZEROS)


@topic("nearly-linear", "example:diabetes")
def _nearly_linear(shelf: Shelf, seeds: int) -> str:
    base = replace(BASES["example:diabetes"], activation="tanh", optimiser="adam")
    trained = train(shelf, "example:diabetes", variants(base, *({"l2": value} for value in (1.0, 10.0, 100.0, 1000.0))), seeds)
    shown = (
        NORM,
        Column("mean size of Z[1]", lambda network: float(np.abs(first_sums(network)).mean()), significant, is_compared=False),
        Column("Z[1] between −0.5 and 0.5", lambda network: float((np.abs(first_sums(network)) < 0.5).mean()), percent, is_compared=False),
        Column("explained by a linear function", linear_share, percent, is_compared=False),
    )
    return "\n\n".join([about(shelf, "example:diabetes", base, seeds=seeds), comparison(trained, columns("variances", *shown))])


def first_sums(network: Network) -> np.ndarray:
    """``Z[1]`` of the training rows ``[rows, units]``."""
    first = network.parameters[0]
    return network.dataset.inputs["train"] @ first["w"] + first["b"]


def linear_share(network: Network) -> float:
    """How much of the variance of the network's outputs on the dev rows the best linear function of the inputs explains."""
    x, output = network.dataset.inputs["dev"], network.outputs("dev")
    design = np.c_[x, np.ones(len(x))]
    residual = output - design @ np.linalg.lstsq(design, output, rcond=None)[0]
    return float(1 - residual.var() / output.var())


@topic("dropout", *TABLES)
def _dropout(shelf: Shelf, seeds: int) -> str:
    return compared(shelf, seeds, TABLES, DROPOUT)


@topic("dropout-expectation", "spambase")
def _dropout_expectation(shelf: Shelf, seeds: int) -> str:
    network = train(shelf, "spambase", {"base recipe": BASES["spambase"]}, 1)["base recipe"][0]
    a = np.asarray(ACTIVATIONS["relu"](jnp.asarray(first_sums(network))))
    keep = np.random.default_rng(0).random((200, a.shape[1]))[:, None, :]
    lines = []
    for keep_prob in (0.8, 0.5):
        kept = (keep < keep_prob) * a[None, :500]
        means = [values.mean() / a[:500].mean() for values in (kept, kept / keep_prob, kept / (1 - keep_prob))]
        lines.append([str(keep_prob), *(f"{mean:.2f}" for mean in means)])
    headings = ("keep_prob", "no division", "divided by keep_prob (right)", "divided by 1 - keep_prob")
    caption = "*Mean of the first hidden layer's A under dropout, as a multiple of its mean without: spambase, 500 rows, 200 masks.*"
    return "\n\n".join([caption, table(headings, lines)])


@topic("mixup-and-noise", *TABLES)
def _augmentation(shelf: Shelf, seeds: int) -> str:
    return compared(shelf, seeds, TABLES, AUGMENTATION)


@topic("early-stopping", "example:diabetes", "spambase")
def _early_stopping(shelf: Shelf, seeds: int) -> str:
    blocks = []
    for name in ("example:diabetes", "spambase"):
        trained = study(shelf, name, seeds)
        base = trained["base recipe"]
        chosen = {"last weights": base, "best weights, trained to the end": base} | {
            f"best weights, {settings(changes)}": trained[settings(changes)] for changes in PATIENCE
        }
        lines = []
        for variant, networks in chosen.items():
            best = variant != "last weights"
            errors = np.array([test_error(network, best) for network in networks])
            reference = np.array([test_error(network, False) for network in base])
            lines.append(
                [variant, *_with_difference(errors, reference, name, best), steps(float(np.mean([epochs_used(each) for each in networks])))]
            )
        heading = "error on the test rows (variances)" if name == "example:diabetes" else "error on the test rows"
        blocks += [about(shelf, name, BASES[name], "Judged on the test rows, because the dev rows chose the best weights.", seeds=seeds)]
        blocks += [table(("", heading, "epochs trained"), lines)]
    return "\n\n".join(blocks)


def _with_difference(errors: np.ndarray, reference: np.ndarray, name: str, best: bool) -> list[str]:
    write = significant if name == "example:diabetes" else percent
    text = write(float(errors.mean()))
    if not best:
        return [text]
    change = f"{text} ({difference(errors, reference, write)})"
    return [f"**{change}**" if is_clear(errors, reference) else change]


def test_error(network: Network, best: bool) -> float:
    """Share of wrong classes, or mean squared error in variances of the target, on the test rows."""
    output, target = network.outputs("test", best=best), network.dataset.targets["test"]
    return float((output.argmax(1) != target).mean() if network.dataset.classes else np.square(output - target).mean())


def epochs_used(network: Network) -> float:
    """Epochs until early stopping, or all of them."""
    per_epoch = network.tables.steps_per_epoch(network.layout.shape.batch_size)
    patience = network.recipe.patience
    return network.recipe.epochs if patience is None else min(network.best_step / per_epoch + patience, network.recipe.epochs)


@topic("label-smoothing", "spambase", "letter")
def _label_smoothing(shelf: Shelf, seeds: int) -> str:
    return compared(shelf, seeds, ("spambase", "letter"), SMOOTHING)


@topic("max-norm", *TABLES)
def _max_norm(shelf: Shelf, seeds: int) -> str:
    return compared(shelf, seeds, TABLES, MAX_NORM, NORM)
