"""Searches as Optuna studies: trials written into one, earlier trials read back, and several processes searching through one.

Importing it loads Optuna; ``import shoal`` does not.
"""

from shoal.study.address import FILE, Address, storage_problems
from shoal.study.earlier import Earlier, earlier_trials
from shoal.study.shared import SharedStudy
from shoal.study.writer import StudyWriter

__all__ = ["FILE", "Address", "Earlier", "SharedStudy", "StudyWriter", "earlier_trials", "storage_problems"]
