"""What is wrong, how sure that is, and what to do next.

Measuring stands apart from judging: ``gaps`` turns predictions into errors with intervals, ``verdict`` decides what they
mean, ``checks`` looks for single diseases, ``advice`` names the one next step. None of them trains anything.
"""

from shoal.diagnose.advice import next_step
from shoal.diagnose.case import Case, Check, Outcome
from shoal.diagnose.checks import CAUSES, CHECKS, best_first, findings
from shoal.diagnose.gaps import Errors, PartError, PartPrediction, measure
from shoal.diagnose.verdict import judge

__all__ = [
    "CAUSES",
    "CHECKS",
    "Case",
    "Check",
    "Errors",
    "Outcome",
    "PartError",
    "PartPrediction",
    "best_first",
    "findings",
    "judge",
    "measure",
    "next_step",
]
