"""What each choice of a setting means, and its formula: activations, losses, initialisations, optimisers, decays and the rest."""

from __future__ import annotations

from typing import NamedTuple


class Choice(NamedTuple):
    """One value of a setting that is chosen from a list."""

    words: str
    formula: str = ""
    """Equations with semicolons between them."""
    item: str = ""
    """The technique behind it, where that is not the setting's own."""


AVERAGE, SQUARES = "V = beta1 V + (1 - beta1) dW", "S = beta2 S + (1 - beta2) dW^2"
RMSPROP = "W = W - alpha dW/(sqrt(S) + epsilon)"
_MOMENTS, _V_HAT, _S_HAT = f"{AVERAGE}; {SQUARES}", "V^ = V/(1 - beta1^t)", "S^ = S/(1 - beta2^t)"
_STEP = "W = W - alpha V^/(sqrt(S^) + epsilon)"

CHOICE_WORDS: dict[str, dict[str, Choice]] = {
    "activation": {
        "identity": Choice("the network stays linear, however deep", "A = Z"),
        "sigmoid": Choice("from 0 to 1; flat on both sides, where gradients vanish", "A = 1/(1 + e^-Z)"),
        "tanh": Choice("from -1 to 1 and nearly linear about 0; flat on both sides", "A = tanh(Z)"),
        "relu": Choice("0 below 0, unchanged above", "A = max(0, Z)"),
        "leaky_relu": Choice("unchanged above 0, a hundredth below, so that no unit goes dead", "A = max(0.01 Z, Z)"),
        "elu": Choice("unchanged above 0, levelling off at -1 below", "A = Z above 0, e^Z - 1 below"),
        "selu": Choice("scaled so that deep networks keep mean 0 and variance 1", "A = 1.0507 Z above 0, 1.7581 (e^Z - 1) below"),
        "gelu": Choice("a smooth ReLU, by the normal distribution", "A = Z Phi(Z)"),
        "silu": Choice("a smooth ReLU, by the sigmoid", "A = Z/(1 + e^-Z)"),
    },
    "normalisation": {
        "none": Choice("not used"),
        "batch": Choice("over the examples of a mini-batch, unit by unit"),
        "layer": Choice("over the units of a layer, example by example"),
    },
    "input_normalisation": {
        "smooth": Choice(
            "mean 0 and standard deviation 1, with logarithms of heavy tails and a smooth limit to outliers",
            "u = (x - mean)/(standard deviation); u/sqrt(1 + (u/8)^2)",
        ),
        "standard": Choice("mean 0 and standard deviation 1", "(x - mean)/(standard deviation)"),
        "robust": Choice("by median and quartiles, so that outliers do not count", "(x - median)/(interquartile range)"),
        "quantile": Choice("by their ranks, spread like a normal distribution", "Phi^-1(share of training rows below x)"),
        "min_max": Choice("the training rows lie between 0 and 1", "(x - min)/(max - min)"),
        "none": Choice("numbers stay as they are"),
    },
    "numeric_encoding": {
        "standard": Choice("one input for each column"),
        "piecewise": Choice(
            "further inputs for each column, one for each range of its values",
            "e_t = (x - b_(t-1))/(b_t - b_(t-1)), between 0 and 1, b the edges of the ranges",
        ),
        "periodic": Choice(
            "further inputs for each column, mixed of cosines whose frequencies are learned",
            "e_j = sum over k of v_kj (cos(2 pi (f_k x + p_k)) - cos(2 pi p_k))",
        ),
    },
    "loss": {
        "auto": Choice("softmax or sigmoid for classes, squared_error for quantities"),
        "softmax": Choice("cross-entropy of the classes' probabilities", "y_hat = e^z/sum of e^z; L = -log y_hat of the right class"),
        "sigmoid": Choice("cross-entropy of yes or no", "y_hat = 1/(1 + e^-z); L = -y log y_hat - (1 - y) log(1 - y_hat)", "7.2"),
        "squared_error": Choice("estimates the mean", "L = (y_hat - y)^2", "7.2"),
        "huber": Choice("outliers count less", "r = y - y_hat; L = r^2/2 up to |r| = delta, then delta (|r| - delta/2)", "7.2"),
        "poisson": Choice("estimates a rate or a count, never below 0", "y_hat = e^z; L = y_hat - y z", "7.2"),
        "quantile": Choice("estimates a quantile in place of the mean", "r = y - y_hat; L = max(q r, (q - 1) r)", "7.2"),
    },
    "initialisation": {
        "zeros": Choice("the units of a layer stay alike for ever: symmetry is never broken", "W[l] = 0"),
        "small_random": Choice("small in every layer, so that signals fade with depth", "standard deviation 0.01"),
        "xavier": Choice("keeps the variance of tanh units", "standard deviation sqrt(1/n[l-1])"),
        "glorot": Choice("keeps variances forwards and backwards", "standard deviation sqrt(2/(n[l-1] + n[l]))"),
        "he": Choice("keeps the variance of ReLU units", "standard deviation sqrt(2/n[l-1]), of the output layer sqrt(1/n[l-1])"),
        "orthogonal": Choice("keeps lengths and angles", "orthonormal columns, or rows where they are fewer"),
        "lsuv": Choice("orthogonal, then scaled by what training rows make of it", "W[l] = W[l]/sqrt(variance of Z[l])"),
    },
    "optimiser": {
        "gradient_descent": Choice("straight down the gradient", "W = W - alpha dW", "4.1"),
        "momentum": Choice("down the averaged gradient", f"{AVERAGE}; W = W - alpha V", "4.3"),
        "classical_momentum": Choice(
            "down the sum of fading gradients: 1/(1 - beta1) times as far as momentum", "V = beta1 V + dW; W = W - alpha V", "4.3"
        ),
        "nesterov": Choice("momentum that looks a step ahead", f"{AVERAGE}; W = W - alpha (beta1 V + (1 - beta1) dW)", "4.3"),
        "rmsprop": Choice("each weight's step is divided by the size of its recent gradients", f"{SQUARES}; {RMSPROP}", "4.4"),
        "adagrad": Choice("each weight's step is divided by the size of all its gradients so far", f"S = S + dW^2; {RMSPROP}", "4.4"),
        "adam": Choice("momentum and RMSprop together, bias-corrected", f"{_MOMENTS}; {_V_HAT}; {_S_HAT}; {_STEP}"),
        "adamw": Choice(
            "Adam, with weight decay apart from the gradient", f"{_MOMENTS}; {_V_HAT}; {_S_HAT}; {_STEP} - alpha weight_decay W"
        ),
        "nadam": Choice(
            "Adam with Nesterov's look ahead",
            f"{_MOMENTS}; V^ = beta1 V/(1 - beta1^(t+1)) + (1 - beta1) dW/(1 - beta1^t); {_S_HAT}; {_STEP}",
        ),
        "amsgrad": Choice("Adam whose divisor does not forget", f"{_MOMENTS}; {_V_HAT}; S^ = (largest S so far)/(1 - beta2^t); {_STEP}"),
        "lion": Choice(
            "steps of one size, by the sign of the averaged gradient",
            "W = W - alpha sign(beta1 V + (1 - beta1) dW); V = beta2 V + (1 - beta2) dW",
            "4.3",
        ),
        "muon": Choice(
            "steps that move every direction of a layer by about as much, strong or weak; biases and outputs as nadam",
            f"{AVERAGE}; O = V, singular values near 1; W[l] = W[l] - alpha 0.2 sqrt(max(n[l-1], n[l])) O",
        ),
    },
    "decay": {
        "constant": Choice("alpha stays", "alpha = alpha0"),
        "inverse_time": Choice("alpha falls fast at first, then ever slower", "alpha = alpha0/(1 + decay_rate epoch)"),
        "exponential": Choice("alpha falls by the same share in every epoch", "alpha = alpha0 decay_factor^epoch"),
        "sqrt_epoch": Choice("alpha falls with the root of the epochs, from 1", "alpha = alpha0 decay_rate/sqrt(epoch)"),
        "sqrt_step": Choice("alpha falls with the root of the steps", "alpha = alpha0 decay_rate/sqrt(t)"),
        "staircase": Choice("alpha falls in stairs", "alpha = alpha0 decay_factor^floor(epoch/decay_epochs)"),
        "linear": Choice("alpha falls along a line to 0", "alpha = alpha0 (1 - epoch/epochs)"),
        "cosine": Choice("alpha falls along half a cosine to 0", "alpha = alpha0/2 (1 + cos(pi epoch/epochs))"),
        "one_cycle": Choice(
            "alpha rises for 30 % of the training, then falls to nearly 0", "from alpha0/25 to alpha0 to alpha0/250,000, along half cosines"
        ),
        "plateau": Choice("alpha falls when the dev score gets no better, as by hand", "alpha = alpha0 decay_factor^(plateaus so far)"),
    },
    "pooling": {
        "max": Choice("the largest of each square of 2 x 2 pixels", "A = max of 4 pixels"),
        "average": Choice("the mean of each square of 2 x 2 pixels", "A = (sum of 4 pixels)/4"),
        "none": Choice("not used"),
    },
    "global_pooling": {
        "none": Choice("every pixel of every channel"),
        "average": Choice("one number for each channel, wherever in the picture it was found", "a[c] = mean of A[c] over the pixels"),
    },
    "calibration": {
        "temperature": Choice("neither too sure nor too unsure, by one number; the predicted class stays", "softmax(log(y_hat)/T)"),
        "none": Choice("not used"),
    },
}
"""Setting: choice: what it means. A test holds this complete."""
