"""What in a recipe does not go with a data set is named, with what does."""

import pytest

from shoal.recipe import AUGMENTATIONS, CHOICES, Recipe
from shoal.suitability import unsuited

PICTURE = (12, 9, 1)


@pytest.mark.parametrize(
    ("settings", "task", "classes", "requirement", "received", "remedy"),
    [
        ({"loss": "sigmoid"}, "classification", 3, "the loss suits the target", "'sigmoid' for 3 classes", "Choose auto or softmax."),
        (
            {"loss": "huber"},
            "classification",
            2,
            "the loss suits the target",
            "'huber' for 2 classes",
            "softmax or sigmoid.",
        ),
        ({"loss": "softmax"}, "regression", 0, "the loss suits the target", "'softmax' for a quantity", "poisson or quantile"),
        ({"loss": "softmax"}, "multi_label", 3, "the loss suits the target", "'softmax' for 3", "Choose auto or sigmoid."),
        ({"label_smoothing": 0.1}, "regression", 0, "label smoothing is for classes", "label_smoothing 0.1", "Leave it out."),
        ({"class_balance": 1.0}, "regression", 0, "class_balance is for one class per row", "class_balance 1.0", "Leave it out."),
        ({"class_balance": 0.5}, "multi_label", 3, "class_balance is for one class per row", "class_balance 0.5", "Leave it out."),
    ],
)
def test_what_does_not_suit_the_task_is_named_with_what_does(settings, task, classes, requirement, received, remedy):
    (problem,) = unsuited(Recipe(**settings), task, classes, None)
    assert problem.requirement == requirement and received in problem.received and remedy in problem.remedy


def test_all_that_does_not_suit_the_task_is_reported_at_once():
    recipe = Recipe(loss="sigmoid", label_smoothing=0.1, class_balance=1.0)
    assert len(list(unsuited(recipe, "regression", 0, None))) == 3
    assert list(unsuited(Recipe(label_smoothing=0.1), "multi_label", 3, None)) == []


@pytest.mark.parametrize(
    ("settings", "picture", "requirement", "received"),
    [
        ({"channels": (8,)}, None, "convolutions need pictures", "channels (8,) for a table"),
        *(({name: 0.1}, None, f"{name} changes pictures", f"{name} 0.1 for a table") for name in AUGMENTATIONS),
        ({"numeric_encoding": "piecewise"}, PICTURE, "numeric_encoding is for the columns of a table", "'piecewise' for pictures"),
        (
            {"channels": (8,) * 4},
            PICTURE,
            "each block halves height and width, and a pixel is left",
            "4 blocks for pictures of 12 x 9 pixels",
        ),
    ],
)
def test_what_does_not_suit_the_inputs_is_named(settings, picture, requirement, received):
    (problem,) = unsuited(Recipe(**settings), "classification", 3, picture)
    assert requirement in problem.requirement and problem.received == received


def test_as_many_blocks_fit_as_halve_the_smaller_side_to_a_pixel_and_any_number_without_pooling():
    for recipe in (Recipe(channels=(8,) * 3), Recipe(channels=(8,) * 4, pooling="none"), Recipe(crop=0.1)):
        assert list(unsuited(recipe, "classification", 3, PICTURE)) == []


@pytest.mark.parametrize(("task", "classes"), [("classification", 2), ("classification", 7), ("multi_label", 5), ("regression", 0)])
def test_a_loss_that_is_left_to_the_data_suits_every_task(task, classes):
    assert list(unsuited(Recipe(), task, classes, None)) == []
    for loss in CHOICES["loss"]:
        assert len(list(unsuited(Recipe.from_dict({"loss": loss}), task, classes, None))) <= 1
