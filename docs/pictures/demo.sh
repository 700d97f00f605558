#!/usr/bin/env bash
# Redraws docs/pictures/demo.svg: runs the demo in a terminal of its own and draws what that terminal showed.
# Needs what the demo needs; the drawing program is installed, pinned, under target/tools.
# The picture shows the scenes named below. Further options are demo.py's: --from '' --until '' draws everything.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
pins=docs/pictures/requirements.txt
tools=$PWD/target/tools/pictures-$(sha256sum $pins | cut -c1-12)
if [[ ! -f $tools/installed ]]; then
    rm -rf "$tools" && python3 -m venv "$tools"
    "$tools/bin/python" -m pip install --quiet --no-deps --only-binary :all: --require-hashes -r $pins
    touch "$tools/installed"
fi
exec "$tools/bin/python" docs/pictures/demo.py \
    --from "A new function, checkout" --until "Someone shares the shop" "$@"
