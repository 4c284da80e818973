"""How activations and gradients pass through a network."""

from __future__ import annotations

from dataclasses import dataclass

Series = tuple[tuple[float | None, ...], ...]
"""``[moments][layers]``, the hidden layers first and the output layer last; ``None`` for a value that is not finite."""


@dataclass(frozen=True, slots=True)
class Signals:
    """One network at a few moments of its training, measured layer by layer on up to 256 training rows.

    Args:
        steps: the moments; the first is before the first step.
        loss: the cost on these rows, one value per moment.
        activation: root mean square of ``A[l]`` over rows and units; of ``Z[L]`` for the output layer.
        backward: root mean square over rows of the norm of one example's ``dJ/dZ[l]``.
        gradient: ``||dJ/dW[l]||``.
        weight: ``||W[l]||``.
        update: ``||change of W[l] in one step|| / ||W[l]||``.
        dead: share of units whose slope ``g'(Z[l])`` is next to 0 on every row.
        saturated: share of units times rows where the slope is below a twentieth of the activation's steepest.
        alike: share of units whose incoming weights are those of another unit.
    """

    steps: tuple[int, ...]
    loss: tuple[float | None, ...]
    activation: Series
    backward: Series
    gradient: Series
    weight: Series
    update: Series
    dead: Series
    saturated: Series
    alike: Series
