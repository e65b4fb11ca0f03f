"""CTC prefix beam search with a character language model, for many lines at once.

All lines go forward together, one informative time step at a time: steps that are surely blank are joined first. A
prefix keeps the sums over its alignments that end in a blank and in its last grapheme; equal prefixes that are kept are
merged. Prefixes are ranked by log P(prefix | image) + weight · log P(prefix | language) + their graphemes' bonuses.
Those of all lines stand in one row; of a line that is surely read they are few, whatever the width.

Source: Graves and Jaitly 2014, "Towards end-to-end speech recognition", section 4; Hannun et al. 2014. The prior: Miao
et al. 2015, "EESEN", section 3.3, there for each time step, here for each grapheme.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from uncial.alphabet import BLANK
from uncial.ngram import EDGE, NGrams, Remembered

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
    width: int = 32
    candidates: int = 5
    least: float = -7.0
    gap: float = 7.0
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


@dataclass(frozen=True, slots=True)
class _Prefixes:
    """(P,) prefixes: those of a line together, lines in order, those of a line from best to worst."""

    line: Ids
    blank: Array  # log-sum of the alignments that end in a blank
    last: Array  # the same of those that end in the last grapheme
    extra: Array  # language model and bonuses
    node: Ids  # of the tree of prefixes; one that was dropped and grows again gets another
    parent: Ids  # node of the prefix without its last grapheme, -1 for the empty one
    class_: Ids  # the last grapheme, 0 for the empty prefix
    context: Ids  # of the language model

    @property
    def total(self) -> Array:
        """(P,) log P(prefix | image)."""
        return np.logaddexp(self.blank, self.last)

    def of(self, which: Ids | slice) -> "_Prefixes":
        """Some of them."""
        return _Prefixes(*(getattr(self, field.name)[which] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class _Grown:
    """(G,) prefixes that are one grapheme longer than another."""

    short: Ids  # which other
    class_: Ids  # the grapheme
    last: Array  # log-sum of the alignments; all end in it
    extra: Array  # language model, where it was asked, and bonuses
    context: Ids  # of the language model


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
    given = (np.nan_to_num(np.asarray(line, np.float32), nan=float(NEVER), neginf=float(NEVER)) for line in log_probs)
    steps = [_informative(line, config.blank) for line in given]
    lengths = np.array([len(line) for line in steps])
    order = np.argsort(-lengths, kind="stable")  # so that lines that have ended stand last
    padded = np.full((len(steps), max(lengths.max(), 1), np.shape(log_probs[0])[1]), NEVER, np.float32)
    for row, line in enumerate(order):
        padded[row, : lengths[line]] = steps[line]
    tried, emitted = _candidates(padded, config)
    search = _Search(padded.shape[2], model, config)
    going, ended = search.start(len(steps)), list[_Prefixes]()
    for t in range(int(lengths.max())):
        lines = int((lengths > t).sum())
        cut = int(np.searchsorted(going.line, lines))
        if cut < len(going.line):
            ended.append(going.of(np.arange(cut, len(going.line))))  # a copy, which does not hold the others
        going = search.forward(going.of(slice(cut)), padded[:lines, t], tried[:lines, t], emitted[:lines, t])
    texts: list[dict[tuple[int, ...], float]] = [{} for _ in order]
    for line, text, score in search.readings([*ended, going]):
        some = texts[order[line]]
        some[text] = float(np.logaddexp(some.get(text, -np.inf), score))  # twice, where a prefix grew again
    return [[Hypothesis(*one) for one in sorted(some.items(), key=itemgetter(1), reverse=True)] for some in texts]


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


def _candidates(log_probs: Array, config: BeamConfig) -> tuple[Ids, Array]:
    """(N, T, K) likeliest graphemes of each time step (N, T, C), and their log-posteriors; `NEVER`: fewer are worth it.

    Hardly any step has more than K that are, so that nearly none has to be sorted.
    """
    lines, steps, classes = log_probs.shape
    flat = log_probs.reshape(lines * steps, classes)
    count = min(config.candidates, classes - 1)
    row, class_ = np.nonzero(flat[:, BLANK + 1 :] >= config.least)
    worth = np.bincount(row, minlength=len(flat))
    place = np.arange(len(row)) - (np.cumsum(worth) - worth)[row]
    few = worth[row] <= count
    row, place, class_ = row[few], place[few], class_[few] + BLANK + 1
    tried, emitted = np.zeros((len(flat), count), np.int64), np.full((len(flat), count), NEVER)
    tried[row, place], emitted[row, place] = class_, flat[row, class_]
    if len(many := np.flatnonzero(worth > count)):
        tried[many] = BLANK + 1 + np.argpartition(-flat[many, BLANK + 1 :], count - 1, axis=1)[:, :count]
        emitted[many] = flat[many[:, None], tried[many]]
    return tried.reshape(lines, steps, count), emitted.reshape(lines, steps, count)


class _Search:
    """A search on its way: what it weighs by, and the tree of its prefixes."""

    def __init__(self, classes: int, model: NGrams | None, config: BeamConfig) -> None:
        self.config, self.given = config, bonuses(classes, model, config)
        self.model = Remembered(model) if model and config.weight else None
        self.begin = model.start if model else 0
        self.tree: list[tuple[Ids, Ids]] = []  # parents and classes of the nodes, part by part
        self.nodes = 0
        self.places = np.zeros(0, np.int64)  # of each node: where its prefix stood when it was last looked for

    def start(self, lines: int) -> _Prefixes:
        """The empty prefix of each line."""
        never, nothing, root = np.full(lines, NEVER), np.zeros(lines, np.float32), np.full(lines, -1)
        none, context = np.zeros(lines, np.int64), np.full(lines, self.begin)
        return _Prefixes(np.arange(lines), nothing, never, nothing, self._add(root, none), root, none, context)

    def forward(self, going: _Prefixes, log_probs: Array, tried: Ids, emitted: Array) -> _Prefixes:
        """One time step (N, C) of N lines, of which some graphemes (N, K) with their log-posteriors are tried."""
        total = going.total
        stay_blank = np.maximum(total + log_probs[going.line, BLANK], NEVER)
        repeated = np.where(going.class_ > 0, log_probs[going.line, going.class_], NEVER)
        stay_last = np.maximum(going.last + repeated, NEVER)
        grown = self._grown(going, total, tried, emitted, stay_last)
        stayed = np.logaddexp(stay_blank, stay_last) + going.extra
        grown = self._weighed(going, grown, stayed)
        line = np.concatenate([going.line, going.line[grown.short]])
        best = self._best(line, np.concatenate([stayed, grown.last + grown.extra]))
        new = best >= len(stayed)
        born, origin = best[new] - len(stayed), best.copy()
        origin[new] = grown.short[born]  # where what it goes on from stands
        after = going.of(origin)
        after.blank[:], after.last[:] = stay_blank[origin], stay_last[origin]
        after.blank[new], after.last[new], after.extra[new] = NEVER, grown.last[born], grown.extra[born]
        after.parent[new], after.class_[new] = after.node[new], grown.class_[born]
        after.node[new], after.context[new] = self._add(after.parent[new], after.class_[new]), grown.context[born]
        return after

    def readings(self, parts: Sequence[_Prefixes]) -> Iterator[tuple[int, tuple[int, ...], float]]:
        """Line, text and score of each prefix, ranked with the end of its line, too; a part ended together."""
        parents, classes = (np.concatenate([grown[n] for grown in self.tree]) for n in (0, 1))
        for ended in parts:
            score = ended.total + ended.extra
            if self.model:
                score = score + self.config.weight * self.model.step(ended.context, np.full(len(score), EDGE))[0]
            ranked = np.lexsort((-score, ended.line))
            node, columns = ended.node[ranked], [np.zeros(len(ranked), np.int64)]
            while (classes[node] > 0).any():
                columns.append(classes[node])
                node = np.where(classes[node] > 0, parents[node], node)
            texts = np.stack(columns[::-1], axis=1)
            first = (texts == 0).sum(axis=1) - 1  # shorter texts begin later
            told = ended.line[ranked].tolist(), score[ranked].tolist(), texts[:, :-1].tolist(), first.tolist()
            for line, value, text, begin in zip(*told, strict=True):
                yield line, tuple(text[begin:]), value

    def _add(self, parents: Ids, classes: Ids) -> Ids:
        """New nodes of the tree."""
        self.tree.append((parents.copy(), classes.copy()))
        self.nodes += len(parents)
        return np.arange(self.nodes - len(parents), self.nodes)

    def _grown(self, going: _Prefixes, total: Array, tried: Ids, emitted: Array, stay_last: Array) -> _Grown:
        """Prefixes grown by what is tried (N, K); those that are there already are merged into `stay_last` instead."""
        short, candidate = np.nonzero((emitted >= self.config.least)[going.line])
        class_ = tried[going.line[short], candidate]
        again = class_ == going.class_[short]  # the same again needs a blank between
        last = np.where(again, going.blank[short], total[short]) + emitted[going.line[short], candidate]
        number = np.full((len(total), tried.shape[1]), -1)
        number[short, candidate] = np.arange(len(short))
        long, above = self._above(going)
        which, candidate = np.nonzero(tried[going.line[long]] == going.class_[long, None])
        long, same = long[which], number[above[which], candidate]
        long, same = long[same >= 0], same[same >= 0]
        stay_last[long] = np.logaddexp(stay_last[long], last[same])
        left = np.delete(np.arange(len(short)), same)
        short, class_ = short[left], class_[left]
        extra = going.extra[short] + self.given[class_]
        return _Grown(short, class_, last[left], extra, np.zeros(len(left), np.int64))

    def _above(self, going: _Prefixes) -> tuple[Ids, Ids]:
        """Which prefixes stand beside the one they have grown from, and where that one stands."""
        if self.nodes > len(self.places):
            self.places = np.zeros(2 * self.nodes, np.int64)
        self.places[going.node] = np.arange(len(going.node))
        above = self.places[going.parent]
        there = (going.parent >= 0) & (above < len(going.node))
        there[there] = going.node[above[there]] == going.parent[there]  # else another stands where it stood
        return np.flatnonzero(there), above[there]

    def _weighed(self, going: _Prefixes, grown: _Grown, stayed: Array) -> _Grown:
        """What has grown and is near enough to the best that stayed, with what the language model says of it."""
        best = _best_of_line(going.line, stayed)
        near = grown.last + grown.extra > best[grown.short] - self.config.gap
        short, class_, last, extra, context = (getattr(grown, field.name)[near] for field in fields(grown))
        if self.model and len(short):
            told, context = self.model.step(going.context[short], class_)
            extra = extra + self.config.weight * told
        return _Grown(short, class_, last, extra, context)

    def _best(self, line: Ids, score: Array) -> Ids:
        """Which of the prefixes (n,) go on: of each line the best ones, best first."""
        near = np.flatnonzero(score >= _best_of_line(line, score) - self.config.gap)
        near = near[np.lexsort((-score[near], line[near]))]
        ranked = line[near]
        return near[np.arange(len(near)) - np.searchsorted(ranked, ranked) < self.config.width]


def _best_of_line(line: Ids, score: Array) -> Array:  # (n,) beside each prefix
    best = np.full(line.max() + 1, NEVER)
    np.maximum.at(best, line, score)
    return best[line]
