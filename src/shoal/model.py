"""A trained model: networks of one recipe whose predictions are averaged, with the preparation of their inputs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import msgspec
import numpy as np
import polars as pl

from shoal import storage
from shoal.calibration import scaled
from shoal.data import Preparation, read_table
from shoal.errors import Problem, RunFolderError
from shoal.nets.encoding import BINS, Encoding
from shoal.nets.network import Layout
from shoal.population import Members, predict
from shoal.recipe import Recipe

MODEL_FORMAT = 1
_DESCRIPTION, _WEIGHTS = "model.json", "weights.safetensors"
_REFERENCE = "reference"
"""Name of the training rows among the weights."""


@dataclass(frozen=True)
class Model:
    """Networks trained from one recipe on several seeds, and everything needed to use them on new tables.

    Args:
        preparation: turns a table into inputs, and outputs into predictions.
        recipe: of every network.
        layout: its static part, with the data's.
        networks: the trained weights.
        encoding: bins of the numeric columns, used where the recipe asks for them.
        temperature: of the mean probabilities (see ``shoal.calibration``); 1 leaves them as they are.
        reference: codes ``[rows, columns]`` of some training rows, with which later tables can be compared.
    """

    preparation: Preparation
    recipe: Recipe
    layout: Layout
    networks: Members
    encoding: Encoding
    temperature: float = 1.0
    reference: np.ndarray | None = None

    def member_outputs(self, inputs: np.ndarray) -> np.ndarray:
        """Predictions of each network: probabilities ``[networks, rows, classes]``, or values ``[networks, rows]`` in the target's unit.

        Args:
            inputs: ``[rows, columns]`` as ``preparation.transform`` gives them.
        """
        outputs = predict(self.layout, self.networks, self.encoding, inputs).astype(np.float64)
        if self.preparation.task == "classification":
            return outputs / outputs.sum(-1, keepdims=True)
        if self.preparation.task == "multi_label":
            return outputs
        return outputs * self.preparation.target_sd + self.preparation.target_mean

    def outputs(self, inputs: np.ndarray) -> np.ndarray:
        """The mean over the networks: calibrated probabilities ``[rows, classes]`` or values ``[rows]``."""
        return self.combined(self.member_outputs(inputs))

    def combined(self, member_outputs: np.ndarray) -> np.ndarray:
        """The model's predictions from those of its networks (as ``member_outputs`` gives them)."""
        return scaled(member_outputs.mean(0), self.temperature, self.preparation.task == "multi_label")

    def predict(self, table: Any, proba: bool = False) -> pl.DataFrame:
        """Predictions for a table, in its row order.

        Args:
            table: a path or any data frame with the training columns; their order and further columns do not matter.
            proba: add one column ``p_<class>`` per class.

        Raises:
            DataError: naming every missing column.
        """
        return self.preparation.predictions_frame(self.outputs(self.preparation.transform(read_table(table))), proba)

    def save(self, folder: Path) -> None:
        """Write ``model.json`` and ``weights.safetensors`` into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        leaves, _ = jax.tree.flatten((self.networks, self.encoding))
        arrays = {str(number): np.asarray(leaf) for number, leaf in enumerate(leaves)}
        if self.reference is not None:
            arrays[_REFERENCE] = self.reference
        checksum = storage.write_arrays(folder / _WEIGHTS, arrays)
        content = {
            "format": MODEL_FORMAT,
            "weights_sha256": checksum,
            "networks": len(self.networks.units),
            "recipe": self.recipe.to_dict(),
            "temperature": self.temperature,
            "layout": asdict(self.layout),
            "preparation": self.preparation.to_dict(),
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
        try:
            layout = msgspec.convert(content["layout"], Layout)
            recipe = msgspec.convert(content["recipe"], Recipe)
            networks, encoding = _rebuilt(layout, int(content["networks"]), arrays)
            temperature = float(content["temperature"])
        except (KeyError, TypeError, ValueError) as error:
            remedy = "Restore it from a copy, or train again."
            raise RunFolderError(Problem("a saved model fits its description", f"{folder}: {error}", remedy)) from error
        preparation = Preparation.from_dict(content["preparation"])
        return cls(preparation, recipe, layout, networks, encoding, temperature, arrays.get(_REFERENCE))


def _rebuilt(layout: Layout, count: int, arrays: dict[str, np.ndarray]) -> tuple[Members, Encoding]:
    """The arrays in their places, with the sizes that the layout asks for."""
    hidden = layout.shape.hidden_layers
    parameters, statistics = [], []
    for layer, ((fan_in, fan_out), names) in enumerate(zip(layout.sizes, layout.vectors, strict=True)):
        parameters.append({**{name: np.empty((count, fan_out)) for name in names}, "w": np.empty((count, fan_in, fan_out))})
        if layout.shape.normalisation == "batch" and layer < hidden:
            statistics.append({name: np.empty((count, fan_out)) for name in ("mean", "variance")})
    networks = Members(tuple(parameters), tuple(statistics), np.empty((count, hidden)))
    encoded = len(arrays[str(len(jax.tree.leaves(networks)))])  # columns with bins, also where this layout does without
    encoding = Encoding(np.empty(encoded), *(np.empty((encoded, BINS)) for _ in Encoding._fields[1:]))
    leaves, structure = jax.tree.flatten((networks, encoding))
    found = [arrays[str(number)] for number in range(len(leaves))]
    for leaf, array in zip(leaves, found, strict=True):
        if leaf.shape != array.shape:
            raise ValueError(f"an array of shape {array.shape} where {leaf.shape} belongs")
    return jax.tree.unflatten(structure, found)
