"""Write docs/model-card.md from the shipped bundle and its evaluation.

uncial evaluate DATA/*.zip --split val --json > evaluation.json
python docs/make_model_card.py evaluation.json
"""

import json
import sys
from pathlib import Path
from typing import Any

from uncial.bundle import load_bundle

CARD = Path(__file__).parent / "model-card.md"
JUDGED = ("hooker_en", "copiste_fr", "poilus_fr", "peraire_fr", "cremma19_fr", "cremma20_fr")

TEMPLATE = """# Model card: the default model

Reads lines of handwriting in Latin script, above all French and English of the 18th to 21st centuries, as images of any
height. It ships inside the package; `uncial model` shows its settings, its alphabet and its sources.

| | |
|---|---|
| network | {network} |
| size | {size:.1f} MB, weights in fp16, stored once |
| alphabet | {graphemes} graphemes |
| learned from | {train:,} lines of {collections} collections, {epochs:.1f} views of each |
| chosen by | {val:,} lines of other pages |
| time | {minutes:.0f} minutes on two processor cores |

## Results

Lines of split `val`: pages, and where possible documents, that it was not trained on. {decoding}
CER and WER are pooled over all graphemes and words of a row, texts as they stand after the
[text policy](text-policy.md); the interval is the 95 % one from resampling pages. "Other texts" leaves out lines whose
text more than eight documents repeat, such as the consent sentence that every writer of copiste_fr copied.

{results}

The network never saw a line of the collections marked "unseen": that is what to expect of a new collection, and the
reason to train on some pages of it first. In its own collections it still meets new pages, often new writers.

Made with:

    uncial evaluate DATA/*.zip --split val --json > evaluation.json
    python docs/make_model_card.py evaluation.json

## What it is not good at

- Hands, languages and scripts unlike those below. Of English it has seen mostly one writer's cursive.
- Letters outside its alphabet, which it cannot write at all.
- Pages: it reads single lines. What lies above and below the line in the picture may be read too.
- Numbers and names: nothing in the line says which digit is right.
- {confidence}

## Recipe

    {command}

Two runs, the second from the first: it reads two time steps off each slice. One-cycle AdamW with a moving average of
the weights, augmentation, bf16; two collections were kept out for good (fondue19_fr and bronod_fr), so that it can be
told how the model does on what it has never seen. Graphemes that occur less than three times are not in the alphabet.
All settings stand in the bundle (`uncial model --json`), trials in [experiments](experiments.md). The data are the
collections below as line archives: lines cut along their baseline, masked outside their polygon, gray, 64 pixels high.

## Data, licences and attribution

The model is shared under CC BY-SA 4.0, the strictest licence of its data, with the attributions below.

{sources}
{texts}"""


def main(evaluation: Path) -> None:
    """Fill the template."""
    bundle = load_bundle()
    found = json.loads(evaluation.read_text(encoding="utf-8"))
    facts = bundle.provenance
    course, lines, sources = facts["course"], facts["lines"], facts["sources"]
    network = bundle.architecture
    text = TEMPLATE.format(
        network=(
            f"residual CNN of {' – '.join(map(str, network.channels))} channels, {network.recurrent_layers} layers of "
            f"{network.recurrent.upper()} both ways of {network.recurrent_size}, CTC; "
            f"{sum(w.size for w in bundle.weights.values()) / 1e6:.1f} million weights"
        ),
        size=sum(file.stat().st_size for file in bundle.path.iterdir()) / 1e6,
        graphemes=len(bundle.alphabet.graphemes),
        train=lines["train"],
        val=lines["val"],
        collections=len(sources),
        epochs=course["lines"] / lines["train"] + FIRST_VIEWS,
        minutes=course["seconds"] / 60 + FIRST_MINUTES,
        results=results(found, set(sources)),
        command=COMMAND,
        decoding=decoding(found["about"].get("quality", "fast"), facts),
        confidence=calibration(found.get("calibration", {}), bundle.calibration),
        texts=texts_of(facts.get("language_model", {})),
        sources="\n".join(f"- **{name}**: {described(notes)}" for name, notes in sources.items()),
    )
    CARD.write_text(text, encoding="utf-8")


FIRST_MINUTES, FIRST_VIEWS = 130, 5.4  # of the first of two runs; the bundle tells of the last one only
COMMAND = """torchrun --nproc-per-node 2 -m uncial train DATA/*.zip -o first --minutes 130 \\
        --set threads=1 --set rarest=3 --set batch_lines=8 --set network.dropout=0.1 --set augment.strength=0.6 \\
        --set network.steps_per_slice=1
    torchrun --nproc-per-node 2 -m uncial train DATA/*.zip --from first -o default --minutes 160 \\
        --set threads=1 --set rarest=3 --set batch_lines=8 --set learning_rate=8e-4 --set warmup=0.03 \\
        --set augment.strength=0.6"""


def decoding(quality: str, facts: dict[str, Any]) -> str:
    """How the lines of the table were read."""
    model = facts.get("language_model")
    if quality == "fast" or not model:
        return "Best path, no language model."
    return (
        f"Quality {quality}, with a language model of {model['n-grams']:,} n-grams of up to {model['order']} graphemes."
    )


def calibration(found: dict[str, Any], setting: tuple[float, float]) -> str:
    """How far the confidence can be believed."""
    if setting == (1.0, 0.0) or "error" not in found:
        return "Its confidence is not calibrated."
    before, after = (f"{100 * found[name]:.1f}" for name in ("error_before", "error"))
    return (
        f"Its confidence is calibrated on validation lines (off by {after} points, "
        f"{before} without); on other hands it may be too sure."
    )


def texts_of(model: dict[str, Any]) -> str:
    """Attribution of what the language model learned from, beside the collections above."""
    told = []
    for text in model.get("texts", ()):
        rows = text["notes"].split("\n")
        if text["name"].endswith((".txt", ".txt.xz")):
            pairs = zip(rows[::2], rows[1::2], strict=False)
            sources = "; ".join(
                f"{a.removeprefix('attribution: ')}. Licence: {b.removeprefix('licence: ')}" for a, b in pairs
            )
            told.append(f"- **{text['name']}**: {sources}. Changes: cut into lines, counted as n-grams of characters.")
    heading = "\nThe language model learned from the transcripts of the collections above, and from these texts:\n\n"
    return heading + "\n".join(told) + "\n" if told else ""


def results(found: dict[str, Any], seen: set[str]) -> str:
    """The table of results, pooled rows first."""
    collections = found["collections"]
    rows = ["| collection | lines | CER | CER, other texts | WER | |", "|---|---|---|---|---|---|"]
    rows.append(row("**all**", found, ""))
    judged = [collections[name]["without_repeated"] for name in JUDGED]
    rate = sum(g["cer"] * g["graphemes"] for g in judged) / sum(g["graphemes"] for g in judged)
    words = sum(g["wer"] * g["words"] for g in judged) / sum(g["words"] for g in judged)
    lines = sum(g["lines"] for g in judged)
    rows.append(f"| **pooled: {', '.join(JUDGED)}** | {lines:,} | | {rate:.2%} | {words:.2%} | |")
    rows += [row(name, group, "" if name in seen else "unseen") for name, group in sorted(collections.items())]
    return "\n".join(rows)


def row(name: str, group: dict[str, Any], remark: str) -> str:
    """One row of the table."""
    other, interval = group["without_repeated"], group["cer_interval"]
    between = f" ({interval[0]:.1%}–{interval[1]:.1%})" if interval else ""
    cells = (name, f"{group['lines']:,}", f"{group['cer']:.2%}{between}", f"{other['cer']:.2%}", f"{group['wer']:.1%}")
    return f"| {' | '.join(cells)} | {remark} |"


def described(notes: str) -> str:
    """Attribution and licence out of a SOURCE.txt."""
    values = dict(line.split(": ", 1) for line in notes.splitlines() if ": " in line)
    return f"{values['attribution']} Licence: {values['licence'].split(' (')[0]}. Changes: {values['changes']}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
