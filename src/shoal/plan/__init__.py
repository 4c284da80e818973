"""What a budget buys: a fixed plan, made by measuring before the search begins, and kept to.

The plan decides everything that time could influence, so that what follows depends on the plan, the data and the seed
only: the same plan gives the same networks, and an interrupted run continues to the same result.
"""

from shoal.plan.budget import LEAST_LOOP_SECONDS, LOOP_SHARE, Budget, default_budget
from shoal.plan.costs import JOB_SECONDS, rung_seconds
from shoal.plan.curve import curve_epochs, curve_seconds
from shoal.plan.loop import loop_is_out_of_reach, plan_loop
from shoal.plan.search import LEAST_SECONDS_TO_COMPARE, families_within, plan_seconds, plan_trials, slots_needed, with_length
from shoal.plan.shoals import Speed, end_together
from shoal.plan.ways import DEFAULT_METHOD, FEWER_RETRAINS, MOST_COMPARED, MOST_ROUNDS, RETRAINS, Method

__all__ = [
    "DEFAULT_METHOD",
    "FEWER_RETRAINS",
    "JOB_SECONDS",
    "LEAST_LOOP_SECONDS",
    "LEAST_SECONDS_TO_COMPARE",
    "LOOP_SHARE",
    "MOST_COMPARED",
    "MOST_ROUNDS",
    "RETRAINS",
    "Budget",
    "Method",
    "Speed",
    "curve_epochs",
    "curve_seconds",
    "default_budget",
    "end_together",
    "families_within",
    "loop_is_out_of_reach",
    "plan_loop",
    "plan_seconds",
    "plan_trials",
    "rung_seconds",
    "slots_needed",
    "with_length",
]
