"""Write docs/model-card.md from the shipped bundles and their evaluations, and print the README's table of results.

uncial evaluate {DATA,UNSEEN}/*.zip --split val --json > evaluation.json
uncial evaluate {DATA,UNSEEN}/*.zip --split val --quality fast --json > fast.json
uncial evaluate {DATA,UNSEEN}/*.zip --split val -m small --json > small.json  # and small-fast.json
python docs/make_model_card.py evaluation.json fast.json small.json small-fast.json
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any

from uncial.bundle import Bundle, load_bundle

CARD = Path(__file__).parent / "model-card.md"
JUDGED = ("hooker_en", "copiste_fr", "poilus_fr", "peraire_fr", "cremma19_fr", "cremma20_fr")
README_ROWS = {  # beside the row of all collections that it learned from
    "six of them, of the 19th to 21st centuries, French and English": JUDGED,
    "people of today, copying (13 of the 267 writers)": ("copiste_fr",),
    "French letters and notes of the 19th century": ("cremma19_fr",),
    "French soldiers' wills, 1914–18": ("poilus_fr",),
    "one hard English cursive, 1850–1911": ("hooker_en",),
    "clerks of the labour courts of Paris, 1858–1878": ("timeus_fr",),
    "a French novelist's notes of 1893, a collection it never saw": ("fondue19_fr",),
    "a French notary's register of the 18th century, a collection it never saw": ("bronod_fr",),
}

TEMPLATE = """# Model card: the default model

Reads lines of handwriting in Latin script, above all French of the 17th to 21st centuries, as images of any
height. It ships inside the package; `uncial model` shows its settings, its alphabet and its sources.

| | |
|---|---|
| network | {network} |
| size | {size:.1f} MB, weights in fp16, stored once |
| alphabet | {graphemes} graphemes |
| learned from | {train:,} lines of {collections} collections and {drawn:,} drawn ones, {views:.2f} million views |
| chosen by | {val:,} lines of other pages |
| time | {minutes:.0f} minutes on two processor cores |

## Results

Lines of split `val`: pages, and where possible documents, that it was not trained on. {decoding}
CER and WER are pooled over all graphemes and words of a row, texts as they stand after the
[text policy](text-policy.md); the interval is the 95 % one from resampling pages. "Other texts" leaves out lines whose
text more than eight documents repeat, such as the consent sentence that every writer of copiste_fr copied; so do
pooled rows. These lines also chose which states of the network were kept, and some of those of the six collections
pooled below set the decoder's few numbers and the calibration, so the figures may be a little too good. Lines of
fondue19_fr and bronod_fr had no part in either. berlioz_fr has no lines to learn from, but helped to choose;
celestine_fr and lectaurep_md_fr were learned from and have no lines of split `val`.

{results}

The network never saw a line of the collections marked "unseen": that is what to expect of a new collection, and the
reason to train on some pages of it first. In its own collections it still meets new pages, often new writers.

Made with:

    uncial evaluate {{DATA,UNSEEN}}/*.zip --split val --json > evaluation.json  # UNSEEN: fondue19_fr and bronod_fr
    python docs/make_model_card.py evaluation.json fast.json small.json small-fast.json

{small}## What it is not good at

- Hands, languages and scripts unlike those below. Of English it has seen mostly one writer's cursive.
- Letters outside its alphabet, which it cannot write at all.
- What lies above and below the line in the picture may be read too.
- Numbers and names: nothing in the line says which digit is right.
- {confidence}

## Recipe

    {command}

Six runs, each from the one before: the second reads two time steps off each slice; the third halves the rows of the
last stage and learns from drawn lines, too; the fourth stretches lines by a fifth and hides a tenth of the slices from
the recurrent layers; the fifth stretches them by two fifths and passes over half of the easy lines; the sixth is the
fifth once more, with other drawn lines. The last 37 minutes of the fourth and the last 27 of the fifth and sixth went
on with `network.hidden_slices=0`, `augment.strength=0.5` and no line passed over. From the mean of the weights of the
last three, each counting alike, two more runs went on side by side, one core each, which learned to make the fewest
errors in the search with a language model ([first](training/errors-1.csv) and [second curve](training/errors-2.csv); a
forerunner of the command that stands above, which shared the pages out to halves by another digest), and from the mean
of these two once more two ([third](training/errors-3.csv) and [fourth curve](training/errors-4.csv)), and from theirs
two that also saw lines cut out otherwise, copied and scanned badly ([fifth](training/errors-5.csv) and
[sixth curve](training/errors-6.csv)). From the mean of these with theirs one more, on one core, saw blank paper and
faded lines, too ([seventh curve](training/errors-7.csv)). From the mean of both, this last one counting twice, two more
went on, one that searched more widely ([eighth curve](training/errors-8.csv)) and one that saw more copies in black and
white ([ninth curve](training/errors-9.csv)); the mean of these with what they began from, the last one counting twice,
ships.
One-cycle AdamW with a moving average of the weights, augmentation,
bf16; two collections were kept out for good (fondue19_fr and bronod_fr), so that it can be told how the model does on
what it has never seen. Graphemes that occur less than three times are not in the alphabet. All settings stand in the
bundle (`uncial model --json`), trials in [experiments](experiments.md). The data are the collections below as line
archives: lines cut along their baseline, masked outside their polygon, gray, 64 pixels high.

## Data, licences and attribution

The model is shared under CC BY-SA 4.0, the strictest licence of its data, with the attributions below.

{sources}
{texts}
The network that finds lines learned from whole pages of eleven of these collections and of one more:

- **fondue19_fr**: {pages}
"""


SMALL_TEMPLATE = """## The small model

`uncial read -m small` is 2.3 times as quick as the default model (325 and 143 lines a CPU-second,
`benchmarks/reading_speed.py --quality fast`), and reads much worse so far: {network}. {size:.1f} MB, of which its
language model of {n_grams:,} n-grams takes {language:.1f}. It learned from the same lines, in a first run from
the default model as its teacher, too, and in four more from the lines alone, the third and half of the fourth on one
core ([first](training/small-1.csv), [second](training/small-2.csv), [third](training/small-3.csv),
[fourth](training/small-4.csv) and [fifth curve](training/small-5.csv)); then in two side by side, one core each, to
make the fewest errors in the search ([sixth](training/small-errors-1.csv) and
[seventh](training/small-errors-2.csv)), and from their mean for 108 minutes on one core
([eighth](training/small-errors-3.csv) and [ninth](training/small-errors-4.csv)), with copies, cuts, blank paper and
faded lines, and from a third of that mean and two of the last twice for 102 minutes more
([tenth](training/small-errors-5.csv) and [eleventh](training/small-errors-6.csv)), in the same shares; so ships what
came of the last, counting twice, with what it began from: {views:.2f} million views,
{minutes:.0f} minutes on two processor cores. CER, repeated texts left out:

| | lines | default, balanced | default, fast | small, balanced | small, fast |
|---|---|---|---|---|---|
{rows}

    {command}

"""


def main(*evaluations: Path) -> None:
    """Fill the template, and print the README's table.

    Args:
        evaluations: JSON of `uncial evaluate` of the same lines: quality balanced, quality fast, and both of the small
            model; the card lacks what is not given.
    """
    bundle = load_bundle()
    found, *others = (json.loads(file.read_text(encoding="utf-8")) for file in evaluations)
    facts = bundle.provenance
    lines, sources = facts["lines"], facts["sources"]
    runs = [last_row(log) for log in RUNS.glob("run-*.csv")]
    halves = [last_row(log) for log in RUNS.glob("errors-*.csv")]  # each on one core, side by side
    collections = {name: notes for name, notes in sources.items() if not notes.startswith(DRAWN)}
    drawings = dict.fromkeys(notes for notes in sources.values() if notes.startswith(DRAWN))
    text = TEMPLATE.format(
        network=described_network(bundle),
        size=megabytes(bundle),
        graphemes=len(bundle.alphabet.graphemes),
        train=lines["train"] - lines["synthetic"],
        drawn=DRAWN_LINES,
        val=lines["val"],
        collections=len(collections),
        views=sum(float(run["lines"]) for run in (*runs, *halves)) / 1e6,
        minutes=minutes_of(runs, halves),
        results=results(found, set(sources)),
        small=small_model([found, *others], set(sources)),
        command=COMMAND,
        sources="\n".join(f"- **{name}**: {described(notes)}" for name, notes in collections.items())
        + "".join(f"\n- **drawn lines**: {drawn(notes)}" for notes in list(drawings)[:1]),
        decoding=decoding(found["about"].get("quality", "fast"), facts),
        confidence=calibration(found),
        pages=PAGES,
        texts=texts_of(facts.get("language_model", {})),
    )
    CARD.write_text(text, encoding="utf-8")
    print("\n".join(readme_rows([found, *others], set(sources))))


def small_model(evaluations: list[dict[str, Any]], seen: set[str]) -> str:
    """The section on the small model, by the evaluations of both models; nothing, where its are not given."""
    if len(evaluations) < 4:
        return ""
    bundle, runs = load_bundle("small"), [last_row(log) for log in RUNS.glob("small-[0-9].csv")]
    halves = [last_row(log) for log in RUNS.glob("small-errors-*.csv")]
    assert bundle.language_model is not None, "the small model ships with a language model"
    return SMALL_TEMPLATE.format(
        network=described_network(bundle),
        size=megabytes(bundle),
        n_grams=bundle.provenance["language_model"]["n-grams"],
        language=bundle.language_model.stat().st_size / 1e6,
        views=sum(float(run["lines"]) for run in (*runs, *halves)) / 1e6,
        minutes=minutes_of(runs, halves),
        rows="\n".join(readme_rows(evaluations, seen)),
        command=SMALL_COMMAND,
    )


def described_network(bundle: Bundle) -> str:
    """The parts of a network, in a line."""
    network = bundle.architecture
    return (
        f"residual CNN of {' – '.join(map(str, network.channels))} channels, "
        f"{network.recurrent_layers + network.added_layers} layers of "
        f"{network.recurrent.upper()} both ways of {network.recurrent_size}, CTC; "
        f"{sum(w.size for w in bundle.weights.values()) / 1e6:.1f} million weights"
    )


def megabytes(bundle: Bundle) -> float:
    """What a bundle takes on the disk."""
    return sum(file.stat().st_size for file in bundle.path.iterdir()) / 1e6


PAGES = (  # of a collection that the network that reads never saw; a layout bundle tells no sources
    "Jacsont, P.; Leblanc, É.; Chappuis, L.; Gabay, S.: FONDUE-FR-MSS-19, "
    "https://github.com/FoNDUE-HTR/FONDUE-FR-MSS-19, CC BY 4.0. Licence: CC BY 4.0. Changes: pages scaled, gray."
)
DRAWN = "Synthetic lines"  # how the notes of drawn lines begin
DRAWN_LINES = 92_000  # in all runs; a bundle tells those of the last one
RUNS = CARD.with_name("training")  # the logs of its runs; the bundle tells of the last one only
COMMAND = """torchrun --nproc-per-node 2 -m uncial train DATA/*.zip -o first --recipe standard --minutes 130 \\
        --set threads=1 --set rarest=3 --set batch_lines=8 --set network.dropout=0.1 --set augment.strength=0.6 \\
        --set network.steps_per_slice=1 --set narrow_first=0
    torchrun --nproc-per-node 2 -m uncial train DATA/*.zip --from first -o second --minutes 160 \\
        --set threads=1 --set rarest=3 --set batch_lines=8 --set learning_rate=8e-4 --set warmup=0.03 \\
        --set augment.strength=0.6
    uncial synth TEXTS --fonts FONTS --lines 10000 --seed 1 -o synth-1.zip  # and seed 2 for synth-2.zip
    torchrun --nproc-per-node 2 -m uncial train DATA/*.zip --synthetic synth-1.zip --synthetic synth-2.zip \\
        --from second -o third --minutes 195 --set 'network.strides_down=[2,2,2,4]' --set synthetic_share=0.2 \\
        --set threads=1 --set rarest=3 --set batch_lines=8 --set learning_rate=8e-4 --set warmup=0.03 \\
        --set augment.strength=0.6
    uncial synth TEXTS --fonts FONTS --lines 18000 --seed 3 -o synth-3.zip  # and seed 4 for synth-4.zip
    torchrun --nproc-per-node 2 -m uncial train DATA/*.zip --synthetic synth-3.zip --synthetic synth-4.zip \\
        --from third -o fourth --minutes 137 --set line_image.stretch=1.2 --set network.hidden_slices=0.1 \\
        --set synthetic_share=0.25 --set threads=1 --set rarest=3 --set batch_lines=8 --set learning_rate=8e-4 \\
        --set warmup=0.03 --set augment.strength=0.8 --set validate_minutes=17 --set validation_lines=1300
    torchrun --nproc-per-node 2 -m uncial train DATA/*.zip --synthetic synth-3.zip --synthetic synth-4.zip \\
        --from fourth -o fifth --minutes 131 --set line_image.stretch=1.4 --set network.hidden_slices=0.1 \\
        --set synthetic_share=0.25 --set easy_skipped=0.5 --set adapt_language=false --set threads=1 --set rarest=3 \\
        --set batch_lines=8 --set learning_rate=8e-4 --set warmup=0.03 --set augment.strength=0.8 \\
        --set validate_minutes=20 --set validation_lines=1300
    uncial synth TEXTS --fonts FONTS --lines 18000 --seed 5 -o synth-5.zip  # and seed 6 for synth-6.zip
    torchrun --nproc-per-node 2 -m uncial train DATA/*.zip --synthetic synth-5.zip --synthetic synth-6.zip \\
        --from fifth -o sixth --minutes 122  # all else as before
    python tools/average.py fourth fifth sixth -o mean
    uncial train DATA/*.zip --from mean -o seventh --minutes 75 --texts TEXT --set error_weight=1 \\
        --set ctc_weight=0.1 --set shortcut_weight=0.01 --set learning_rate=1.5e-4 --set warmup=0.05 \\
        --set batch_statistics=false --set augment.strength=0.6 --set network.hidden_slices=0 \\
        --set synthetic_share=0 --set rarest=3 --set adapt_language=false --set threads=1 --set seed=11
    # beside it the same with --set seed=12 -o eighth
    python tools/average.py seventh eighth -o mean2
    uncial train DATA/*.zip --from mean2 -o ninth --minutes 88 --set seed=21  # all else as the seventh
    uncial train DATA/*.zip --from mean2 -o tenth --minutes 88 --set seed=22 --set augment.strength=0.8
    python tools/average.py ninth tenth -o mean3
    # all else as the tenth, now with other cuts and copies (augment.py); lineimage.writing came after all of these
    uncial train DATA/*.zip --from mean3 -o eleventh --minutes 88 --set seed=41 --set learning_rate=2.5e-4 \\
        --set easy_skipped=0.5
    uncial train DATA/*.zip --from mean3 -o twelfth --minutes 88 --set seed=42 --set learning_rate=2.5e-4
    python tools/average.py mean3 eleventh twelfth -o mean4
    # now with lineimage.writing, lines that fade, and blank paper
    uncial train DATA/*.zip --from mean4 -o thirteenth --minutes 92 --set seed=51 --set learning_rate=2.5e-4 \\
        --set easy_skipped=0.5 --set augment.blank=0.02
    python tools/average.py mean4 thirteenth thirteenth -o mean5
    uncial train DATA/*.zip --from mean5 -o fourteenth --minutes 58 --set seed=61 --set learning_rate=2e-4
    # the fourteenth else as the thirteenth, but its searches were 32 wide (nn/expected_errors.py), not 8
    uncial train DATA/*.zip --from mean5 -o fifteenth --minutes 104 --set seed=71  # else as the thirteenth, now with
                                                     # copies of grainy paper, and by the light around
    python tools/average.py mean5 fourteenth fifteenth fifteenth -o default
    python tools/quantise.py default DATA/*.zip
    uncial tune DATA/{hooker_en,copiste_fr,poilus_fr,peraire_fr,cremma19_fr,cremma20_fr}.zip -m default --lines 1000
    # in default/bundle.json the beam is 64 wide, its weights those that were tuned at 16 (0.6, bonus 1.5, prior 0.5)"""
SMALL_COMMAND = """torchrun --nproc-per-node 2 -m uncial train DATA/*.zip -o lesser --minutes 72 \\
        --synthetic synth-7.zip --synthetic synth-8.zip --teacher default \\
        --set "network.channels=[16, 32, 96, 160]" \\
        --set network.recurrent_size=128 --set network.dropout=0.1 --set line_image.stretch=1.2 \\
        --set synthetic_share=0.2 --set easy_skipped=0.5 --set threads=1 --set rarest=3 --set batch_lines=8 \\
        --set learning_rate=1.5e-3 --set warmup=0.04 --set augment.strength=0.6 --set narrow_first=0
    uncial lm TEXT/{fr,en,de,it,es}_novels.txt.xz TEXT/en_letters.txt.xz DATA/*.zip --into lesser --max-bytes 2400000
    torchrun --nproc-per-node 2 -m uncial train DATA/*.zip --from lesser -o less --minutes 62 \\
        --synthetic synth-7.zip --set synthetic_share=0.2 --set easy_skipped=0.5 --set threads=1 --set rarest=3 \\
        --set batch_lines=8 --set learning_rate=1.5e-3 --set warmup=0.04 --set augment.strength=0.6 \\
        --set narrow_first=0 --set adapt_language=false
    uncial train DATA/*.zip --from less -o small3 --minutes 42  # learning_rate=1.2e-3, all else as before
    uncial train DATA/*.zip --from small3 -o small4 --minutes 85 --synthetic synth-8.zip  # batch_lines=12, after 40
                                                     # minutes two processes; all else as in the third run
    torchrun --nproc-per-node 2 -m uncial train DATA/*.zip --from small4 -o small5 --minutes 125 \\
        --synthetic synth-8.zip  # batch_lines=12, all else as in the third run
    uncial train DATA/*.zip --from small5 -o small6 --minutes 26 --texts TEXT --set error_weight=1 \\
        --set ctc_weight=0.2 --set shortcut_weight=0.01 --set learning_rate=3e-4 --set warmup=0.05 \\
        --set batch_statistics=false --set augment.strength=0.6 --set network.hidden_slices=0 \\
        --set synthetic_share=0 --set rarest=3 --set adapt_language=false --set threads=1 --set seed=31
    # beside it the same with --set seed=32 -o small7
    python tools/average.py small6 small7 -o mean
    uncial train DATA/*.zip --from mean -o small8 --minutes 108 --set seed=33  # else as small6; stopped after 20
    uncial train DATA/*.zip --from small8 -o small9 --minutes 88 --set seed=34 --set augment.blank=0.02
    python tools/average.py mean small9 small9 -o mean9
    uncial train DATA/*.zip --from mean9 -o small10 --minutes 102 --set seed=35  # else as small9
    python tools/average.py mean9 small10 small10 -o mean10
    uncial train DATA/*.zip --from mean10 -o small11 --minutes 102 --set seed=36  # else as small9
    python tools/average.py mean10 small11 small11 -o small
    python tools/quantise.py small DATA/*.zip
    uncial tune DATA/{hooker_en,copiste_fr,poilus_fr,peraire_fr,cremma19_fr,cremma20_fr}.zip -m small --lines 1000
    # in small/bundle.json the beam is 32 wide"""


def minutes_of(runs: list[dict[str, str]], halves: list[dict[str, str]]) -> float:
    """Minutes on two cores: runs on both one after the other, and such as went side by side on one each."""
    return (sum(float(run["seconds"]) for run in runs) + sum(float(run["seconds"]) for run in halves) / 2) / 60


def last_row(log: Path) -> dict[str, str]:
    """Where a run ended."""
    with log.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))[-1]


def drawn(notes: str) -> str:
    """Texts and fonts of synthetic lines."""
    rows = [line.split("\t") for line in notes.splitlines() if line.count("\t") >= 5][1:]
    texts = "; ".join(dict.fromkeys(f"{row[3]}: {row[5]}" for row in rows))
    fonts = sum(": @fontsource/" in line for line in notes.splitlines())
    return (
        f"running text in {fonts} handwriting fonts, listed with licences and attributions in "
        f"[synthetic-fonts.tsv](synthetic-fonts.tsv). Texts: {texts}."
    )


def decoding(quality: str, facts: dict[str, Any]) -> str:
    """How the lines of the table were read."""
    model = facts.get("language_model")
    if quality == "fast" or not model:
        return "Best path, no language model."
    return (
        f"Quality {quality}, with a language model of {model['n-grams']:,} n-grams of up to {model['order']} graphemes."
    )


def calibration(found: dict[str, Any]) -> str:
    """How far confidences can be believed."""
    lines, words = found["calibration"], found["words_calibration"]
    if found["about"]["quality"] == "fast":
        return (
            f"Its confidence in a line is not calibrated, that in a word is (off by {100 * words['error']:.1f} points)."
        )
    before, after = (f"{100 * lines[name]:.1f}" for name in ("error_before", "error"))
    return (
        f"Its confidence in a line is calibrated on validation lines (off by {after} points, {before} without), and so "
        f"is that in a word (off by {100 * words['error']:.1f} points); on other hands it may be too sure."
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
    collections, known = found["collections"], known_of(found, seen)
    rows = ["| collection | lines | CER | CER, other texts | WER | |", "|---|---|---|---|---|---|"]
    rows.append(row("**all**", found, ""))
    for label, names in ((f"the {len(known)} here that it learned from", known), (", ".join(JUDGED), JUDGED)):
        lines, cer, wer = pooled(found, names)
        rows.append(f"| **pooled: {label}** | {lines:,} | | {cer:.2%} | {wer:.2%} | |")
    rows += [row(name, group, "" if name in seen else "unseen") for name, group in sorted(collections.items())]
    return "\n".join(rows)


def known_of(found: dict[str, Any], seen: set[str]) -> tuple[str, ...]:
    """The collections of an evaluation of which the network knows other pages."""
    return tuple(name for name in found["collections"] if name in seen)


def pooled(found: dict[str, Any], names: tuple[str, ...]) -> tuple[int, float, float]:
    """Lines, CER over all graphemes, and WER over all words of some collections, repeated texts left out."""
    groups = [found["collections"][name]["without_repeated"] for name in names]
    cer, wer = (
        sum(group[rate] * group[unit] for group in groups) / sum(group[unit] for group in groups)
        for rate, unit in (("cer", "graphemes"), ("wer", "words"))
    )
    return sum(group["lines"] for group in groups), cer, wer


def readme_rows(evaluations: list[dict[str, Any]], seen: set[str]) -> list[str]:
    """The rows of the README's table: what was read, lines, and a CER for each evaluation of the same lines."""
    known = "all fourteen collections of which it knows other pages, 17th to 21st centuries"
    told = []
    for label, names in {known: known_of(evaluations[0], seen), **README_ROWS}.items():
        rates = (f"{100 * pooled(found, names)[1]:.1f} %" for found in evaluations)
        told.append(f"| {' | '.join((label, f'{pooled(evaluations[0], names)[0]:,}', *rates))} |")
    return told


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
    main(*map(Path, sys.argv[1:5]))
