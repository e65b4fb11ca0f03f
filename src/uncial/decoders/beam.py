"""CTC prefix beam search with a character language model, for many lines at once.

All lines go forward together, one informative time step at a time: steps that are surely blank are joined first. A
prefix keeps the sums over its alignments that end in a blank and in its last grapheme; equal prefixes are merged
exactly. Prefixes are ranked by log P(prefix | image) + weight · log P(prefix | language) + its graphemes' bonuses.

Source: Graves and Jaitly 2014, "Towards end-to-end speech recognition", section 4; Hannun et al. 2014. The prior: Miao
et al. 2015, "EESEN", section 3.3, there for each time step, here for each grapheme.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncial.alphabet import BLANK
from uncial.ngram import EDGE, NGrams

NEVER = np.float32(-1e30)  # log of zero that may be subtracted from itself

Array = NDArray[np.float32]
Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BeamConfig:
    """How the search weighs and where it stops looking.

    Attributes:
        weight: of the language model's log-probability; 0: none.
        bonus: nats for each grapheme, against the language model's liking for short texts.
        prior: nats by which a grapheme's bonus grows for each nat that its log-probability in the language model,
            without a context, lies below the mean one; nothing without a language model. The network has learned how
            frequent graphemes are, and the language model tells it again.
        width: prefixes kept of each line.
        candidates: graphemes tried at a time step.
        least: log-posterior below which a grapheme is not tried.
        gap: nats behind the best prefix at which one is dropped.
        blank: posterior of the blank above which a time step says nothing else.
    """

    weight: float = 0.35
    bonus: float = 1.5
    prior: float = 0.0
    width: int = 8
    candidates: int = 5
    least: float = -7.0
    gap: float = 12.0
    blank: float = 0.99


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One reading of a line.

    Attributes:
        classes: its graphemes, 1..C-1.
        score: nats; comparable within a line.
    """

    classes: tuple[int, ...]
    score: float


@dataclass
class _Beam:
    """The prefixes of N lines, B each, best first."""

    blank: Array  # (N, B) log-sum of the alignments that end in a blank
    last: Array  # (N, B) the same of those that end in the last grapheme
    extra: Array  # (N, B) language model and bonus
    node: Ids  # (N, B) of the tree of prefixes; equal prefixes of a line have one node
    parent: Ids  # (N, B) node of the prefix without its last grapheme, -1 for the empty one
    class_: Ids  # (N, B) the last grapheme, 0 for the empty prefix
    context: Ids  # (N, B) of the language model

    @property
    def total(self) -> Array:
        """(N, B) log P(prefix | image)."""
        return np.logaddexp(self.blank, self.last)


def beam_search(
    log_probs: Sequence[NDArray[np.floating]], model: NGrams | None = None, config: BeamConfig | None = None
) -> list[list[Hypothesis]]:
    """Read lines.

    Args:
        log_probs: (T, C) natural-log posteriors of each line; class 0 is the blank.
        model: the language model over the same classes; None: the image alone decides.
        config: weights and limits.

    Returns:
        For each line its likeliest readings, best first; at least one. Where the blank is likeliest at every time step
        nothing is written, and the empty reading is the only one.
    """
    config = config or BeamConfig()
    if not log_probs:
        return []
    steps = [_informative(np.asarray(line, np.float32), config.blank) for line in log_probs]
    lengths = np.array([len(line) for line in steps])
    order = np.argsort(-lengths, kind="stable")  # so that lines that have ended stand last
    beam, tree = _start(len(steps), config.width, model), [(np.array([-1]), np.array([0]))]
    padded = np.full((len(steps), max(lengths.max(), 1), np.shape(log_probs[0])[1]), NEVER, np.float32)
    for row, line in enumerate(order):
        padded[row, : lengths[line]] = steps[line]
    nodes, given = 1, bonuses(padded.shape[2], model, config)
    for t in range(int(lengths.max())):
        going = int((lengths > t).sum())
        step, grown = _forward(_rows(beam, going), padded[:going, t], model, config, given, nodes)
        tree.append(grown)
        nodes += len(grown[0])
        for name in _Beam.__dataclass_fields__:
            getattr(beam, name)[:going] = getattr(step, name)
    return _told(beam, tree, order, model, config)


def bonuses(classes: int, model: NGrams | None, config: BeamConfig) -> Array:
    """(classes,) nats that each grapheme adds to the score of a text; what the blank adds means nothing."""
    given = np.full(classes, config.bonus, np.float32)
    if model and config.weight and config.prior:
        log_probs = model.single()
        given -= np.float32(config.prior) * (log_probs - (np.exp(log_probs) * log_probs).sum())
    return given


def _informative(log_probs: Array, blank: float) -> Array:
    """(T', C): each run of surely blank time steps becomes one, whose blank is as likely as theirs together.

    Nothing is left where the blank is likelier than any grapheme everywhere: the bonuses would make up a text.
    """
    if not log_probs.argmax(axis=1).any():
        return log_probs[:0]
    sure = log_probs[:, BLANK] > np.log(blank)
    first = np.flatnonzero(~(sure & np.append(False, sure[:-1])))
    if not len(first):
        return log_probs
    kept = log_probs[first]
    kept[:, BLANK] = np.add.reduceat(log_probs[:, BLANK], first)
    kept[sure[first], BLANK + 1 :] = NEVER
    return kept


def _start(lines: int, width: int, model: NGrams | None) -> _Beam:
    shape = (lines, width)
    blank = np.full(shape, NEVER, np.float32)
    blank[:, 0] = 0
    beam = _Beam(blank, np.full(shape, NEVER, np.float32), np.zeros(shape, np.float32), *(None,) * 4)  # type: ignore[arg-type]
    beam.node = np.full(shape, -2)  # no prefix stands here
    beam.node[:, 0] = 0
    beam.parent, beam.class_ = np.full(shape, -1), np.zeros(shape, np.int64)
    beam.context = np.full(shape, model.start if model else 0)
    return beam


def _rows(beam: _Beam, count: int) -> _Beam:
    return _Beam(*(getattr(beam, name)[:count] for name in _Beam.__dataclass_fields__))


def _forward(  # noqa: PLR0913, PLR0917 - the search's own state, and what it weighs by
    beam: _Beam, log_probs: Array, model: NGrams | None, config: BeamConfig, given: Array, nodes: int
) -> tuple[_Beam, tuple[Ids, Ids]]:
    """One time step (N, C) for all lines; gives the new prefixes' parents and classes, numbered from `nodes`."""
    lines, width = beam.blank.shape
    tried, stay_blank, stay_last, grown = _spread(beam, log_probs, config)
    stayed = np.logaddexp(stay_blank, stay_last) + beam.extra
    alive, extra, contexts = _weighed(beam, tried, grown, stayed.max(axis=1), model, config, given[tried])
    ranked = np.concatenate([stayed, np.where(alive, grown + extra, NEVER).reshape(lines, -1)], axis=1)
    best = np.argsort(-ranked, axis=1, kind="stable")[:, :width]
    rows = np.arange(lines)[:, None]
    score = ranked[rows, best]
    dead = score < score[:, :1] - config.gap

    def chosen(old: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
        grown_by = np.broadcast_to(new, grown.shape).reshape(lines, -1)
        return np.concatenate([old, grown_by], axis=1)[rows, best]

    is_new = (best >= width) & ~dead
    node, class_ = chosen(beam.node, beam.node[:, :, None]), chosen(beam.class_, tried[:, None, :])
    parent = np.where(dead, -1, chosen(beam.parent, beam.node[:, :, None]))
    added = (node[is_new], class_[is_new])
    node[is_new] = nodes + np.arange(is_new.sum())
    node[dead] = -2
    never = np.full((1, 1, 1), NEVER)
    after = _Beam(
        np.where(dead, NEVER, chosen(stay_blank, never)),
        np.where(dead, NEVER, chosen(stay_last, grown)),
        chosen(beam.extra, extra),
        node,
        parent,
        class_,
        chosen(beam.context, contexts),
    )
    return after, added


def _spread(beam: _Beam, log_probs: Array, config: BeamConfig) -> tuple[Ids, Array, Array, Array]:
    """Where a time step (N, C) leads.

    Returns:
        (N, K) graphemes tried; (N, B) log-sums of the prefixes that stay as they are, ending in a blank and in their
        last grapheme; (N, B, K) those of the prefixes that grow by a grapheme.
    """
    rows = np.arange(len(log_probs))[:, None]
    count = min(config.candidates, log_probs.shape[1] - 1)
    tried = 1 + np.argpartition(-log_probs[:, 1:], count - 1, axis=1)[:, :count]
    emitted = log_probs[rows, tried]
    emitted = np.where(emitted < config.least, NEVER, emitted)
    total = beam.total
    stay_blank = np.maximum(total + log_probs[:, :1], NEVER)
    repeated = np.where(beam.class_ > 0, log_probs[rows, beam.class_], NEVER)
    stay_last = np.maximum(beam.last + repeated, NEVER)
    doubled = tried[:, None, :] == beam.class_[:, :, None]  # the same again needs a blank between
    grown = np.where(doubled, beam.blank[:, :, None], total[:, :, None]) + emitted[:, None, :]
    # A prefix grown by a grapheme may stand in the beam already: then it is merged into that one.
    same = (beam.parent[:, None, :] == beam.node[:, :, None]) & (beam.node >= 0)[:, :, None]
    line, short, long = np.nonzero(same)
    which, candidate = np.nonzero(tried[line] == beam.class_[line, long][:, None])
    line, short, long = line[which], short[which], long[which]
    stay_last[line, long] = np.logaddexp(stay_last[line, long], grown[line, short, candidate])
    grown[line, short, candidate] = NEVER
    return tried, stay_blank, stay_last, grown


def _weighed(  # noqa: PLR0913, PLR0917 - as above
    beam: _Beam, tried: Ids, grown: Array, best: Array, model: NGrams | None, config: BeamConfig, given: Array
) -> tuple[NDArray[np.bool_], Array, Ids]:
    """Which grown prefixes (N, B, K) may stay, their language score and bonus (N, K) given, and their contexts."""
    extra = beam.extra[:, :, None] + given[:, None, :]
    contexts = np.zeros(grown.shape, np.int64)
    alive = grown + extra > best[:, None, None] - config.gap
    line, short, candidate = np.nonzero(alive)
    if model and config.weight and len(line):
        told, contexts[line, short, candidate] = model.step(beam.context[line, short], tried[line, candidate])
        extra[line, short, candidate] += config.weight * told
    return alive, extra, contexts


def _told(
    beam: _Beam, tree: Sequence[tuple[Ids, Ids]], order: Ids, model: NGrams | None, config: BeamConfig
) -> list[list[Hypothesis]]:
    """The prefixes as readings, ranked once more with the end of the line."""
    parents, classes = (np.concatenate([part[n] for part in tree]).tolist() for n in (0, 1))
    score = beam.total + beam.extra
    if model and config.weight:
        ended, _ = model.step(beam.context.ravel(), np.full(beam.context.size, EDGE))
        score = score + config.weight * ended.reshape(score.shape)
    readings: list[list[Hypothesis]] = [[] for _ in order]
    for row, line in enumerate(order.tolist()):
        for place in np.argsort(-score[row], kind="stable").tolist():
            node, text = int(beam.node[row, place]), list[int]()
            if node < 0:
                continue
            while node > 0:
                text.append(classes[node])
                node = parents[node]
            readings[line].append(Hypothesis(tuple(reversed(text)), float(score[row, place])))
    return readings
