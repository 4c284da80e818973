"""The answers after a search: luck, importance, what further trials would bring, which network would do. Nothing here trains.

Optuna and scikit-learn are loaded with this room, which takes a while: import it where a search has ended, not before.
"""

from __future__ import annotations

from shoal.answers.every import answers
from shoal.answers.smallest import parameter_count

__all__ = ["answers", "parameter_count"]
