"""Makes the language model of a bundle out of texts: running text, and the transcripts of ground truth.

Running text is cut into pieces as long as lines are, most of them at spaces, so that the model learns that a line
begins and ends amid a sentence, or amid a word. A part is held out, to tell how well the model guesses what it has not
seen.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import regex

from uncial.alphabet import Alphabet
from uncial.errors import ConfigError, GroundTruthError
from uncial.ngram import EDGE, Ids, NGrams
from uncial.ngram_estimate import Counts, estimate, longest_order
from uncial.ngram_file import to_bytes
from uncial.sources import read_samples, split_of, with_held_out
from uncial.sources.files import IMAGE_SUFFIXES, TABLE, TEXT_SUFFIX, files_of, table_of, text_of
from uncial.text import normalise, reading_text, typed
from uncial.wording import count_of

JOINING = regex.compile(r"[^\p{GCB=Other}]")  # a character that may be part of a longer grapheme; Unicode UAX 29
RUNNING = (".txt", ".txt.xz")
MARKED = (*IMAGE_SUFFIXES, ".zip", ".parquet", ".xml")  # a folder that holds one of these is ground truth
ORDER = 7  # graphemes of the longest n-gram, where nobody says otherwise
LENGTHS = (22, 82)  # graphemes of a line
BROKEN, HYPHENATED = 0.08, 0.5  # lines that end amid a word, and how many of these with a hyphen; some hands write none
HELD_OUT = 50  # one of so many paragraphs
FULL = 0.995  # of the bytes allowed: near enough
TRIES = 12

Note = Callable[[str], None]


@dataclass(frozen=True)
class Text:
    """What is learned of one file or folder.

    Attributes:
        name: of it.
        lines: (n,) classes each, `Alphabet.size` for a grapheme that the alphabet lacks.
        held_out: the same, not to learn from.
        weight: how often each line counts.
        notes: origin and licence, where they are told; see `_notes`.
    """

    name: str
    lines: list[Ids]
    held_out: list[Ids]
    weight: float = 1.0
    notes: str = ""


@dataclass(frozen=True)
class Learned:
    """What was learned of a text.

    Attributes:
        name: of the text.
        lines: learned from.
        perplexity: of what was held out, see `perplexity`; None: nothing was.
        notes: origin and licence.
    """

    name: str
    lines: int
    perplexity: float | None
    notes: str


def read_texts(
    paths: Sequence[Path], alphabet: Alphabet, weight: float, most: int | None = None, held_out: Collection[str] = ()
) -> Iterator[Text]:
    """Read running texts (.txt, .txt.xz, folders of them) and ground truth, one after the other.

    Of ground truth, lines of split "train" are learned from and those of "val" are held out.

    Args:
        paths: files and folders.
        alphabet: graphemes of the model.
        weight: how often a line of ground truth counts.
        most: characters taken of each running text; None: all.
        held_out: ids of lines that the training of the bundle held out, which are of split "val" then.

    Raises:
        GroundTruthError: no such file, nothing understood in it, or damaged.
    """
    for path in paths:
        files = files_of(path)
        if _is_ground_truth(files):
            yield _transcripts(path, alphabet, weight, held_out)
            continue
        texts = [file for file in files if file.name.endswith(RUNNING)]
        if not texts:
            raise GroundTruthError(f"{path}: holds neither running text (.txt, .txt.xz) nor ground truth")
        yield from (_running(file, alphabet, most) for file in texts)


def check_running(paths: Sequence[Path]) -> None:
    """See that these are running texts, which `read_texts` cannot take for transcripts.

    Raises:
        ConfigError: one is ground truth.
        GroundTruthError: no such file.
    """
    for path in paths:
        if _is_ground_truth(files_of(path)):
            raise ConfigError(f"{path}: is ground truth, and running text is wanted here ({' or '.join(RUNNING)})")


def _is_ground_truth(files: Sequence[Path]) -> bool:
    return any(file.name.endswith((TEXT_SUFFIX, *MARKED)) for file in files)


def _transcripts(path: Path, alphabet: Alphabet, weight: float, held_out: Collection[str]) -> Text:
    lines: dict[str, list[Ids]] = {"train": [], "val": [], "test": []}
    samples = with_held_out(read_samples([path]), held_out)
    for sample in samples:
        reading = reading_text(sample.text)
        if not (sample.flaw or reading.reason):
            lines[split_of(sample)].append(np.array(alphabet.encode(reading.text, unknown=alphabet.size)))
    notes = {sample.collection: sample.source.notes().strip() for sample in samples}
    return Text(path.name, lines["train"], lines["val"], weight, "\n".join(filter(None, notes.values())))


def _running(path: Path, alphabet: Alphabet, most: int | None) -> Text:
    classes = np.full(0x110000, alphabet.size, np.int64)
    for class_, grapheme in enumerate(alphabet.graphemes, start=1):
        if len(grapheme) == 1:
            classes[ord(grapheme)] = class_
    rng = np.random.default_rng(0)
    text = Text(path.name, [], [], notes=_notes(path))
    for number, paragraph in enumerate(text_of(path)[:most].splitlines()):
        written = normalise(typed(paragraph))
        codes = np.frombuffer(written.encode("utf-32-le"), np.uint32)
        joined = JOINING.search(written)  # else each character is a grapheme, which is told much sooner
        ids = np.array(alphabet.encode(written, alphabet.size)) if joined else classes[codes]
        (text.held_out if number % HELD_OUT == HELD_OUT - 1 else text.lines).extend(_pieces(ids, classes, rng))
    return text


def _notes(path: Path) -> str:
    """What SOURCES.tsv beside a text tells of it: the columns source and licence of the rows that name its file."""
    rows = [row for row in table_of(path.parent / TABLE) if row.get("file") == path.name]
    return "\n".join(f"attribution: {row.get('source')}\nlicence: {row.get('licence')}" for row in rows)


def _pieces(ids: Ids, classes: Ids, rng: np.random.Generator) -> Iterator[Ids]:
    """A paragraph cut into pieces as long as lines are: at spaces, or two letters or more within the word behind one.

    Args:
        ids: of the paragraph's graphemes.
        classes: of space and hyphen, by their code points.
        rng: draws lengths, and where words are broken.
    """
    spaces = np.append(np.flatnonzero(ids == classes[ord(" ")]), len(ids))
    start = 0
    while start < len(ids):
        until = start + int(rng.integers(*LENGTHS))
        place = int(max(np.searchsorted(spaces, until, "right") - 1, np.searchsorted(spaces, start)))
        end, word = int(spaces[place]), spaces[place : place + 2]
        if rng.random() < BROKEN and len(word) > 1 and word[1] - end > 5:
            cut = int(rng.integers(end + 3, word[1] - 1))
            hyphen = [classes[ord("-")]] if rng.random() < HYPHENATED else []
            yield np.append(ids[start:cut], hyphen).astype(ids.dtype)
            start = cut
            continue
        if end > start:
            yield ids[start:end]
        start = end + 1


def perplexity(model: NGrams, lines: Sequence[Ids]) -> float | None:
    """How many graphemes the model wavers between, on average: exp of the mean negative log-probability of a grapheme.

    Args:
        model: that guesses.
        lines: classes; ends of lines count, graphemes that the alphabet lacks do not.

    Returns:
        1 or more; None without lines.
    """
    if not lines:
        return None
    known = [np.append(line[line != model.size], EDGE) for line in lines]
    log_probs, _ = model.write(np.full(len(known), model.start), known)
    return float(np.exp(-log_probs.sum() / sum(map(len, known))))


def learn(
    texts: Iterable[Text], alphabet: Alphabet, order: int, most_bytes: int, note: Note = lambda _: None
) -> tuple[NGrams, tuple[Learned, ...]]:
    """Estimate the model of some texts.

    Args:
        texts: as `read_texts` gives them; each is let go when it has been counted.
        alphabet: that they were read with.
        order: graphemes of the longest n-gram.
        most_bytes: of the file; what brings least is left out.
        note: is called with sentences on how it goes.

    Returns:
        The model, and what was learned of each text.

    Raises:
        ConfigError: the order or the bytes are out of range.
        GroundTruthError: there is no text.
    """
    counts = Counts.of([], order, alphabet.size)
    read: list[tuple[int, Text]] = []
    for text in texts:
        counts += Counts.of(text.lines, order, alphabet.size) * text.weight
        read.append((len(text.lines), replace(text, lines=[])))  # counted, so that memory holds one text at a time
        note(f"{text.name}: {count_of(len(text.lines), 'line')}; {len(counts.windows):,} n-grams of {order} so far")
    if not len(counts.windows):
        raise GroundTruthError("the texts hold no line to learn from; name others")
    model = pruned(counts, alphabet.graphemes, most_bytes, note)
    return model, tuple(Learned(t.name, lines, perplexity(model, t.held_out), t.notes) for lines, t in read)


def usual_order(size: int) -> int:
    """`ORDER`, or the longest that an alphabet of so many classes allows."""
    return min(ORDER, longest_order(size))


def pruned(counts: Counts, graphemes: tuple[str, ...], most_bytes: int, note: Note) -> NGrams:
    """The model of counts whose file is just as large as is allowed.

    Raises:
        ConfigError: not even single graphemes fit.
    """
    lowest, highest = np.log(0.1), np.log(1e5)  # nats of `estimate`: more than fits, and less
    best: NGrams | None = None
    for _ in range(TRIES):
        least = (lowest + highest) / 2
        model = replace(estimate(counts, float(np.exp(least))), graphemes=graphemes)
        size = len(to_bytes(model))
        note(f"n-grams that bring {np.exp(least):.1f} nats or more: {len(model.class_):,}, {size / 1e6:.2f} MB")
        if size > most_bytes:
            lowest = least
        else:
            all_found = best is not None and len(best.class_) == len(model.class_)  # less does not find more
            best, highest = model, least
            if all_found or size >= FULL * most_bytes:
                break
    if best is None:
        raise ConfigError(f"--max-bytes {most_bytes:,} is too small for any model of this alphabet; allow 100,000")
    return best
