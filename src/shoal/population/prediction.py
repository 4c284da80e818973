"""What trained networks of one layout answer."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from shoal import devices
from shoal.losses import activate_output
from shoal.nets.network import Layout, network_inputs, outputs
from shoal.population.kept_programs import KeptProgram, can_be_kept
from shoal.population.programs import MOST_PROGRAMS, Inputs, over, programs_of
from shoal.training import State

PREDICTION_ROWS = 1024


def forget_programs() -> None:
    """Let go of the compiled programs of this process; the cache on disk stays. For jobs that go through very many layouts."""
    programs_of.cache_clear()
    _predictor.cache_clear()


class Members(NamedTuple):
    """Trained networks of one layout, on the host, with a leading axis of networks."""

    parameters: Any
    statistics: Any
    units: Any


can_be_kept(Members)


def members(state: State, units: np.ndarray) -> Members:
    """The best networks of a shoal's states (as ``take`` gives them), ready to predict."""
    first, *others = state.best.parameters
    if "scale" in first:  # learned factors of the inputs are one with the weights from here on: a model is of the same layout without
        weights = first["scale"][..., None] * first["w"]
        first = {name: values for name, values in first.items() if name != "scale"} | {"w": weights}
    return Members((first, *others), state.best.statistics, units)


@functools.lru_cache(maxsize=MOST_PROGRAMS)
def _predictor(layout: Layout) -> KeptProgram:
    def predict(networks: Members, x: Array, encoding: Inputs) -> Array:
        x = network_inputs(layout, x, encoding)

        def one(network: Members) -> Array:
            return activate_output(layout.loss, outputs(layout, network.parameters, network.statistics, x, network.units))

        return over(layout, one, (0,))(networks)

    return KeptProgram(predict, "predict", layout)


def predict(layout: Layout, networks: Members, encoding: Inputs, x: np.ndarray) -> np.ndarray:
    """Predictions of each network: probabilities ``[networks, rows, classes]`` or standardised values ``[networks, rows]``.

    Args:
        layout: of the networks.
        networks: as ``members`` gives them.
        encoding: of the tables they were trained on.
        x: ``[rows, columns]`` inputs, not padded.
    """
    devices.start()
    program = _predictor(layout)
    on_device, encoding = jax.device_put((networks, encoding))
    blocks = []
    for first in range(0, max(len(x), 1), PREDICTION_ROWS):
        block = np.zeros((PREDICTION_ROWS, layout.columns), np.uint8 if layout.picture else np.float32)
        piece = x[first : first + PREDICTION_ROWS]
        block[: len(piece), : x.shape[1]] = piece
        blocks.append(np.asarray(program(on_device, block, encoding))[:, : len(piece)])
    return np.concatenate(blocks, axis=1)
