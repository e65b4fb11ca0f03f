#!/usr/bin/env bash
# Installs the peers that benchmarks/beside_peers.py measures, each into an environment of its own below the folder that
# is given (default .cache/peers), and tells which of them could not be had. None is a dependency of Uncial.
#
#     bash benchmarks/setup_peers.sh [FOLDER]
set -uo pipefail
folder=${1:-.cache/peers}
mkdir -p "$folder"

have() { # name, packages: an environment of its own, kept if the packages install
    local name=$1
    shift
    [ -x "$folder/$name/bin/python" ] && return
    python3 -m venv "$folder/$name" && "$folder/$name/bin/pip" install --quiet "$@" || echo "$name: could not be installed"
}

have kraken kraken torch==2.13.0
have calamari calamari-ocr
have rapidocr rapidocr onnxruntime
command -v tesseract >/dev/null || { apt-get update -qq && apt-get install -y -qq tesseract-ocr tesseract-ocr-fra; } ||
    echo "tesseract: could not be installed; it needs apt-get and its rights"

# torchvision's wheel wants the operators of a CUDA build, which a CPU build of torch lacks; kraken uses none of them.
for file in "$folder"/kraken/lib/python3*/site-packages/torchvision/_meta_registrations.py; do
    [ -f "$file" ] && echo "# left empty: see benchmarks/setup_peers.sh" >"$file"
done
for name in kraken calamari rapidocr; do
    [ -d "$folder/$name" ] && echo "$name: $(du -sm "$folder/$name" | cut -f 1) MB"
done
exit 0
