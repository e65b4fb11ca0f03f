"""Takes a character language model (`uncial.ngram`) to the words of a new text, of which there may be little.

Each probability becomes a mean of what the model says and of what the text shows: the more often the text had the
context, the more its counts weigh, as if the model had been seen `prior` times behind each context. What the text
never shows stays as it was.

Source: the Dirichlet prior of MacKay and Peto 1995, "A hierarchical Dirichlet language model", with the model as its
mean; as in Federico 1996, "Bayesian estimation methods for n-gram language model adaptation".
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from uncial.ngram import Ids, Level, NGrams, looked_up, trie
from uncial.ngram_estimate import Counts, lower_log_probs

PRIOR = 5.0  # see docs/experiments.md
# Of a list of words, for n-grams of one grapheme, two, ...; the last one for all longer ones: a list tells how its
# words go on, not how often which letter begins one.
PRIORS_OF_WORDS = (1e6, 1000.0, 200.0, 40.0, 5.0)
ORDERS = 3  # random orders in which a list of words is read


def adapt(model: NGrams, counts: Counts, priors: Sequence[float] = (PRIOR,)) -> NGrams:
    """The model, taken to a text.

    Args:
        model: of an alphabet whose graphemes are the first ones of the text's.
        counts: of the text, of the model's order; their alphabet may have more graphemes.
        priors: times that the model counts behind each context, above 0, for n-grams of one grapheme, two, ...; the
            last one for all longer ones.

    Returns:
        A model of the text's alphabet that knows the n-grams of both; its graphemes are not named.
    """
    size, bits = counts.size, int(counts.size).bit_length()
    before = _added_up(levels_of(model, size), model, bits)
    old = trie(before, size)
    levels: list[Level] = []
    lower = old
    for length, (level, (ngrams, seen)) in enumerate(zip(before, counts.by_length, strict=True), start=1):
        if levels:
            known = looked_up(levels[-1].ngrams, ngrams >> bits)[1]
            ngrams, seen = ngrams[known], seen[known]
        new = ngrams[~looked_up(level.ngrams, ngrams)[1]]
        both = np.sort(np.append(level.ngrams, new), kind="stable")  # two ascending runs: merged
        often, told = np.zeros((2, len(both)))
        often[np.searchsorted(both, ngrams)] = seen
        told[np.searchsorted(both, level.ngrams)] = np.exp(level.log_prob)
        told[np.searchsorted(both, new)] = np.exp(lower_log_probs(old, new, bits, length))
        prior = priors[min(length, len(priors)) - 1]
        contexts = both >> bits
        context = np.cumsum(np.diff(contexts, prepend=contexts[:1]) > 0)
        room = np.bincount(context, often)[context]
        probability = (often + prior * told) / (room + prior)
        levels.append(Level(both, np.log(probability).astype(np.float32), _share(levels, lower, both, probability)))
        lower = trie(levels, size)
    return lower


def knowing(model: NGrams, words: Sequence[Sequence[int]], space: int | None) -> NGrams:
    """The model, taken to a list of words, so that it expects them and loses little of what it knew.

    Args:
        model: any.
        words: classes of each word or phrase; n-grams with a class of the model's size, which is none, do not count.
        space: class of the space; None: the alphabet has none, so that each line is a word.
    """
    rng = np.random.default_rng(0)
    lines: list[Sequence[int]] = []
    for _ in range(ORDERS):  # what stands side by side in a list means nothing
        shuffled = [words[n] for n in rng.permutation(len(words)).tolist()]
        lines += shuffled if space is None else [[*(c for word in shuffled for c in (space, *word)), space]]
    told = adapt(model, Counts.of(lines, model.order, model.size), PRIORS_OF_WORDS)
    return replace(told, graphemes=model.graphemes)


def shorter(model: NGrams, order: int) -> NGrams:
    """The model without n-grams of more than `order` graphemes, or as it is where it has none."""
    if model.order <= order:
        return model
    return replace(trie(levels_of(model, model.size)[:order], model.size), graphemes=model.graphemes)


def levels_of(model: NGrams, size: int) -> list[Level]:
    """The n-grams of a model length by length, packed for an alphabet of `size` classes, at least as many as its own.

    A new class is as likely as one in a million.
    """
    bits = int(size).bit_length()
    packed = model.class_.astype(np.int64)
    new = np.arange(model.size, size)
    begin, end = 1, int(model.first_child[1])
    unlikely = np.full(len(new), np.log(1e-6), np.float32)
    log_prob = np.append(model.log_prob[begin:end].astype(np.float32), unlikely)
    levels = [Level(np.append(packed[begin:end], new), log_prob, np.empty(0, np.float32))]
    while len(levels) < model.order:
        below = slice(int(model.first_child[begin]), int(model.first_child[end]))
        parents = np.repeat(np.arange(begin, end), np.diff(model.first_child[begin : end + 1]))
        packed[below] |= packed[parents] << bits
        share = model.back_off[begin:end].astype(np.float32)
        if len(levels) == 1:
            share = np.append(share, np.zeros(len(new), np.float32))
        levels.append(Level(packed[below], model.log_prob[below].astype(np.float32), share))
        begin, end = below.start, below.stop
    return levels


def _added_up(levels: list[Level], model: NGrams, bits: int) -> list[Level]:
    """Levels of a model whose probabilities behind each context add up to what it does not leave to shorter ones.

    Those of a file are rounded, and what is left would be told by the difference of two large numbers.
    """
    found = levels[:1]
    for length, level in enumerate(levels[1:], start=2):
        place, count = np.searchsorted(levels[length - 2].ngrams, level.ngrams >> bits), len(level.share)
        shorter = np.exp(lower_log_probs(model, level.ngrams, bits, length - 1))
        kept = 1 - np.exp(level.share) * (1 - np.bincount(place, shorter, count))
        factor = np.clip(kept, 1e-4, 1) / np.maximum(np.bincount(place, np.exp(level.log_prob), count), 1e-4)
        found.append(replace(level, log_prob=level.log_prob + np.log(factor[place]).astype(np.float32)))
    return found


def _share(levels: list[Level], lower: NGrams, ngrams: Ids, probability: NDArray[np.float64]) -> NDArray[np.float32]:
    """What each n-gram one shorter leaves to shorter contexts, once these n-grams have their probability."""
    if not levels:
        return np.empty(0, np.float32)
    bits = int(lower.size).bit_length()
    place = np.searchsorted(levels[-1].ngrams, ngrams >> bits)
    count = len(levels[-1].ngrams)
    taken = np.bincount(place, probability, minlength=count)
    shorter = np.bincount(place, np.exp(lower_log_probs(lower, ngrams, bits)), minlength=count)
    return np.log(np.maximum(1 - taken, 1e-4) / np.maximum(1 - shorter, 1e-4)).astype(np.float32)
