"""Fetches the fonts of synthetic-fonts.tsv, with npm, and makes TTF files and fonts.tsv of them.

    python tools/fetch_fonts.py .cache/fonts

Packages lie in DIR/packages afterwards, so that a second run asks for none again. A package is taken only if its own
metadata names an open licence. Latin and extended Latin come as two files; they are merged where their tables agree,
and otherwise the first is taken alone. Needs npm and: pip install "uncial[synth]".
"""

import csv
import json
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

from fontTools.merge import Merger
from fontTools.ttLib import TTFont

LIST = Path(__file__).with_name("synthetic-fonts.tsv")
LICENCES = ("OFL", "Apache", "UFL", "MIT")
COLUMNS = ("file", "package", "version", "licence", "style", "weight", "characters", "attribution")


def fetch(package: str, folder: Path) -> Path | None:
    """The package's archive; None if it is not to be had."""
    stem = package.removeprefix("@").replace("/", "-")
    there = sorted(folder.glob(f"{stem}-[0-9]*.tgz"))
    if not there:
        done = subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=False, capture_output=True)
        there = sorted(folder.glob(f"{stem}-[0-9]*.tgz")) if done.returncode == 0 else []
    return there[-1] if there else None


def convert(archive: Path, out: Path) -> dict[str, str]:
    """Write the package's font as TTF; the facts of its metadata. Raises ValueError: no open licence, or no file."""
    with tarfile.open(archive) as tar:
        members = {member.name: member for member in tar.getmembers() if member.isfile()}

        def read(name: str) -> bytes:
            file = tar.extractfile(members[name])
            return file.read() if file else b""

        facts = json.loads(read("package/metadata.json"))
        version = json.loads(read("package/package.json"))["version"]
        licence, attribution = licence_of(facts)
        if not any(name.lower() in licence.lower() for name in LICENCES):
            raise ValueError(f"its licence is {licence}")
        weight = 400 if 400 in facts["weights"] else facts["weights"][0]
        names = [f"package/files/{facts['id']}-{part}-{weight}-normal.woff2" for part in ("latin", "latin-ext")]
        fonts = [read(name) for name in names if name in members]
    if not fonts:
        raise ValueError("holds no Latin font")
    characters = characters_of(out) if out.exists() else write_font(fonts, out)
    told = {"version": version, "licence": licence, "characters": str(characters), "attribution": attribution}
    return {"file": out.name, **told}


def write_font(parts: list[bytes], out: Path) -> int:
    """Write TTF, the parts merged if they can be; how many characters it has."""
    files = []
    for number, part in enumerate(parts):
        font = TTFont(BytesIO(part))
        font.flavor = None
        files.append(out.with_suffix(f".{number}.part"))
        font.save(files[-1])
    try:
        merged = Merger().merge([str(file) for file in files]) if len(files) > 1 else TTFont(files[0])
        merged.save(out)
    except Exception as error:  # noqa: BLE001 - whatever two subsets disagree on, one of them alone is a font
        print(f"{out.name}: Latin alone ({type(error).__name__}: {error})")
        files[0].replace(out)
    for file in files:
        file.unlink(missing_ok=True)
    return characters_of(out)


def characters_of(path: Path) -> int:
    """How many characters a font file has."""
    with TTFont(path, lazy=True) as font:
        return len(font.getBestCmap())


def licence_of(facts: dict[str, Any]) -> tuple[str, str]:
    """Name and attribution of the licence; older packages tell a name alone."""
    told = facts["license"]
    if isinstance(told, str):
        return told, ""
    return told["type"], " ".join(str(told.get("attribution", "")).split())


def main(folder: Path) -> None:
    packages = folder / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    rows = []
    with LIST.open(encoding="utf-8", newline="") as file:
        wanted = list(csv.DictReader(file, delimiter="\t"))
    for row in wanted:
        archive = fetch(row["package"], packages)
        if archive is None:
            print(f"{row['package']}: not to be had")
            continue
        try:
            rows.append(row | convert(archive, folder / f"{row['package'].rpartition('/')[2]}.ttf"))
        except (ValueError, KeyError) as error:
            print(f"{row['package']}: left out, {error}")
    with (folder / "fonts.tsv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} fonts of {len(wanted)} in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
