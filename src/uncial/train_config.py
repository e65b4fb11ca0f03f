"""All settings of a training, as one frozen value that TOML files and `--set` fill in."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from uncial.architecture import CRNNConfig
from uncial.augment import AugmentConfig
from uncial.config import from_dict, to_dict
from uncial.lineimage import LineImageConfig

# What a run may not change on its way: these make the network, its pictures, and the batches of an epoch.
_ORDER = "batch_lines", "synthetic_share", "splice_share", "easy_skipped", "narrow_first", "seed"
_JUDGED = "error_weight"  # how validation lines are read
_APART = "backbone_rate"  # which weights the optimiser knows, and in which groups
DECISIVE = "network", "line_image", *_ORDER, _JUDGED, _APART


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that decides the course of a training.

    Attributes:
        network: the parts of the network.
        line_image: the preprocessing.
        augment: how much training lines vary.
        minutes: budget in wall time, all told; 0: `epochs` decides.
        epochs: budget in passes over the training lines, where `minutes` is 0.
        most_epochs: where `minutes` is not 0, so many passes use up the budget before the time is; 0: time alone does.
        batch_lines: lines of typical width in a batch.
        learning_rate: peak of the one-cycle schedule.
        backbone_rate: of the backbone's learning rate to that of all else; 0 leaves the backbone as it was.
        batch_statistics: normalise by each batch and go on averaging its statistics; off, by those that are there.
        warmup: share of the budget in which the rate rises to its peak.
        weight_decay: of AdamW, on filters and matrices only.
        clip: longest gradient.
        averaging: decay a step of the moving average of the weights, which is what validates and is kept.
        ctc_weight: share in the loss of what CTC asks of the network's own head.
        error_weight: share in the loss of the errors, of each grapheme, that are to be expected of a search with a
            language model, see `nn.expected_errors`; the run begins with a bundle that has one, whose weights in the
            search are taken. With 1, `ctc_weight` and `shortcut_weight` want to be a tenth of theirs. 0: none.
        shortcut_weight: share of the shortcut head in the loss.
        bigram_weight: share in the loss of a head that reads pairs of neighbouring graphemes; it is there in training
            alone, and no bundle holds it. 0: there is no such head.
        bigrams: that it reads, the most frequent ones of the training lines; the others are passed over.
        teacher_weight: share of the divergence from the teacher in the loss, where there is a teacher; with 0, it
            finds word gaps only.
        synthetic_share: of the lines of each epoch, taken from the synthetic ones, others in each; 0 uses none.
        splice_share: of the real lines of each epoch, others in each, of which the right part is replaced by that of
            another line of the same page, document or collection, cut at word gaps; 0 leaves all lines as they are.
            The bundle to begin with, or else the teacher, finds the gaps; lines without any stay as they are.
        easy_skipped: share of the easy lines, those that cost less than the mean when last seen, that an epoch passes
            over, others in each, so that time goes to the hard ones; 0: none.
        narrow_first: the first so many lines of the first epoch come from narrow to wide: a network of chance writes
            blanks only for its first thousand steps, and short texts end that in half of them. 0: in any order, as
            always where a run begins with a bundle.
        held_out: share of the lines, at least 3, to choose by where no line is of split "val"; 0: some pages.
        rarest: graphemes that occur less often are left out of the alphabet, and their lines out of training.
        validation_lines: at most so many are read in a validation, spread evenly; 0: all.
        validate_minutes: between validations.
        keep_start: validate before the first step, so that nothing is kept that reads worse than what was begun with.
        tolerance: a later network is kept if its CER is at most by this share above the best; few lines tell no closer.
        patience: end after so many validations without a new best; 0: use the whole budget.
        checkpoint_minutes: between checkpoints.
        memory_gb: decoded line images are kept in memory up to this.
        threads: of PyTorch; 0 leaves it to choose.
        precision: "auto" (bf16 where the processor gains by it) or "float32".
        device: "auto", "cpu", "cuda" or "mps".
        int8_lines: training lines by which the scales of the int8 graph are set when the run ends; 0: none.
        adapt_language: take the language model of a bundle that the run begins with to the text of the training lines.
        language_bytes: largest language model of the training lines' text that the run ends with, where nothing that it
            began with had one and validation lines read better by it; 0: none.
        seed: of all chance.
    """

    network: CRNNConfig = field(default_factory=CRNNConfig)
    line_image: LineImageConfig = field(default_factory=LineImageConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    minutes: float = 0.0
    epochs: int = 40
    most_epochs: int = 0
    batch_lines: int = 16
    learning_rate: float = 1e-3
    backbone_rate: float = 1.0
    batch_statistics: bool = True
    warmup: float = 0.06
    weight_decay: float = 1e-2
    clip: float = 5.0
    averaging: float = 0.999
    ctc_weight: float = 1.0
    error_weight: float = 0.0
    shortcut_weight: float = 0.1
    bigram_weight: float = 0.0
    bigrams: int = 500
    teacher_weight: float = 1.0
    synthetic_share: float = 0.3
    splice_share: float = 0.0
    easy_skipped: float = 0.0
    narrow_first: int = 15_000
    held_out: float = 0.0
    rarest: int = 1
    validation_lines: int = 2000
    validate_minutes: float = 10.0
    keep_start: bool = False
    tolerance: float = 0.0
    patience: int = 0
    checkpoint_minutes: float = 4.0
    memory_gb: float = 4.0
    threads: int = 0
    precision: str = "auto"
    device: str = "auto"
    int8_lines: int = 64
    adapt_language: bool = True
    language_bytes: int = 2_000_000
    seed: int = 1

    def __post_init__(self) -> None:
        """Check ranges."""
        if self.precision not in ("auto", "float32"):
            raise ValueError(f"precision is 'auto' or 'float32', not '{self.precision}'")
        if self.device not in ("auto", "cpu", "cuda", "mps"):
            raise ValueError(f"device is 'auto', 'cpu', 'cuda' or 'mps', not '{self.device}'")
        negative = [f.name for f in fields(self) if f.type in (int, float) and getattr(self, f.name) < 0]
        if negative:
            raise ValueError(f"{', '.join(negative)} must not be negative")
        if min(self.batch_lines, self.bigrams) < 1 or not self.clip or self.seed >= 2**32:
            raise ValueError("batch_lines and bigrams are at least 1, clip above 0, and seed below 2**32")
        shares = {"averaging": self.averaging, "warmup": self.warmup, "synthetic_share": self.synthetic_share}
        shares |= {"splice_share": self.splice_share, "held_out": self.held_out, "easy_skipped": self.easy_skipped}
        beyond = [name for name, share in shares.items() if not 0 <= share < 1]
        if beyond:
            raise ValueError(f"{', '.join(beyond)} lies in [0, 1)")
        if not self.minutes and not self.epochs:
            raise ValueError("a training needs a budget: minutes or epochs above 0")
        if self.network.height != self.line_image.height:
            raise ValueError(
                f"network.height {self.network.height} and line_image.height {self.line_image.height} must be equal"
            )

    def decisive(self) -> dict[str, Any]:
        """The settings that a run may not change on its way, as plain values."""
        settings = to_dict(self)
        return {name: settings[name] for name in DECISIVE}

    def going_on_from(
        self, network: CRNNConfig, line_image: LineImageConfig, changes: Mapping[str, Mapping[str, Any]]
    ) -> "TrainConfig":
        """These settings for a training that begins with a bundle: its network and preprocessing, any order of lines.

        Args:
            network: of the bundle.
            line_image: of the bundle.
            changes: settings of "network" and "line_image" that differ all the same.

        Raises:
            ConfigError: a changed setting does not exist or is out of range.
        """
        network = from_dict(CRNNConfig, {**to_dict(network), **changes.get("network", {})}, "network")
        line_image = from_dict(LineImageConfig, {**to_dict(line_image), **changes.get("line_image", {})}, "line_image")
        return replace(self, network=network, line_image=line_image, narrow_first=0)
