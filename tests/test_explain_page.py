"""The page of an explanation: complete in itself, small, and alive in a real browser where there is one."""

import base64
import hashlib
import importlib
import json
import re
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import uncial, written_sheet
from conftest import DrawnLine

from uncial.architecture import CRNNConfig
from uncial.bundle import Bundle
from uncial.cli_explain import read_otherwise
from uncial.explain import explain
from uncial.explain_page import render, shown_classes
from uncial.explanation import Explanation, Readings
from uncial.nn.crnn import CRNN
from uncial.recognizer import Recognizer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


SMALL = {"channels": (4, 6), "blocks": (1,), "strides_down": (4, 4), "strides_across": (4, 2)}
SMALL |= {"recurrent_size": 5, "recurrent_layers": 1}
PARTS: list[dict[str, Any]] = [
    {"recurrent": "gru", "steps_per_slice": 1},
    {"recurrent": "simple", "bidirectional": False},
    {"recurrent": "sru", "shortcut": False},
    {"recurrent": "none", "column": "stack"},
    {"column": "sweep", "kernel": 5},
    {"backbone": "none", "column": "stack"},
]


@pytest.fixture(scope="module")
def explanation(tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...]) -> Explanation:
    return explain(tiny_bundle, drawn_lines[2].image)


@pytest.fixture(scope="module")
def html(explanation: Explanation) -> str:
    return render(explanation)


def facts_of(html: str) -> Any:
    """The words and small numbers of a page."""
    facts = re.search(r'id="facts">(.*?)</script>', html, re.DOTALL)
    assert facts
    return json.loads(facts[1])


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM:
        pytest.skip("no chromium on this machine")
    try:
        playwright = importlib.import_module("playwright.sync_api")
    except ImportError:
        pytest.skip("playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def test_the_page_asks_for_nothing_and_runs_its_own_script_only(html: str) -> None:
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", html)
    script = re.search(r"<script>(.*)</script>", html, re.DOTALL)
    assert script
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in html


def test_the_page_is_small_and_its_numbers_unpack(html: str) -> None:
    assert len(html.encode()) < 3_000_000
    numbers = re.search(r'id="numbers">([^<]*)<', html)
    assert numbers
    assert len(zlib.decompress(base64.b64decode(numbers[1]))) > 10_000


def test_a_transcript_that_looks_like_markup_stays_text(
    tiny_bundle: Bundle, resaved: Any, drawn_lines: tuple[DrawnLine, ...]
) -> None:
    from uncial.alphabet import Alphabet

    graphemes = list(tiny_bundle.alphabet.graphemes)
    graphemes[graphemes.index("M")] = "<"
    bundle = resaved(tiny_bundle, alphabet=Alphabet(tuple(graphemes)))
    page = render(explain(bundle, drawn_lines[2].image))
    facts = re.search(r'id="facts">(.*?)</script>', page, re.DOTALL)
    assert facts
    assert "<" not in facts[1]
    assert "1 &lt;ay 1862" in page


def test_likely_classes_are_shown_behind_the_blank() -> None:
    posteriors = np.array([[0.9, 0.0, 0.1, 0.0], [0.2, 0.01, 0.0, 0.79]], np.float32)
    assert shown_classes(posteriors) == [0, 2, 3]


def test_the_command_writes_a_page_or_json(
    tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...], tmp_path: Path
) -> None:
    import cv2

    image = tmp_path / "line.png"
    cv2.imwrite(str(image), drawn_lines[3].image)
    ran = uncial("explain", image, "-m", tiny_bundle.path, "-o", tmp_path / "explain.html")
    assert (ran.code, ran.out) == (0, f"{tmp_path / 'explain.html'}: no news\n")
    ran = uncial("explain", image, "-m", tiny_bundle.path, "-o", tmp_path / "explain.json")
    assert ran.code == 0
    assert (tmp_path / "explain.json").read_text(encoding="utf-8").startswith("{")
    again = uncial("explain", image, "-m", tiny_bundle.path, "-o", tmp_path / "explain.json")
    assert (again.code, "--force" in again.told) == (8, True)
    cv2.imwrite(str(image), drawn_lines[3].image[:2])
    low = uncial("explain", image, "-m", tiny_bundle.path, "-o", tmp_path / "low.html")
    assert (low.code, f"{image}: the image is" in low.told) == (4, True)


def test_what_reading_makes_of_the_line_otherwise_is_told(
    tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...]
) -> None:
    gray, recognizer = drawn_lines[3].image, Recognizer.load(tiny_bundle.path, backend="torch")
    assert read_otherwise(recognizer, gray, "no news") == []
    (told,) = read_otherwise(recognizer, gray, "no new")
    assert "reads 'no news'; what is explained" in told


def test_a_page_is_not_explained_and_a_few_lines_are_told(
    tiny_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "page.png"), written_sheet())
    command = ("explain", tmp_path / "page.png", "-m", tiny_bundle.path, "-o", tmp_path / "explain.html")
    ran = uncial(*command)
    assert (ran.code, "page.png: it seems to show a page of 3 lines; cut out the one" in ran.told) == (0, True)
    monkeypatch.setattr("uncial.cli_explain.MOST_FOUND", 2)
    ran = uncial(*command, "--force")
    assert (ran.code, "page.png: it seems to show a page of 3 lines; cut out the one" in ran.told) == (4, True)


def test_the_page_tells_step_by_step_what_the_decoder_changed(explanation: Explanation) -> None:
    changed = replace(explanation, best_path="1 Mey 1862", beam="1 May 862")
    facts = facts_of(render(changed))
    assert facts["decoded"] == [
        [["1 Mey 1862", False]],
        [["1 M", False], ["a", True], ["y ", False], ["", True], ["862", False]],
        [["1 May ", False], ["1", True], ["862", False]],
    ]


def test_the_page_tells_letters_taken_for_others_from_letters_not_seen(explanation: Explanation) -> None:
    sure, other, blank = (("a", 0.9), ("b", 0.1)), (("o", 0.6), ("a", 0.4)), (("", 0.7), ("a", 0.3))
    readings = [Readings(sure, sure, sure), Readings(other, blank, sure), Readings(sure, blank, sure)]
    letters = tuple(replace(explanation.letters[0], readings=some) for some in readings)
    page = render(replace(explanation, letters=letters))
    assert [(letter["changes"], letter["mistaken"]) for letter in facts_of(page)["letters"]] == [
        (False, False),
        (True, True),
        (True, False),
    ]
    assert "Of 3 letters 1 is taken for another one before all context comes in and 1 is not seen (∅)" in page


@pytest.mark.parametrize("parts", PARTS, ids=lambda parts: "-".join(map(str, parts.values())))
def test_a_network_of_any_parts_has_a_page_without_errors(
    tiny_bundle: Bundle, resaved: Any, drawn_lines: tuple[DrawnLine, ...], tmp_path: Path, parts: dict[str, Any]
) -> None:
    torch.manual_seed(1)
    config = CRNNConfig(**SMALL, **parts)
    weights = CRNN(config, tiny_bundle.alphabet.size).state_dict()
    bundle = resaved(tiny_bundle, architecture=config, weights={name: w.numpy() for name, w in weights.items()})
    html = render(explain(bundle, drawn_lines[1].image[:, :40]))
    facts = facts_of(html)
    assert len(facts["memory"]) == (0 if config.recurrent == "none" else 2 if config.bidirectional else 1)
    assert bool(facts["layers"]) == (config.backbone != "none")
    assert (facts["slices"]["rows"] is None) == (config.column == "stack")


@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
def test_in_a_browser_every_control_works_without_an_error_or_a_request(
    browser: Any, explanation: Explanation, html: str, tmp_path: Path, screen: dict[str, int]
) -> None:
    file = tmp_path / "explain.html"
    file.write_text(html, encoding="utf-8")
    page = browser.new_page(viewport=screen, has_touch=screen == PHONE)
    page.set_default_timeout(60_000)
    errors: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.evaluate("document.documentElement.scrollWidth") <= screen["width"]
    use_features(page, explanation)
    use_memory(page)
    use_text(page)
    if screen == PHONE:
        use_touch(page)
    assert errors == []
    assert requests == [file.as_uri()]
    page.close()


def use_features(page: Any, explanation: Explanation) -> None:
    """Choose layers and filters, and let one slide: its sum is that of the picture's own numbers, and the map's."""
    for layer in range(page.locator("#layer option").count()):
        page.select_option("#layer", str(layer))
        page.locator("#filters .tile").nth(1).click()
        page.locator("#patches .patch").first.click() if page.locator("#patches .patch").count() else None
    page.select_option("#layer", "0")
    before = page.text_content("#value")
    page.focus("#lens-view")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.text_content("#value") != before
    total, told = page.evaluate("[Number(lens.dataset.sum), Number(lens.dataset.map)]")
    filters = [tile.get_attribute("aria-pressed") for tile in page.locator("#filters .tile").all()]
    row, column = (int(n) - 1 for n in re.findall(r"(?:Row|column) (\d+)", page.text_content("#value")))
    assert total == pytest.approx(answer(explanation, filters.index("true"), row, column), abs=1e-3)
    assert abs(total - told) < explanation.layers[0].maps.max() / 255
    words = page.text_content("#lens-stride")
    assert "2 to the right" in words
    assert "4 down" in words
    assert "1 row and 1 column" in words
    page.locator("#lens-controls .play").click()
    page.locator("#lens-controls .play").click()


def answer(explanation: Explanation, n: int, row: int, column: int) -> float:
    """What the n-th filter of the first layer answers, from ink, weights, stride and padding."""
    layer = explanation.layers[0]
    shades = np.pad(explanation.ink[explanation.image], [(p, p) for p in layer.padding])
    top, left = row * layer.stride[0], column * layer.stride[1]
    under = shades[top : top + layer.kernel[0], left : left + layer.kernel[1]]
    return max(0.0, float((under * layer.weights[n, 0]).sum() * layer.scale[n] + layer.shift[n]))


def use_touch(page: Any) -> None:
    """Tap what a finger reaches: a place on the line, a button, a letter."""
    page.locator("#stages button").nth(1).tap()
    assert page.get_attribute("#path", "data-stage") == "merged"
    page.locator("#text-letters button").nth(1).tap()
    before = page.text_content("#runners-up")
    page.locator("#text-strip .photo").tap()  # in its middle
    assert page.text_content("#runners-up") != before


def use_memory(page: Any) -> None:
    """Choose slices by range and click, and run each direction."""
    page.focus("#slices-controls input")
    before = page.text_content("#cell-words") + page.text_content("#reach-words")
    page.keyboard.press("ArrowRight")
    assert page.text_content("#cell-words") + page.text_content("#reach-words") != before
    for direction in page.locator("#directions button").all():
        direction.click()
        assert direction.get_attribute("aria-pressed") == "true"
    page.locator("#memory-strip canvas").first.click()
    page.locator("#memory-controls .play").click()
    page.locator("#memory-controls .play").click()


def use_text(page: Any) -> None:
    """Choose letters in every part; merge and drop until the text is left; paint over pixels."""
    page.set_checked("#only-changed", False)
    assert page.locator("#context-rows tr").count() == page.locator("#text-letters button").count()
    page.locator("#text-letters button").nth(2).click()
    page.keyboard.press("ArrowRight")
    assert page.locator("#saliency-letters button").nth(3).get_attribute("aria-pressed") == "true"
    for stage in page.locator("#stages button").all():
        stage.click()
    assert page.get_attribute("#path", "data-stage") == "dropped"
    left = page.evaluate("[...path.children].filter((s) => !/blank|repeat/.test(s.className)).length")
    assert left >= page.locator("#text-letters button").count()
    page.click("#paint")
    assert "painted over" in page.text_content("#saliency-view")
