#!/usr/bin/env bash
# Builds the wheel, installs it into an empty environment and runs its demo from another folder.
# Exported models are taken from TRIMTAB_HOME where they are; code, texts, prices and weights are
# the wheel's own. TORCH_INDEX is used as in the Makefile.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
builder=${BUILDER:-.venv/bin/python}

scratch=$(mktemp -d "${TMPDIR:-/tmp}/trimtab-wheel-XXXXXX")
trap 'rm -rf "$scratch"' EXIT

echo "building the wheel"
"$builder" -m build --wheel --outdir "$scratch/dist" . >"$scratch/build.log" 2>&1 ||
  { cat "$scratch/build.log" >&2; exit 1; }
wheel=$(echo "$scratch"/dist/trimtab-*.whl)

echo "installing $(basename "$wheel") into an empty environment"
"$builder" -m venv "$scratch/venv"
python=$scratch/venv/bin/python
"$python" -m pip install --quiet --upgrade pip
if [ -n "${TORCH_INDEX:-}" ]; then
  "$python" -m pip install --quiet -c constraints.txt --extra-index-url "$TORCH_INDEX" torch
fi
"$python" -m pip install --quiet -c constraints.txt "$wheel[train,local,search]"
"$scratch/venv/bin/trimtab" setup text

# from here on nothing of the repository can be imported: another folder, no PYTHONPATH
mkdir "$scratch/elsewhere"
cd "$scratch/elsewhere"
unset PYTHONPATH
export TRIMTAB_LEDGER=$scratch/elsewhere/ledger.sqlite

"$python" -P "$repository/scripts/check_wheel.py" "$repository/trimtab" "$scratch/venv"

echo "running the demo from $PWD"
"$scratch/venv/bin/trimtab" demo --json >"$scratch/demo.out"
tail -n 1 "$scratch/demo.out" | "$python" -P -c '
import json, sys
document = json.load(sys.stdin)
print("demo printed", document["schema"])'
test -s runs/demo/report.html || { echo "the demo left no runs/demo/report.html" >&2; exit 1; }
echo "the wheel works: $(du -h "$wheel" | cut -f1) packed, report of $(wc -c <runs/demo/report.html) bytes"
