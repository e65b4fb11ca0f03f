"""`uncial model` and `uncial export`: what a bundle is, and a bundle for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from uncial.cli_options import Force, Json, Model, check_place, needs_extra


def model(model: Model = None, as_json: Json = False) -> None:
    """Show what a bundle is and was made of.

    Its data, licences, network, alphabet and results.
    """
    import json

    from uncial.bundle import load_bundle
    from uncial.screen import bundle_facts, show_bundle

    bundle = load_bundle(model)
    if as_json:
        print(json.dumps(bundle_facts(bundle), ensure_ascii=False, indent=1))
    else:
        show_bundle(bundle)


def export(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder of the bundle.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The ONNX file to write.")],
    force: Force = False,
) -> None:
    """Write a bundle's network as ONNX, and prove it right.

    One file, which is run and has to read the same.
    """
    with needs_extra("train", "export", "onnx"):
        from uncial.export import export_onnx
    from uncial.bundle import load_bundle

    check_place(out, (), force=force)
    difference = export_onnx(load_bundle(bundle), out)
    size = out.stat().st_size / 1e6
    print(f"{out}: {size:.1f} MB; log-probabilities differ from the bundle's by at most {difference:.1g}")
