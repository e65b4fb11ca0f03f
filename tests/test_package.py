"""The package as a whole: layers, budgets, public names, what loads when, and that the documents tell the truth."""

import ast
import importlib.metadata
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import uncial
from uncial.bundle import MODELS, SHIPPED, load_bundle

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "uncial"
MODULES = sorted(SOURCE.rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
LONGEST_FILE = 300  # lines
MOST_METHODS = 8
MOST_PUBLIC_NAMES = 20
LARGEST = {
    "default": 20e6,
    "small": 7e6,
}  # bytes in the wheel: 9 and 3 MB of network, 8 and 3 of language model, and room
HEAVY = (
    "torch",
    "onnx",
    "onnxruntime",
    "cv2",
    "numpy",
    "PIL",
    "rich.table",
    "lxml",
    "pyarrow",
    "jinja2",
    "pydantic",
    "rapidfuzz",
)
TORCH_MODULES = (
    "train.py",
    "train_layout.py",
    "checkpoint.py",
    "run_log.py",
    "export.py",
    "quantise.py",
)  # besides those in nn/


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(node: ast.AST) -> Iterator[str]:
    """The modules that the import statements within a piece of code name."""
    for statement in ast.walk(node):
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            yield statement.module


def at_import(module: ast.Module) -> Iterator[str]:
    """The modules that loading a file loads: without those inside functions and `if TYPE_CHECKING:`."""
    for statement in module.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            continue
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            continue
        yield from imported(statement)


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)


def loaded_by(code: str) -> set[str]:
    """The modules in memory after some code has run in a fresh interpreter."""
    printed = python("-c", f"import sys\n{code}\nprint('\\n'.join(sys.modules), file=sys.stderr)")
    return set(printed.stderr.split())


def test_imports_point_down_and_every_module_stands_in_a_layer() -> None:
    pytest.importorskip("importlinter")
    told = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_torch_is_imported_only_where_networks_are_made(path: Path) -> None:
    module = tree(path)
    if path.parent.name == "nn" or path.name in TORCH_MODULES:
        return
    names = at_import(module) if path.name in {"runtime.py", "explain.py"} else imported(module)
    assert not {name for name in names if name.split(".")[0] in ("torch", "onnx")}


def test_files_are_at_most_300_lines_long() -> None:
    files = [*MODULES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    files += (ROOT / "examples").rglob("*.py")
    lengths = {str(f.relative_to(ROOT)): len(f.read_text(encoding="utf-8").splitlines()) for f in files}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_classes_have_at_most_8_methods_or_say_why() -> None:
    large = {}
    for path in MODULES:
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in (n for n in ast.walk(tree(path)) if isinstance(n, ast.ClassDef)):
            methods = [m.name for m in node.body if isinstance(m, ast.FunctionDef) and not m.name.startswith("__")]
            if len(methods) > MOST_METHODS and "# budget:" not in lines[node.lineno - 1]:
                large[f"{path.name}: {node.name}"] = methods
    assert large == {}


def test_commands_are_at_most_15_lines_long() -> None:
    long = {}
    for path in SOURCE.glob("cli*.py"):
        for node in (n for n in tree(path).body if isinstance(n, ast.FunctionDef)):
            described = isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)
            body = node.body[1:] if described else node.body
            lines = node.end_lineno - body[0].lineno + 1 if body and node.end_lineno else 0
            if lines > 15:
                long[f"{path.name}: {node.name}"] = lines
    assert long == {}


def test_folders_are_at_most_two_deep() -> None:
    assert all(len(path.relative_to(SOURCE).parts) <= 2 for path in MODULES)


def test_no_file_is_named_after_nothing() -> None:
    assert not {path.stem for path in MODULES} & {"utils", "common", "helpers", "base", "core", "misc"}


def test_public_names_are_few_and_all_there() -> None:
    assert uncial.__all__ == sorted(uncial.__all__)
    assert len(uncial.__all__) <= MOST_PUBLIC_NAMES
    for name in uncial.__all__:
        assert getattr(uncial, name).__doc__, name
    assert set(uncial.__all__) <= set(dir(uncial))


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'Reconizer'"):
        uncial.Reconizer  # noqa: B018 - reading the name is the test


def test_the_version_is_that_of_the_installed_package() -> None:
    try:
        installed = importlib.metadata.version("uncial")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("Uncial is not installed, but read from its sources")
    assert installed == uncial.__version__


def test_importing_uncial_loads_nothing_heavy() -> None:
    assert not loaded_by("import uncial") & set(HEAVY)


def test_asking_for_help_loads_nothing_heavy() -> None:
    for command in ("", "read", "train", "evaluate", "data check"):
        code = f"sys.argv = ['uncial', *{command.split()!r}, '--help']\nfrom uncial.cli import main\n"
        assert not loaded_by(f"{code}try: main()\nexcept SystemExit: pass") & set(HEAVY), command


def test_help_is_there_within_half_a_second() -> None:
    before = os.times()
    printed = python("-m", "uncial", "--help")
    after = os.times()
    # Of processor time: a busy machine makes everything wait.
    assert after.children_user + after.children_system - before.children_user - before.children_system < 0.5
    assert "train" in printed.stdout


def test_reading_loads_no_torch(tiny_bundle: object) -> None:
    code = f"from uncial import Recognizer\nRecognizer.load({str(tiny_bundle.path)!r})"  # type: ignore[attr-defined]
    loaded = loaded_by(code)
    assert "onnxruntime" in loaded
    assert "torch" not in loaded


def test_every_dependency_is_pinned_and_without_a_local_version() -> None:
    pins = dict(line.split("==") for line in _constraints())
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = [*PROJECT["project"]["dependencies"], *(name for extra in extras for name in extra)]
    names = {re.split(r"[\[<>=~!; ]", requirement)[0].lower() for requirement in wanted} - {"uncial"}
    assert names <= {name.lower() for name in pins}
    assert pins["torch"] == "2.13.0"
    assert not [version for version in pins.values() if "+" in version]


def _constraints() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_the_reference_of_commands_is_fresh() -> None:
    page = ROOT / "docs" / "reference-cli.md"
    before = page.read_text(encoding="utf-8")
    made = python("-c", f"import sys; sys.path.insert(0, {str(page.parent)!r}); import make_reference as m; "
                        "print(m.reference(), end='')")  # fmt: skip
    assert made.stdout == before, "run: python docs/make_reference.py"


def test_links_in_the_documents_lead_somewhere() -> None:
    broken = []
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.md")):
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8")):
            if not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []


def test_every_example_line_has_its_text_and_its_source() -> None:
    told = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    images = sorted((ROOT / "examples" / "lines").glob("*.png"))
    assert len(images) == 4
    for image in images:
        assert image.with_suffix(".gt.txt").read_text(encoding="utf-8").strip()
        assert f"`{image.name}` |" in told
    assert told.count("CC BY 4.0") >= len(images)


def readme_sessions() -> list[tuple[str, str]]:
    """The commands that the README shows behind a `$`, and what it says they print."""
    return re.findall(r"^    \$ (uncial .*)\n((?:    (?!\$).*\n)*)", README, flags=re.M)


needs_model = pytest.mark.skipif(not SHIPPED.exists(), reason="no model is shipped yet")


@needs_model
@pytest.mark.parametrize(("command", "printed"), readme_sessions())
def test_the_readme_shows_what_is_really_printed(command: str, printed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == re.sub(r"^    ", "", printed, flags=re.M)


@needs_model
def test_the_first_command_of_the_readme_reads_the_examples() -> None:
    first = re.search(r"^    pip install -c constraints.txt \. && (uncial read .*)$", README, flags=re.M)
    assert first
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(first[1])], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == 4


def test_ci_runs_the_second_command_of_the_readme() -> None:
    assert re.search(r'^    pip install -c constraints.txt "\.\[dev\]" && pytest', README, flags=re.M)
    assert "README.md" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MODELS)
def test_a_shipped_model_is_whole_and_small(name: str) -> None:
    assert load_bundle(name).provenance
    assert sum(file.stat().st_size for file in MODELS[name].rglob("*") if file.is_file()) <= LARGEST[name]
