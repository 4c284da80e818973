"""The loop on real tables: it mends what is broken, keeps only what is proven, and comes to the same end when it is interrupted."""

from dataclasses import replace

import numpy as np
import pytest

from shoal import data
from shoal.diagnose import judge
from shoal.loop import Change, RecipeLoop, recipe_loop, sound_baseline
from shoal.loop.recipe_loop import Question
from shoal.metrics import METRICS
from shoal.recipe import Recipe
from shoal.records import LoopPlan
from shoal.run_folder import FolderJournal, RunFolder
from shoal.trainer import Trainer

PLAN = LoopPlan(steps=1, epochs=12.0, seeds=8, network_steps=float("inf"), compilation=0.0)
SOUND = Recipe(hidden_units=(16, 16), learning_rate=1e-2, epochs=12.0, batch_size=64)
SICK = replace(SOUND, initialisation="zeros")


@pytest.fixture(scope="module")
def dataset():
    return data.load("example:breast-cancer")


def loop(dataset, begin, journal=None, plan=PLAN, listener=lambda event: None):
    return RecipeLoop(Trainer(dataset, 0, journal), METRICS["error"], plan, begin, listener=listener)


@pytest.fixture(scope="module")
def mended(dataset):
    """A loop that began with weights that never part, and what its listener heard."""
    heard = []
    return loop(dataset, SICK, listener=heard.append).run(), heard


def test_the_first_step_answers_the_deepest_disease_with_its_cure_and_keeps_it(mended):
    ledger, _ = mended
    first = [entry for entry in ledger.entries if entry.step == 1]
    assert {entry.code for entry in first} == {"SH405"}
    kept = [entry for entry in first if entry.decision == "kept"]
    assert len(kept) == 1 and "initialisation" in kept[0].settings
    assert ledger.result.initialisation == kept[0].settings["initialisation"]
    assert ledger.errors["dev"][1].value < ledger.errors["dev"][0].value / 3


def test_every_proposal_has_a_control_that_is_never_kept(mended):
    ledger, _ = mended
    for step in {entry.step for entry in ledger.entries}:
        kinds = [entry.kind for entry in ledger.entries if entry.step == step]
        assert kinds.count("proposal") == kinds.count("control") > 0
    assert {entry.decision for entry in ledger.entries if entry.kind == "control"} == {"measured"}


def test_only_what_is_proven_is_kept_and_one_change_a_step(mended):
    ledger, _ = mended
    for entry in ledger.entries:
        assert entry.loss.low <= entry.loss.value <= entry.loss.high
        if entry.decision == "kept":
            assert entry.loss.high < 0
        if entry.kind == "proposal" and entry.loss.high >= 0:
            assert entry.decision == "rejected"
    kept = [entry.step for entry in ledger.entries if entry.decision == "kept"]
    assert len(kept) == len(set(kept))


def test_the_result_is_the_first_recipe_with_what_was_kept(mended):
    ledger, _ = mended
    settings = {}
    for entry in ledger.entries:
        if entry.decision == "kept":
            settings |= entry.settings
    assert ledger.result == replace(SICK, **settings)


def test_the_listener_hears_every_entry(mended):
    ledger, heard = mended
    assert [event.entry for event in heard if event.entry is not None] == list(ledger.entries)


@pytest.mark.parametrize(("helps", "steps"), [("", 2), ("y", 3), ("nyn", 4), ("ynyy", 6)])
def test_the_loop_ends_after_two_steps_in_a_row_that_helped_nothing(dataset, helps, steps, monkeypatch):
    """The steps' outcomes are made up: ``y`` for one that helped; nothing helps after them."""
    tried = []

    def step(self, number, question, changes, current, rate_range=None, kind="proposal"):
        tried.append(number)
        self._seen.update(change.applied(current.recipe) for change in changes)
        return current if helps[number - 1 : number] == "y" else None

    always = [Change({"learning_rate": SOUND.learning_rate / (2 + number)}, "") for number in range(30)]
    monkeypatch.setattr(RecipeLoop, "step", step)
    monkeypatch.setattr(RecipeLoop, "questions", lambda *_: [Question("SH101", "made up", lambda recipe, facts: always)])
    monkeypatch.setattr(recipe_loop, "judge", lambda errors, target: replace(judge(errors, target), title="cannot tell"))
    ledger = loop(dataset, SOUND, plan=replace(PLAN, steps=8, epochs=1.0)).run()
    assert (ledger.stopped, tried) == ("nothing helped twice in a row", [*range(1, steps + 1)])


def test_without_room_for_a_change_nothing_is_trained(dataset):
    ledger = loop(dataset, SOUND, plan=replace(PLAN, steps=0)).run()
    assert (ledger.entries, ledger.result, ledger.stopped) == ((), SOUND, "the budget has no room for a change")


def test_the_loop_spends_no_more_than_its_plan(dataset):
    begun = loop(dataset, SOUND)
    enough_for_one_pair = 3 * begun._cost(SOUND)
    ledger = loop(dataset, SOUND, plan=replace(PLAN, network_steps=enough_for_one_pair)).run()
    assert len(ledger.entries) <= 2
    assert ledger.stopped == "the budget for changes was used up"


def test_an_interrupted_loop_comes_to_the_same_ledger_without_training_again(dataset, tmp_path):
    folder = RunFolder.create(tmp_path / "run", {})
    plan = replace(PLAN, steps=1)
    whole = loop(dataset, SICK, FolderJournal(folder), plan).run()
    lines = (tmp_path / "run" / "trials").read_bytes().splitlines(keepends=True)
    (tmp_path / "run" / "trials").write_bytes(b"".join(lines[:2]))
    again = loop(dataset, SICK, FolderJournal(RunFolder.open(tmp_path / "run")), plan).run()
    timeless = [[replace(entry, seconds=0.0) for entry in ledger.entries] for ledger in (whole, again)]
    assert timeless[0] == timeless[1]
    assert again.result == whole.result


def test_a_change_of_ones_own_is_measured_and_nothing_is_decided(dataset):
    entries = loop(dataset, SICK).measure_change(Change({"initialisation": "he"}, "Because. So."))
    assert [(entry.kind, entry.decision) for entry in entries] == [("user", "measured"), ("control", "measured")]
    assert entries[0].loss.high < 0 and entries[0].why == "it helps"
    assert entries[0].dev.value < 0 and entries[0].train.value < 0


def test_an_effect_is_what_training_the_two_recipes_by_hand_gives(dataset):
    own = loop(dataset, SOUND)
    changed = replace(SOUND, keep_prob=0.5)
    before, after = own.tried("by-hand", [SOUND, changed])
    truth = dataset.truth["dev"]
    losses = [-np.log([each.answers["dev"].outputs[seed, np.arange(len(truth)), truth] for seed in range(8)]) for each in (before, after)]
    expected = np.exp(np.mean(np.log(losses[1].mean(1) / losses[0].mean(1)))) - 1
    assert own.loss_effect(after, before).value == pytest.approx(expected, rel=1e-6)
    wrong = [(each.answers["dev"].outputs.argmax(-1) != truth).mean() for each in (before, after)]
    assert own.error_effect("dev", after, before).value == pytest.approx(wrong[1] - wrong[0])


def test_the_baseline_is_a_small_plain_network():
    for rows, units, batch_size, epochs in ((300, 32, 32, 200.0), (20_000, 64, 256, 51.0)):
        assert sound_baseline(rows) == Recipe(hidden_units=(units, units), batch_size=batch_size, epochs=epochs)
    assert (sound_baseline(20_000, is_picture=True).channels, sound_baseline(20_000, is_picture=True).normalisation) == ((16, 32), "batch")
