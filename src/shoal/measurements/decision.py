"""How a classifier goes from probabilities to the class that it says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decision:
    """The class that is said is that of the largest ``p_c / share_c ** exponent`` (see ``shoal.decision``).

    Args:
        metric: that the exponent was fitted for, on the dev rows.
        shares: of the classes in the training rows, by their weights.
        exponent: 0 says the most probable class, whatever its share.
    """

    metric: str
    shares: tuple[float, ...]
    exponent: float

    @property
    def threshold(self) -> float:
        """Of two classes: the probability of the rarer one (of equal ones the second) from which it is said.

        Example:
            >>> round(Decision("f1", (0.9, 0.1), 1.0).threshold, 6)
            0.1
        """
        own, other = (self.shares[place] ** self.exponent for place in (self.rarer, 1 - self.rarer))
        return own / (own + other)

    @property
    def rarer(self) -> int:
        """The class of the smallest share; of equal ones the last."""
        return max(range(len(self.shares)), key=lambda place: (-self.shares[place], place))
