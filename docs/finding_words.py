"""What each finding means, in plain words: the part of its page that no run can write; and advice as a page shows it."""

import re

from shoal.explanations import SETTINGS

_CODE = re.compile(rf"--[a-z][a-z-]*(?: [A-Z]+)?|\b(?:{'|'.join(name for name in SETTINGS if '_' in name)})\b")

WORDS: dict[str, str] = {
    "SH101": "The network does not fit even the rows it was trained on as well as is possible: its train error lies clearly above "
    "the target error. More data would not help; a network that cannot follow the old rows cannot follow new ones.",
    "SH102": "The network fits its training rows much better than rows it has not seen. It has learned what is particular to these "
    "rows beside what holds in general. A high dev error alone is not high variance: only the gap between dev and train is.",
    "SH103": "The dev rows come from another distribution than the training rows, and it costs: the error on dev is clearly above "
    "the error on train-dev, rows of the training distribution that the network has not seen either. Neither more training "
    "rows of the old kind nor regularisation closes this gap.",
    "SH104": "The error on the test rows is clearly above the one on dev. The choice between many networks has used the dev rows up:"
    " the winner is partly the one that suits these rows by luck.",
    "SH105": "The dev error is known so badly that it cannot tell good from bad. A share of errors among n rows has a standard error"
    " of up to 0.5/sqrt(n): 10 points at 25 rows, 1 point at 2,500.",
    "SH106": "No rows were kept apart for the end. The dev score is that of a network chosen on these very rows, so it is too good.",
    "SH107": "A reference model that was trained on the same rows makes fewer errors on the same dev rows, by more than chance. What"
    " it reaches is possible, so the network has something left to learn.",
    "SH108": "Always giving the same answer would be about as good. Either nothing was learned, or the columns do not tell about the"
    " target, or the dev rows are too few to show it.",
    "SH109": "Nearly all rows belong to one class, and the metric counts rows. A model that never finds the rare class scores as "
    "high as one that often does.",
    "SH110": "Of the rows that the model calls 90 % sure, clearly more or fewer than 90 % are as it says. Decisions that weigh costs"
    " against chances go wrong with such numbers, even if the classes are right.",
    "SH111": "A good part of all mistakes is between the same two classes. That is where looking pays: a few dozen rows of the two,"
    " side by side, tell whether the labels mix them up, whether people can tell them apart, and from what.",
    "SH112": "These are the dev rows about which the model was surest and wrong. Each is worth a look: wrong labels gather here, and so"
    " do pictures of something else. Rows are numbered from 0 in the table; pictures go by their paths. Test rows are left alone: what is"
    " to be an honest figure at the end is not looked at before.",
    "SH201": "The loss of some networks stopped being a finite number. Steps that are too large jump over the valley, and each makes"
    " the next one larger.",
    "SH202": "The dev loss was still going down when the training ended. The network could have been better for nothing but time.",
    "SH203": "The learning rate lies above the range in which the loss falls steadily. Such steps bounce over the valley; with a "
    "decaying schedule much of the training is spent waiting for the rate to come down.",
    "SH204": "The learning rate is so low that the whole training gets less far than a few hundred steps at a better one.",
    "SH205": "The network is no better than a constant answer. This is a symptom: look at the other findings for its cause.",
    "SH206": "The training loss goes up nearly as much as down. Noise of this size hides whether anything improves.",
    "SH207": "The dev loss was lowest some time ago and has risen since, while the training loss went on falling. The weights of the"
    " lowest dev loss are the ones kept, so the model is not spoilt; the time after it was wasted.",
    "SH208": "Batch norm needs each unit's mean and variance, and estimates them from the mini-batch. From a few examples the "
    "estimates are mostly noise, and what the network sees in use differs from what it saw in training.",
    "SH209": "The inputs go into the network in their own units. A column counted in thousands then drowns one between 0 and 1, the "
    "cost becomes a long, narrow valley, and no learning rate suits both directions.",
    "SH210": "A regulariser is so strong that the network cannot fit even its training rows, while a simple reference model can. "
    "Train and dev error are alike, and both are high.",
    "SH301": "A classifier that is asked only whether a row comes from train or from dev is right far more often than by guessing. "
    "The two sets are not draws from one distribution, so the dev error partly measures the difference.",
    "SH302": "The first rows of the file are not like the last. If the order means time, a shuffled split hides that the future "
    "looks different.",
    "SH303": "The target itself is distributed differently in train and dev. Sorted rows that were cut without shuffling do this.",
    "SH304": "Some dev rows are in the training rows, too. A network can answer them from memory, and the dev error looks better "
    "than it is.",
    "SH305": "Some dev rows are next to equal to training rows: repeated measurements, frames of one film, augmented copies. They "
    "can be answered from memory nearly as well as exact copies.",
    "SH306": "Rows come in groups (a patient, a machine, a day) whose rows resemble each other, and the groups are in both train and"
    " dev. The dev error then says how well known groups are answered, not new ones.",
    "SH307": "One column alone answers nearly everything. Very often it was written down after the target was known, and will not be"
    " there when a prediction is needed.",
    "SH308": "The target follows exactly from a few columns, as a sum does from its parts. They are the target in other words.",
    "SH309": "A column that merely numbers the rows is used as an input. It can say something about these rows (the order in which "
    "they were written down) and nothing about new ones.",
    "SH310": "Even where the model is surest it is often wrong. Classes that overlap do not look like this, since then most rows are"
    " still easy; labels that are partly random do.",
    "SH311": "The file is sorted by the target. A shuffled split takes no harm; cutting the file without shuffling, or taking "
    "its first rows, would.",
    "SH312": "Some pictures of one part are in the training part as well: to the last byte, or but for what saving, shrinking or a"
    " moment between two frames changes. They can be answered from memory, and the error looks better than it is; how much better is"
    " measured. Simple pictures are near to each other without being copies, so the same share is measured among the training pictures,"
    " and only what lies beyond it counts.",
    "SH313": "All pixels of some pictures are nearly alike. Whatever label they have, nothing in them tells it.",
    "SH314": "Far more pixels of some pictures are fully black or fully white than is usual in this set. Where a camera or a conversion"
    " has cut values off, what was there cannot be had back. Drawings on a black or white ground have many such pixels in every picture,"
    " and are not meant.",
    "SH401": "On its way back through the layers the gradient shrinks by the same factor at each. The first layers then hardly learn.",
    "SH402": "On its way back (or the activation on its way forward) the signal grows by the same factor at each layer. The first "
    "steps throw the weights far away; exploding gradients do not merely slow learning, they make it diverge.",
    "SH403": "Units whose input is negative on every row have no slope there, get no gradient, and never come back.",
    "SH404": "Most answers lie where the activation is flat. The gradient that passes through them is next to nothing.",
    "SH405": "Units that start with the same weights get the same gradient, so they stay the same for ever: a layer of many units "
    "does the work of one.",
    "SH406": "Before the first step the outputs are already huge. The network begins by being very sure of nonsense, and most of the"
    " training is spent unlearning it.",
    "SH501": "The error still falls as a power of the number of rows: with more of them it would go on falling, by about as much as "
    "the curve says.",
    "SH502": "There are so few training rows that almost any network can fit them by heart.",
}


def with_code(advice: str) -> str:
    """Advice with its options and settings as code.

    Example:
        >>> with_code("Lower learning_rate, or leave it out with --drop COLUMN.")
        'Lower `learning_rate`, or leave it out with `--drop COLUMN`.'
    """
    return _CODE.sub(lambda found: f"`{found[0]}`", advice)
