"""The table of all settings: which part of a recipe and which technique each belongs to, and how it is put into words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shoal.explanations import values
from shoal.explanations.choices import AVERAGE, RMSPROP, SQUARES
from shoal.parameters import has_residual
from shoal.recipe import Recipe

ITEMS: dict[str, str] = {
    "1.4": "The basic recipe",
    "2.1": "L2 and weight decay",
    "2.2": "L1",
    "2.4": "Inverted dropout",
    "2.5": "Data augmentation",
    "2.6": "Early stopping",
    "2.7": "Label smoothing and max-norm",
    "3.1": "Normalising inputs",
    "3.2": "Vanishing and exploding gradients",
    "3.3": "Initialisation",
    "4.1": "Mini-batch gradient descent",
    "4.2": "Exponentially weighted averages",
    "4.3": "Momentum",
    "4.4": "RMSprop",
    "4.5": "Adam",
    "4.6": "Learning-rate decay",
    "5.1": "What is tuned",
    "6.1": "Batch normalisation",
    "6.2": "Batch normalisation at test time",
    "7.1": "Softmax",
    "7.2": "Binary and regression outputs",
}
"""The techniques of the method that settings belong to, by number."""

NETWORK, OUTPUTS, START = "Network", "Outputs and loss", "Initialisation"
OPTIMISATION, RATE, REGULARISATION = "Optimisation", "Learning rate", "Regularisation"
STOPPING, CALIBRATION = "Stopping", "Calibration"

NEVER = object()
"""A setting that is never off."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the table says about one setting."""

    heading: str
    item: str
    topic: str
    """What the setting governs, as a phrase: "inverted dropout on the hidden layers"."""
    meaning: str
    words: Callable[[Recipe], str] | None = None
    """What its value means; ``None`` where each choice has words of its own."""
    formula: str = ""
    """Equations with semicolons between them."""
    off: Any = NEVER
    """The value that leaves the technique out."""
    unused: Callable[[Recipe], str] = lambda recipe: ""
    """Which other setting leaves this one without effect; empty where none does."""
    example: str = ""
    """A value to begin with, for settings that a recipe file leaves out when they are off."""


def _no_layers(recipe: Recipe) -> str:
    return "" if recipe.hidden_units or recipe.channels else "hidden_units is empty"


def _no_convolutions(recipe: Recipe) -> str:
    return "" if recipe.channels else "channels is empty"


def _from_zeros(recipe: Recipe) -> str:
    return "initialisation is zeros" if recipe.initialisation == "zeros" else ""


def _unless(name: str, *needed: str) -> Callable[[Recipe], str]:
    return lambda recipe: "" if getattr(recipe, name) in needed else f"{name} is {getattr(recipe, name)}"


def _unless_optimiser(*blocks: str, but: str = "") -> Callable[[Recipe], str]:
    """Unused without one of these building blocks, or with the block ``but``."""

    def reason(recipe: Recipe) -> str:
        has = {name for name, on in recipe.blocks._asdict().items() if on}
        return "" if has & set(blocks) and but not in has else f"optimiser is {recipe.optimiser}"

    return reason


SETTINGS: dict[str, Setting] = {
    "hidden_units": Setting(
        NETWORK, "5.1", "units of the hidden layers", "Units of each hidden layer, the first one first.",
        values.depth, "Z[l] = W[l] A[l-1] + b[l]",
    ),
    "activation": Setting(
        NETWORK, "1.4", "the activation of hidden units", "What each hidden unit makes of its sum Z.", unused=_no_layers,
    ),
    "activation_rate": Setting(
        NETWORK, "1.4", "a learned share of the activation", "How many times as fast as the weights the share of the activation learns.",
        lambda recipe: f"each unit learns how much it bends, at {recipe.activation_rate:.3g} times the learning rate",
        "A = s g(Z) + (1 - s) Z; s = s - activation_rate alpha ds", 0.0, _no_layers,
    ),
    "normalisation": Setting(
        NETWORK, "6.1", "normalisation inside the network", "What Z is normalised over before the activation, with learned gamma and beta.",
        None, "Z_norm = (Z - mu)/sqrt(sigma^2 + 0.00001); Z~ = gamma Z_norm + beta", "none", _no_layers,
    ),
    "batch_norm_beta": Setting(
        NETWORK, "6.2", "batch norm's running averages", "Weight of the past in the averages of mean and variance that serve at test time.",
        lambda recipe: values.span(recipe.batch_norm_beta, "mini-batch"), "mu = beta mu + (1 - beta) mu{t}",
        unused=lambda recipe: _no_layers(recipe) or _unless("normalisation", "batch")(recipe),
    ),
    "input_normalisation": Setting(
        NETWORK, "3.1", "normalisation of the inputs", "What is done to numeric columns, with numbers fitted on the training rows only.",
    ),
    "numeric_encoding": Setting(
        NETWORK, "3.1", "how numeric columns enter the network", "What the first layer is given of each numeric column.",
    ),
    "frequency_scale": Setting(
        NETWORK, "3.1", "how finely a periodic encoding begins", "Standard deviation of the first frequencies, in cycles per unit.",
        lambda recipe: f"a typical cosine has one cycle in {1 / recipe.frequency_scale:.3g} standard deviations of a column",
        "f_k = frequency_scale times a standard normal number", unused=_unless("numeric_encoding", "periodic"),
    ),
    "input_scale_rate": Setting(
        NETWORK, "3.1", "a learned factor of every input", "How many times as fast as the weights the factor of an input learns.",
        lambda recipe: f"inputs that say little are turned down at {recipe.input_scale_rate:.3g} times the learning rate",
        "x_j becomes s_j x_j; s_j = s_j - input_scale_rate alpha ds_j", 0.0,
    ),
    "channels": Setting(
        NETWORK, "5.1", "the filters of the convolutions", "Filters of each block of convolutions, which pictures pass before the layers.",
        values.blocks, "Z[c] = sum over channels d of W[c,d] * A[d] + b[c], * the cross-correlation", (),
    ),
    "convolutions_per_block": Setting(
        NETWORK, "5.1", "the depth of a block", "Convolutions that follow each other before the pictures are pooled.",
        lambda recipe: values.count(recipe.convolutions_per_block, "convolution") + " in each block", unused=_no_convolutions,
    ),
    "kernel_size": Setting(
        NETWORK, "5.1", "the size of the filters", "Side of the square of pixels that a filter sees at a time.",
        values.kernel, unused=_no_convolutions,
    ),
    "pooling": Setting(
        NETWORK, "5.1", "pooling", "What each square of 2 x 2 pixels becomes at the end of a block.", off="none", unused=_no_convolutions,
    ),
    "residual": Setting(
        NETWORK, "3.2", "residual connections", "Whether layers as wide as the one before them add to what they see.",
        lambda recipe: "signals and gradients pass such a layer unchanged beside it" if recipe.residual else "not used",
        "A[l] = A[l-1] + g(Z[l])", False, lambda recipe: "" if has_residual(recipe) else "no layer follows another of its kind",
    ),
    "global_pooling": Setting(
        NETWORK, "5.1", "what dense layers see of a picture", "What the layers after the convolutions are given.", unused=_no_convolutions,
    ),
    "loss": Setting(OUTPUTS, "7.1", "what is minimised", "What is averaged over the examples and minimised."),
    "huber_delta": Setting(
        OUTPUTS, "7.2", "where the huber loss becomes a line", "Where the huber loss turns from a square into a line.",
        lambda recipe: f"errors beyond {values.count(recipe.huber_delta, 'standard deviation')} of the target count by size, not by square",
        unused=_unless("loss", "huber"),
    ),
    "quantile": Setting(
        OUTPUTS, "7.2", "which quantile is estimated", "Which quantile the quantile loss estimates.",
        lambda recipe: f"{100 * recipe.quantile:.4g} % of the targets lie below the prediction", unused=_unless("loss", "quantile"),
    ),
    "class_balance": Setting(
        OUTPUTS, "7.1", "weights of the classes", "How far examples of rare classes are weighed up.",
        values.class_balance, "weight = (m/(C m_c))^class_balance of an example of class c, which has m_c of the m rows", 0.0,
    ),
    "initialisation": Setting(START, "3.3", "initial weights", "How the weights are drawn before the first step."),
    "initialisation_gain": Setting(
        START, "3.3", "the size of the initial weights", "A factor on the initial weights.",
        lambda recipe: f"initial weights are {recipe.initialisation_gain:.4g} times as large", off=1.0,
        unused=_from_zeros,
    ),
    "output_gain": Setting(
        START, "3.3", "the size of the output layer's initial weights", "A further factor on the initial weights of the output layer.",
        lambda recipe: f"initial weights of the output layer are {recipe.output_gain:.4g} times as large", off=1.0,
        unused=_from_zeros,
    ),
    "batch_size": Setting(
        OPTIMISATION, "4.1", "examples in a mini-batch", 'Examples in a mini-batch; "all" is batch gradient descent.',
        values.batch, "J{t} = sum of L over mini-batch t / batch size",
    ),
    "optimiser": Setting(OPTIMISATION, "4.5", "how a gradient becomes a step", "How a gradient becomes a step."),
    "beta1": Setting(
        OPTIMISATION, "4.3", "the averaged gradient", "Weight of the past in the averaged gradient.",
        lambda recipe: values.span(recipe.beta1, "gradient"), AVERAGE, unused=_unless_optimiser("first_moment"),
    ),
    "beta2": Setting(
        OPTIMISATION, "4.4", "the averaged squared gradient", "Weight of the past in the averaged squared gradient (lion: gradient).",
        values.beta2, SQUARES, unused=_unless_optimiser("second_moment", "sign", but="accumulate"),
    ),
    "epsilon": Setting(
        OPTIMISATION, "4.4", "the term that keeps the divisor above 0", "Added to the root in the divisor, which is thus never 0.",
        lambda recipe: f"gradients far below {recipe.epsilon:.3g} make short steps", RMSPROP, unused=_unless_optimiser("second_moment"),
    ),
    "clip_value": Setting(
        OPTIMISATION, "3.2", "clipping of the gradient's entries", "Largest size of each entry of the gradient.",
        lambda recipe: f"each entry is held between -{recipe.clip_value:.4g} and {recipe.clip_value:.4g}", "dW = min(max(dW, -c), c)",
        None, example="0.5",
    ),
    "clip_norm": Setting(
        OPTIMISATION, "3.2", "clipping of the gradient's norm", "Largest norm of the whole gradient.",
        lambda recipe: f"a longer gradient is scaled down to norm {recipe.clip_norm:.4g}", "dW = dW min(1, c/||dW||)", None, example="1.0",
    ),
    "weight_average": Setting(
        OPTIMISATION, "4.2", "an average of the weights", "Weight of the past in an average of the weights, which is what is used.",
        lambda recipe: values.span(recipe.weight_average, "step"), "V = beta V + (1 - beta) W; used as V/(1 - beta^t)", 0.0,
    ),
    "learning_rate": Setting(
        RATE, "5.1", "the size of a step", "The learning rate alpha at its highest; no setting matters more.", values.step_size,
    ),
    "decay": Setting(RATE, "4.6", "how the learning rate changes", "How alpha changes once the warm-up is over.", off="constant"),
    "decay_rate": Setting(
        RATE, "4.6", "how fast the learning rate falls", "How fast alpha falls by inverse_time; the k of sqrt_epoch and sqrt_step.",
        values.decay_rate, unused=_unless("decay", "inverse_time", "sqrt_epoch", "sqrt_step"),
    ),
    "decay_factor": Setting(
        RATE, "4.6", "by how much the learning rate falls", "What alpha is multiplied by, each epoch, stair or plateau.",
        values.decay_factor, unused=_unless("decay", "exponential", "staircase", "plateau"),
    ),
    "decay_epochs": Setting(
        RATE, "4.6", "when the learning rate falls", "Length of a stair, or of a plateau that makes alpha fall.",
        values.decay_epochs, unused=_unless("decay", "staircase", "plateau"),
    ),
    "warm_up": Setting(
        RATE, "4.6", "the warm-up of the learning rate", "Epochs in which alpha rises before its decay begins.",
        values.warm_up, "alpha = alpha0 t/(steps of the warm-up)", 0.0,
    ),
    "l2": Setting(
        REGULARISATION, "2.1", "L2 regularisation", "The lambda of the L2 term, whose gradient passes through the optimiser.",
        values.l2, "J = J + lambda/(2m) sum of ||W[l]||^2; dW = dW + (lambda/m) W", 0.0,
    ),
    "weight_decay": Setting(
        REGULARISATION, "2.1", "decoupled weight decay", "Share by which weights shrink, apart from the gradient; biases do not.",
        values.weight_decay, "W = W - alpha weight_decay W", 0.0,
    ),
    "l1": Setting(
        REGULARISATION, "2.2", "L1 regularisation", "The lambda of the L1 term, which makes weights exactly 0.",
        values.l1, "J = J + lambda/m sum of |W[l]|; W = sign(W) max(|W| - alpha lambda/m, 0)", 0.0,
    ),
    "max_norm": Setting(
        REGULARISATION, "2.7", "max-norm of the weights", "Largest norm of the weights into one hidden unit.",
        lambda recipe: f"longer ones are scaled back to {recipe.max_norm:.4g} after each step", "w = w min(1, c/||w||)",
        None, _no_layers, "3.0",
    ),
    "keep_prob": Setting(
        REGULARISATION, "2.4", "inverted dropout on the hidden layers",
        "Probability that a hidden unit is kept in a training step, for all hidden layers or one by one.",
        values.dropout, "d = rand(A.shape) < keep_prob; A = A d/keep_prob", 1.0, _no_layers,
    ),
    "input_keep_prob": Setting(
        REGULARISATION, "2.4", "inverted dropout on the inputs", "Probability that an input is kept in a training step.",
        lambda recipe: f"of 50 inputs, {50 * (1 - recipe.input_keep_prob):.3g} are off on average",
        "d = rand(X.shape) < keep_prob; X = X d/keep_prob", 1.0,
    ),
    "input_noise": Setting(
        REGULARISATION, "2.5", "noise on the inputs", "Standard deviation of normal noise added to the inputs in training.",
        lambda recipe: f"noise {recipe.input_noise:.3g} times as wide as a normalised input", "X = X + input_noise N(0, 1)", 0.0,
    ),
    "mixup": Setting(
        REGULARISATION, "2.5", "mixup of examples", "Examples are mixed in pairs, with shares drawn from Beta(a, a); this is a.",
        values.mixup, "X = s X + (1 - s) X'; J = s J(Y) + (1 - s) J(Y')", 0.0,
    ),
    "horizontal_flip": Setting(
        REGULARISATION, "2.5", "pictures mirrored left to right", "Probability that a picture is mirrored from left to right in a step.",
        lambda recipe: values.mirrored(recipe.horizontal_flip), off=0.0,
    ),
    "vertical_flip": Setting(
        REGULARISATION, "2.5", "pictures mirrored top to bottom", "Probability that a picture is mirrored from top to bottom in a step.",
        lambda recipe: values.mirrored(recipe.vertical_flip), off=0.0,
    ),
    "crop": Setting(
        REGULARISATION, "2.5", "random crops of pictures", "Share of the side that is added around a picture before a crop of its size.",
        values.crop, off=0.0,
    ),
    "rotation": Setting(
        REGULARISATION, "2.5", "turned pictures", "Largest angle in degrees that a picture is turned by, either way.",
        lambda recipe: f"turned by up to {recipe.rotation:.4g} degrees, clockwise or counter-clockwise", off=0.0,
    ),
    "zoom": Setting(
        REGULARISATION, "2.5", "pictures enlarged and shrunk", "Largest relative change of a picture's scale.",
        lambda recipe: f"between {1 / (1 + recipe.zoom):.3g} and {1 + recipe.zoom:.3g} times as large", off=0.0,
    ),
    "shift": Setting(
        REGULARISATION, "2.5", "shifted pictures", "Largest shift of a picture as a share of its side, between pixels too.",
        lambda recipe: f"shifted by up to {values.of_32(recipe.shift)}, either way and along both axes", off=0.0,
    ),
    "brightness": Setting(
        REGULARISATION, "2.5", "brighter and darker pictures", "Largest relative change of a picture's brightness.",
        lambda recipe: values.scaled("all values", recipe.brightness), "X = X + b X, b between -brightness and brightness", 0.0,
    ),
    "contrast": Setting(
        REGULARISATION, "2.5", "pictures of other contrast", "Largest relative change of the distances from a picture's mean grey.",
        lambda recipe: values.scaled("distances from the mean grey", recipe.contrast),
        "X = X + k (X - mean grey), k between -contrast and contrast", 0.0,
    ),
    "saturation": Setting(
        REGULARISATION, "2.5", "pictures of other saturation", "Largest relative change of the distances from each pixel's grey.",
        lambda recipe: values.scaled("distances from grey", recipe.saturation),
        "X = X + s (X - grey), s between -saturation and saturation", 0.0,
    ),
    "cutout": Setting(
        REGULARISATION, "2.5", "erased squares in pictures", "Side of the square that is erased, as a share of the picture's shorter side.",
        lambda recipe: f"a square of {values.of_32(recipe.cutout)} a side takes the mean colour", off=0.0,
    ),
    "label_smoothing": Setting(
        REGULARISATION, "2.7", "label smoothing", "Share of the target's probability that is spread evenly over the C classes.",
        values.label_smoothing, "y = (1 - share) y + share/C", 0.0,
    ),
    "epochs": Setting(
        STOPPING, "1.4", "the length of the training", "Length of the training, in passes over the training rows.", values.length,
    ),
    "patience": Setting(
        STOPPING, "2.6", "early stopping", "Epochs without a better dev score after which training stops; the best weights are kept.",
        lambda recipe: f"stops after {values.count(recipe.patience or 0, 'epoch')} without a better dev score", off=None, example="10.0",
    ),
    "patience_steps": Setting(
        STOPPING, "2.6", "early stopping", "The same in steps; give one of them at most.",
        lambda recipe: f"stops after {values.count(recipe.patience_steps or 0, 'step')} without a better dev score",
        off=None, example="1000",
    ),
    "calibration": Setting(
        CALIBRATION, "7.1", "calibration of probabilities", "How the final probabilities are calibrated on the dev rows.", off="none",
    ),
}  # fmt: skip
"""Every setting by its name, in the method's order; a test holds it complete."""
