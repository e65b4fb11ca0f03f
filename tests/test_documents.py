"""What the documents tell: tables that are made, examples that are repeated, licences."""

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from uncial import errors
from uncial.bundle import SHIPPED, load_bundle

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def card() -> ModuleType:
    """The program that writes the model card."""
    spec = importlib.util.spec_from_file_location("make_model_card", ROOT / "docs" / "make_model_card.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def group(lines: int, errors: int, graphemes: int) -> dict[str, Any]:
    """A collection with a tenth as many words, and with repeated lines that were read without an error."""
    kept = {"lines": lines, "cer": errors / graphemes, "graphemes": graphemes, "wer": 0.5, "words": graphemes // 10}
    every = {**kept, "lines": 2 * lines, "cer": errors / graphemes / 2, "graphemes": 2 * graphemes}
    return {**every, "cer_interval": None, "without_repeated": kept}


def evaluation(card: ModuleType, worse: int = 0) -> dict[str, Any]:
    """All collections that are judged, and two that never were, of 100 graphemes but for a longer one."""
    names = dict.fromkeys(name for names in card.README_ROWS.values() for name in names)
    collections = {name: group(10, 5 + worse, 100) for name in names} | {"hooker_en": group(1_000, 200, 1_000)}
    return {**group(9, 9, 900), "collections": collections}


def test_rates_are_pooled_over_graphemes_without_repeated_texts(card: ModuleType) -> None:
    found = evaluation(card)
    lines, cer, wer = card.pooled(found, ("hooker_en", "copiste_fr"))
    assert (lines, cer, wer) == (1_010, pytest.approx(205 / 1_100), pytest.approx(0.5))


def test_the_readmes_rows_tell_lines_and_a_rate_for_each_quality(card: ModuleType) -> None:
    seen = {"hooker_en", "copiste_fr", "not evaluated"}
    first, *rest = card.readme_rows([evaluation(card), evaluation(card, worse=3)], seen)
    assert first.endswith("| 1,010 | 18.6 % | 18.9 % |")
    assert "| people of today, copying (13 of the 267 writers) | 10 | 5.0 % | 8.0 % |" in rest


def test_the_card_pools_the_collections_that_the_network_knows(card: ModuleType) -> None:
    table = card.results(evaluation(card), {"hooker_en", "copiste_fr"})
    assert "| **pooled: the 2 here that it learned from** | 1,010 | | 18.64% | 50.00% | |" in table


def test_the_readme_has_the_rows_that_are_made_and_no_others(card: ModuleType) -> None:
    made = [row.split(" | ")[0] for row in card.readme_rows([evaluation(card)], {"hooker_en"})]
    table = text_of("README.md").split("| | lines | CER, balanced | fast |\n|---|---|---|---|\n")[1].split("\n\n")[0]
    assert [row.split(" | ")[0] for row in table.splitlines()] == made


def test_an_example_that_resumes_repeats_all_that_an_example_before_began_with() -> None:
    commands = re.findall(r"^    (uncial train .*)$", text_of("docs/how-to.md"), flags=re.M)
    resumed = [command for command in commands if command.endswith(" --resume")]
    assert resumed
    assert {command.removesuffix(" --resume") for command in resumed} <= set(commands)


def test_code_and_models_each_have_their_licence_and_its_file() -> None:
    assert PROJECT["license"].split(" AND ") == ["Apache-2.0", "CC-BY-SA-4.0"]
    code, models = (text_of(name) for name in PROJECT["license-files"])
    assert "Apache License" in code
    assert "CC-BY-SA-4.0" in models
    assert f'section "{re.findall("^## (Data, .*)$", text_of("docs/model-card.md"), flags=re.M)[0]}"' in models


@pytest.mark.skipif(not SHIPPED.exists(), reason="no model is shipped yet")
def test_the_card_attributes_all_that_the_shipped_model_learned_from(card: ModuleType) -> None:
    facts = load_bundle().provenance
    texts = card.texts_of(facts["language_model"])
    assert texts, "the language model tells no texts: their licences demand that they be named"
    told = text_of("docs/model-card.md")
    assert texts in told
    collections = {name for name, notes in facts["sources"].items() if not notes.startswith(card.DRAWN)}
    assert {name for name in collections if f"- **{name}**: " not in told} == set()


def test_every_error_is_raised_somewhere() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    names = {name for name, value in vars(errors).items() if isinstance(value, type)} - {"UncialError"}
    assert {name for name in names if f"{name}(" not in source.replace(f"class {name}(", "")} == set()
