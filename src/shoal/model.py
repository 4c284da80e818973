"""A trained model: networks whose predictions are averaged, of one recipe or of several, with the preparation of their inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import jax
import msgspec
import numpy as np
import polars as pl

from shoal import storage
from shoal.calibration import scaled
from shoal.data import Preparation, read_table
from shoal.data.pictures.column import PATH
from shoal.decision import weighed
from shoal.errors import OptionError, Problem, RunFolderError
from shoal.measurements.decision import Decision
from shoal.nets.encoding import BINS, Encoding
from shoal.nets.network import Layout
from shoal.nets.pixels import Pixels
from shoal.population import Members, predict
from shoal.recipe import Recipe

MODEL_FORMAT = 2
"""Of the saved form. Format 1 had one recipe's networks only; it is still read."""
_DESCRIPTION, _WEIGHTS = "model.json", "weights.safetensors"
_REFERENCE = "reference"
"""Name of the training rows among the weights."""
_ANY_BATCH = 1

Inputs = np.ndarray | Sequence[np.ndarray]
"""``[rows, columns]`` for all networks, or one such array per recipe."""


@dataclass(frozen=True)
class Networks:
    """Networks of one recipe: what ``Model`` says of its own."""

    preparation: Preparation
    recipe: Recipe
    layout: Layout
    networks: Members
    encoding: Encoding | Pixels

    def outputs(self, inputs: np.ndarray) -> np.ndarray:
        """Predictions of each network, as ``Model.member_outputs`` gives them."""
        # No mini-batch is drawn any more: recipes that differ in its size alone use one program.
        layout = replace(self.layout, shape=replace(self.layout.shape, batch_size=_ANY_BATCH))
        outputs = predict(layout, self.networks, self.encoding, inputs).astype(np.float64)
        if self.preparation.task == "classification":
            return outputs / outputs.sum(-1, keepdims=True)
        if self.preparation.task == "multi_label":
            return outputs
        return outputs * self.preparation.target_sd + self.preparation.target_mean


@dataclass(frozen=True)
class Model:
    """Trained networks, and everything needed to use them on new tables.

    Args:
        preparation: turns a table into inputs, and outputs into predictions.
        recipe: of every network but the ``others``.
        layout: its static part, with the data's.
        networks: the trained weights, one recipe on several seeds.
        encoding: bins of the numeric columns, used where the recipe asks for them; of pictures, what their bytes are normalised with.
        temperature: of the mean probabilities (see ``shoal.calibration``); 1 leaves them as they are.
        reference: codes ``[rows, columns]`` of some training rows, with which later tables can be compared.
        others: networks of other recipes that predict together with these.
        shares: of each network in the mean, the others' last; they add up to 1. All alike by default.
        scores: dev loss of each network, in the same order; lower is better.
        decision: how a class follows from the probabilities (see ``shoal.decision``); by default it is the most probable one.
    """

    preparation: Preparation
    recipe: Recipe
    layout: Layout
    networks: Members
    encoding: Encoding | Pixels
    temperature: float = 1.0
    reference: np.ndarray | None = None
    others: tuple[Networks, ...] = ()
    shares: tuple[float, ...] | None = None
    scores: tuple[float, ...] | None = None
    decision: Decision | None = None

    @property
    def parts(self) -> tuple[Networks, ...]:
        """All networks, recipe by recipe."""
        return (Networks(self.preparation, self.recipe, self.layout, self.networks, self.encoding), *self.others)

    @property
    def size(self) -> int:
        """How many networks predict together."""
        return sum(len(part.networks.units) for part in self.parts)

    def inputs(self, table: Any) -> tuple[np.ndarray, ...]:
        """What the networks of each recipe see of a table, ``[rows, columns]`` each.

        Args:
            table: a path or any data frame with the training columns; of a model for pictures anything that holds some.

        Raises:
            DataError: naming every missing column.
        """
        frame = read_table(table, like=self.preparation.picture)
        seen: list[tuple[Preparation, np.ndarray]] = []
        for part in self.parts:
            found = next((x for preparation, x in seen if preparation.encoders == part.preparation.encoders), None)
            seen.append((part.preparation, part.preparation.transform(frame) if found is None else found))
        return tuple(x for _, x in seen)

    def member_outputs(self, inputs: Inputs) -> np.ndarray:
        """Predictions of each network: probabilities ``[networks, rows, classes]``, or values ``[networks, rows]`` in the target's unit.

        Args:
            inputs: ``[rows, columns]`` as ``preparation.transform`` gives them, where all networks see the same; or what ``inputs`` gives.

        Raises:
            ValueError: one array was given, but the recipes normalise their inputs differently.
        """
        if isinstance(inputs, np.ndarray):
            if any(other.preparation.encoders != self.preparation.encoders for other in self.others):
                raise ValueError("the networks see their inputs in different ways; give one array per recipe, as Model.inputs makes them")
            inputs = [inputs] * len(self.parts)
        return np.concatenate([part.outputs(x) for part, x in zip(self.parts, inputs, strict=True)])

    def outputs(self, inputs: Inputs) -> np.ndarray:
        """The mean over the networks: calibrated probabilities ``[rows, classes]`` or values ``[rows]``."""
        return self.combined(self.member_outputs(inputs))

    def combined(self, member_outputs: np.ndarray) -> np.ndarray:
        """The model's predictions from those of its networks (as ``member_outputs`` gives them)."""
        mean = member_outputs.mean(0) if self.shares is None else np.tensordot(np.array(self.shares), member_outputs, 1)
        return self._at_temperature(mean)

    def decided(self, probability: np.ndarray) -> np.ndarray:
        """Numbers like probabilities, the largest of them that of the class that the model says.

        Args:
            probability: as ``outputs`` gives them; without a decision, and of other tasks, they stay as they are.
        """
        return weighed(probability, self.decision)

    def _at_temperature(self, probability: np.ndarray) -> np.ndarray:
        return scaled(probability, self.temperature, self.preparation.task == "multi_label")

    def spread(self, member_outputs: np.ndarray) -> np.ndarray:
        """How far the networks disagree about each row: the standard deviation between them.

        Of a quantity in the target's unit ``[rows]``; of the probability of the predicted class ``[rows]``; of each label's
        probability ``[rows, labels]``. Probabilities are taken at the model's temperature, as those it predicts are.

        With shares ``w`` it is ``sqrt(sum w (f - mean)^2 / (1 - sum w^2))``: of equal shares the sample's standard deviation.

        Args:
            member_outputs: as ``member_outputs`` gives them.

        Raises:
            OptionError: the model is a single network.
        """
        if len(member_outputs) < 2:
            remedy = "Train a model of several networks, or leave the spread out."
            raise OptionError(Problem("a spread is between two or more networks", "a model of a single network", remedy))
        values = member_outputs
        if self.preparation.task != "regression":
            values = self._at_temperature(member_outputs)
        if self.preparation.task == "classification":
            predicted = self.decided(self.combined(member_outputs)).argmax(-1)
            values = np.take_along_axis(values, predicted[None, :, None], axis=2)[..., 0]
        share = np.full(len(values), 1 / len(values)) if self.shares is None else np.array(self.shares)
        squares = np.square(values - np.tensordot(share, values, 1))
        return np.sqrt(np.tensordot(share, squares, 1) / (1 - share @ share))

    def predict(self, table: Any, proba: bool = False, spread: bool = False) -> pl.DataFrame:
        """Predictions for a table, in its row order: values, labels, or the class that is decided for (see ``decided``).

        Args:
            table: a path or any data frame with the training columns; their order and further columns do not matter. For pictures a
                folder, a table of paths, an NPZ or IDX file, or an array; where they are files of their own, the column ``path`` comes
                first, and files that cannot be read are left out with a warning.
            proba: add one column ``p_<class>`` per class.
            spread: add the column ``spread``, the uncertainty between the networks: the standard deviation of their values in the target's
                unit, or of the probabilities that they give the predicted class; of several labels, a column ``spread_<label>`` each.

        Raises:
            DataError: naming every missing column.
            OptionError: a spread was asked of a single network.

        Example:
            >>> import shoal
            >>> recipe = shoal.Recipe(hidden_units=(8,), epochs=5)
            >>> run = shoal.train("example:diabetes", recipe=recipe, seeds=3)
            >>> run.model.predict("example:diabetes", spread=True).columns
            ['prediction', 'spread']
        """
        frame = read_table(table, like=self.preparation.picture)
        members = self.member_outputs(self.inputs(frame))
        outputs = self.combined(members)
        predictions = self.preparation.predictions_frame(outputs, proba)
        if self.decision is not None:
            said = self.preparation.predictions_frame(self.decided(outputs), False)
            predictions = predictions.with_columns(said.to_series())
        if self.preparation.picture is not None and PATH in frame.columns:
            predictions = predictions.insert_column(0, frame[PATH])
        if not spread:
            return predictions
        between = self.spread(members)
        names = [f"spread_{label}" for label in self.preparation.classes] if between.ndim == 2 else ["spread"]
        columns = between.T if between.ndim == 2 else [between]
        return predictions.with_columns(pl.Series(name, np.ascontiguousarray(each)) for name, each in zip(names, columns, strict=True))

    def single(self, number: int | None = None) -> Model:
        """One of the networks as a model of its own: for who wants one network, which predicts faster and mostly a little worse.

        Its probabilities are as they come (temperature 1): that of the model was fitted to the mean. Classes are decided as the model's.

        Args:
            number: from 0, in the order of ``member_outputs``; by default the network with the lowest dev loss.

        Raises:
            OptionError: there is no such network, or no dev losses were kept to find the best by.
        """
        if number is None:
            if self.scores is None:
                remedy = f"Choose one yourself: single(0) to single({self.size - 1})."
                raise OptionError(Problem("the best network is found by dev losses", "a model that keeps none", remedy))
            number = int(np.argmin(self.scores))
        if not 0 <= number < self.size:
            raise OptionError(Problem(f"a network's number is 0 to {self.size - 1}", repr(number), "Choose another."))
        part, place = [(part, place) for part in self.parts for place in range(len(part.networks.units))][number]
        chosen: Members = jax.tree.map(lambda leaf: np.asarray(leaf)[place : place + 1], part.networks)
        scores = None if self.scores is None else (self.scores[number],)
        # the labels' own types are those of the whole model
        target = part.preparation.target if part.preparation.task == "regression" else self.preparation.target
        preparation = Preparation(part.preparation.encoders, target)
        return Model(
            preparation,
            part.recipe,
            part.layout,
            chosen,
            part.encoding,
            reference=self.reference,
            scores=scores,
            decision=self.decision,
        )

    def save(self, folder: Path) -> None:
        """Write ``model.json`` and ``weights.safetensors`` into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {
            f"{place}.{number}": np.asarray(leaf)
            for place, part in enumerate(self.parts)
            for number, leaf in enumerate(jax.tree.leaves((part.networks, part.encoding)))
        }
        if self.reference is not None:
            arrays[_REFERENCE] = self.reference
        checksum = storage.write_arrays(folder / _WEIGHTS, arrays)
        content = {
            "format": MODEL_FORMAT,
            "weights_sha256": checksum,
            "temperature": self.temperature,
            "shares": self.shares,
            "scores": self.scores,
            "decision": None if self.decision is None else asdict(self.decision),
            "parts": [
                {
                    "networks": len(part.networks.units),
                    "recipe": part.recipe.to_dict(),
                    "layout": asdict(part.layout),
                    "preparation": part.preparation.to_dict(),
                }
                for part in self.parts
            ],
        }
        storage.write_json(folder / _DESCRIPTION, content)

    @classmethod
    def load(cls, folder: Path) -> Model:
        """Read a saved model.

        Raises:
            RunFolderError: a file is missing, cut short, changed, or of a newer format.
        """
        content = storage.read_json(folder / _DESCRIPTION, MODEL_FORMAT)
        arrays = storage.read_arrays(folder / _WEIGHTS, content["weights_sha256"])
        if content["format"] == 1:
            content = {**content, "parts": [content]}
            arrays = {name if name == _REFERENCE else f"0.{name}": array for name, array in arrays.items()}
        try:
            first, *others = (_read_part(part, f"{place}.", arrays) for place, part in enumerate(content["parts"]))
            temperature = float(content["temperature"])
            shares, scores = (_numbers(content.get(name)) for name in ("shares", "scores"))
            decision = msgspec.convert(content.get("decision"), Decision | None)  # models of before have none
            if decision is not None and len(decision.shares) != len(first.preparation.classes):
                raise ValueError(f"a decision between {len(decision.shares)} classes where {len(first.preparation.classes)} belong")
        except RunFolderError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            remedy = "Restore it from a copy, or train again."
            raise RunFolderError(Problem("a saved model fits its description", f"{folder}: {error}", remedy)) from error
        return cls(
            first.preparation,
            first.recipe,
            first.layout,
            first.networks,
            first.encoding,
            temperature,
            arrays.get(_REFERENCE),
            tuple(others),
            shares,
            scores,
            decision,
        )


def _numbers(content: Sequence[float] | None) -> tuple[float, ...] | None:
    return None if content is None else tuple(float(number) for number in content)


def _read_part(content: Mapping[str, Any], prefix: str, arrays: Mapping[str, np.ndarray]) -> Networks:
    layout = msgspec.convert(content["layout"], Layout)
    recipe = msgspec.convert(content["recipe"], Recipe)
    own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    networks, encoding = _rebuilt(layout, int(content["networks"]), own)
    return Networks(Preparation.from_dict(content["preparation"]), recipe, layout, networks, encoding)


def _rebuilt(layout: Layout, count: int, arrays: dict[str, np.ndarray]) -> tuple[Members, Encoding | Pixels]:
    """The arrays in their places, with the sizes that the layout asks for."""
    hidden = layout.hidden
    parameters, statistics = [], []
    for layer, arrays_of_layer in enumerate(layout.arrays):
        parameters.append({name: np.empty((count, *shape)) for name, shape in arrays_of_layer.items()})
        if layout.shape.normalisation == "batch" and layer < hidden:
            statistics.append({name: np.empty((count, *arrays_of_layer["gamma"])) for name in ("mean", "variance")})
    networks = Members(tuple(parameters), tuple(statistics), np.empty((count, hidden)))
    if layout.picture:
        encoding = Pixels(*(np.empty(layout.picture[2]) for _ in Pixels._fields))
    else:
        encoded = len(arrays[str(len(jax.tree.leaves(networks)))])  # columns with bins, also where this layout does without
        encoding = Encoding(np.empty(encoded), *(np.empty((encoded, BINS)) for _ in Encoding._fields[1:]))
    leaves, structure = jax.tree.flatten((networks, encoding))
    found = [arrays[str(number)] for number in range(len(leaves))]
    for leaf, array in zip(leaves, found, strict=True):
        if leaf.shape != array.shape:
            raise ValueError(f"an array of shape {array.shape} where {leaf.shape} belongs")
    return jax.tree.unflatten(structure, found)
