#!/usr/bin/env bash
# Makes sure of a browser for the page's tests. usage: ensure_browser.sh PYTHON
set -euo pipefail
python=${1:?usage: ensure_browser.sh PYTHON}
for name in chromium-headless-shell chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null; then exit 0; fi
done
if "$python" -c 'import os; from playwright.sync_api import sync_playwright as p
with p() as q: raise SystemExit(not os.path.exists(q.chromium.executable_path))' 2>/dev/null; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  install() { DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "$1"; }
  apt-get update -q && { install chromium-headless-shell || install chromium; } && exit 0
fi
exec "$python" -m playwright install chromium
