"""The recipe loop: what to change, a random change beside it, what either did, and the decision."""

from shoal.loop.changes import Change, Facts
from shoal.loop.controls import random_change
from shoal.loop.recipe_loop import RecipeLoop, sound_baseline

__all__ = ["Change", "Facts", "RecipeLoop", "random_change", "sound_baseline"]
