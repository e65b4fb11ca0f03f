"""Text as the network spells it: NFC, graphemes, white space, and what becomes of transcribers' marks.

Ground truth carries marks that are not writing (`^x` for a superscript, `>…<` for a crossed-out word). `reading_text`
turns them into what a reader of the transcript would want; the policy stands in `docs/text-policy.md`, and each rule
counts what it changed.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import regex

# Typeset quotes and ellipses become what transcribers of handwriting type; `_`, which plain text has for italics, goes.
_TYPED = str.maketrans(
    dict.fromkeys("’‘ʼ", "'") | dict.fromkeys("“”„", '"') | {"…": "...", "_": None, "\u00ad": None, "‑": "-"}
)
_GRAPHEME = regex.compile(r"\X")
_SPACES = re.compile(r"\s+")


def normalise(text: str) -> str:
    """NFC, each run of white space (no-break spaces too) one space, none at the ends."""
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()


def typed(text: str) -> str:
    """Printed text as transcribers of handwriting would type it: plain quotes, dots and hyphens."""
    return text.translate(_TYPED)


def graphemes(text: str) -> list[str]:
    """The user-perceived characters of a text (extended grapheme clusters, Unicode UAX 29), after `normalise`."""
    return _GRAPHEME.findall(normalise(text))  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Reading:
    """Ground truth as the network is to spell it.

    Attributes:
        text: normalised; without the transcribers' marks.
        marks: how often each rule of the policy changed something, by the rule's name.
        reason: why the line cannot be ground truth, or None: it is used.
    """

    text: str
    marks: Counter[str] = field(default_factory=Counter)
    reason: str | None = None


# Letters that Unicode has as superscripts; transcribers use them and `^x` for the same thing.
_SUPERSCRIPTS = str.maketrans("ʳᵉᵈᵗᵇˢˡⁱᵐⁿᵒᵃᶜʰⁿ", "redtbslimnoachn")

# Some transcribers type the letter Xi for a sign of insertion. In a line with Greek letters it is a letter; omega alone
# tells no Greek, since the same transcribers type it for a sign, too.
_INSERTION = regex.compile(r"[‸⎀⋎]|(?<![\p{Greek}--[ΞΩ]].*)Ξ(?!.*[\p{Greek}--[ΞΩ]])", regex.V1)

# In this order: (name, pattern, replacement). Crossed-out words that can be read stay, without their marks: the ink
# is there, and the network learns to read through a stroke. Scribbles that stand for no text are to be passed over.
_RULES: tuple[tuple[str, re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    ("XML entity", re.compile("&amp;"), "&"),
    ("unreadable deletion", re.compile(r"><|<>|⟦⟧"), ""),
    ("crossed out", re.compile(r"⟦([^⟧]*)⟧"), r"\1"),
    ("crossed out", re.compile(r"[><]\s*([^<>‹]+?)\s*[<‹>]"), r"\1"),
    ("superscript", re.compile(r"\^\s?(?=\S)"), ""),
    ("superscript", re.compile("[ʳᵉᵈᵗᵇˢˡⁱᵐⁿᵒᵃᶜʰ]+"), lambda m: m.group().translate(_SUPERSCRIPTS)),
    ("line-end hyphen", re.compile("¬"), "-"),
    ("insertion sign", _INSERTION, ""),
    ("struck letter", re.compile("\u0336"), ""),
    ("editor's brackets", re.compile(r"\[\[([^\]]*)\]\]"), r"\1"),
    ("dotted leader", re.compile(r"\.{4,}"), "..."),
)
_UNCERTAIN = re.compile(r"\[\?+\]|\[\.\.\.\]|\[…\]|\?\?\?")


def reading_text(ground_truth: str) -> Reading:
    """Apply the policy for transcribers' marks.

    A line in which the transcriber gave up on some words (`[?]`, `[…]`) is left out: its ink says more than its text.
    An empty text is left out too.

    Args:
        ground_truth: the text as transcribed.
    """
    marks: Counter[str] = Counter()
    if _UNCERTAIN.search(ground_truth):
        return Reading(normalise(ground_truth), marks, "the transcriber left words unread ([?], […])")
    text = normalise(ground_truth)
    for name, pattern, replacement in _RULES:
        text, times = pattern.subn(replacement, text)
        if times:
            marks[name] += times
    text = normalise(text)
    return Reading(text, marks, None if text else "the text is empty")


_COMPARABLE = str.maketrans(
    {
        **dict.fromkeys("’‘ʼ´`′", "'"),
        **dict.fromkeys("“”„«»″", '"'),
        **dict.fromkeys("–—‒―−‐‑_", "-"),
        "ſ": "s",
        "œ": "oe",
        "Œ": "Oe",
        "æ": "ae",
        "Æ": "Ae",
        "…": "...",
    }
)
_SPACE_BEFORE = re.compile(r" +(?=[,.;:!?)\]])")
_SPACE_AFTER = re.compile(r"(?<=[(\['])\s+")


def comparable(text: str) -> str:
    """The form in which two transcripts count as the same reading.

    Unified: quotes, apostrophes and dashes of all kinds, ligatures, long s, compatibility forms (NFKC), and spaces
    before closing or after opening punctuation. Case, accents and spelling stay.
    """
    text = unicodedata.normalize("NFKC", normalise(text).translate(_COMPARABLE))
    text = normalise(text.translate(_COMPARABLE))  # compatibility forms of quotes and dashes have become plain ones
    return normalise(_SPACE_AFTER.sub("", _SPACE_BEFORE.sub("", text)))
