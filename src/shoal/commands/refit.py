"""The command that trains a run's networks again, on its dev rows as well."""

from __future__ import annotations

import shlex

import shoal  # its names load the engine when they are first asked for
from shoal.commands import options
from shoal.commands.messages import print_json, print_text, say
from shoal.report import Progress, refitted
from shoal.saved_run import REFITTED, to_plain


def refit(run: options.Run, as_object: options.Json = False, quiet: options.Quiet = False) -> None:
    """Train the networks of a run's model again, on its dev rows as well: more rows often make better networks.

    When all has been decided the dev rows have done their work. The same recipes are trained for
    as long as they were of use; where there are test rows, both models are scored on them. The
    new model lies beside the run's own, which stays what it is.
    """
    with Progress(quiet) as progress:
        found = shoal.refit(run, listener=progress)
    if as_object:
        print_json(to_plain(found))
        return
    print_text(refitted(found))
    say("", "", f"The model: {run / REFITTED}. Predict with it: {shlex.join(['shoal', 'predict', str(run), 'NEW_FILE', '--refitted'])}")
