#!/usr/bin/env bash
# A running container asked: six maps of a sample, uploads decoded, a card of the operator's own, nothing that only a
# build needs. Where podman started it last, it is looked at from outside too. usage: check_container.sh [URL]
set -euo pipefail
url=${1:-http://127.0.0.1:8000}
here=$(cd "$(dirname "$0")/.." && pwd)
container=$(podman ps -q --latest 2>/dev/null || true)

since() {  # seconds since the container was started
  [ -n "$container" ] || return 0
  echo "$1: $(python3 -c 'import sys, time; print(round(time.time() - float(sys.argv[1]), 1))' \
    "$(date -d "$(podman inspect -f '{{.State.StartedAt}}' "$container" | sed -E 's/ [+-][0-9]{4} / /; s/ UTC$/ UTC/')" +%s.%N)") s after the start"
}

explain() {  # what is asked, and the fields of the form
  local what=$1; shift
  curl -fsS "$@" "$url/api/v1/explanations" | python3 -c '
import json, sys
record = json.load(sys.stdin)
done = [panel["method"] for panel in record["panels"] if panel["status"] == "done"]
print("{}: {}, {} maps in {} s".format(sys.argv[1], record["inputs"][0]["predictions"][0]["label"], len(done), record["seconds"]))
sys.exit(len(done) != len(record["panels"]) or len(done) != int(sys.argv[2]))' "$what" "${maps:-6}"
}

since healthy
for _ in $(seq 300); do curl -fsS "$url/readyz" >/dev/null 2>&1 && break; sleep 0.3; done
since "able to compute"
explain "a sample" -F sample=cat
explain "another" -F sample=espresso
maps=1 explain "a JPEG" -F "image=@$here/static/samples/astronaut.jpg" -F method=grad_cam
maps=1 explain "a WebP" -F "image=@$here/docs/workbench.webp" -F method=grad_cam
[ -n "$container" ] || exit 0

own=$(podman inspect -f '{{range .Mounts}}{{if eq .Destination "/models"}}{{.Source}}{{end}}{{end}}' "$container")
sed 's/^title = .*/title = "The operator'"'"'s own"/' "$here/models/efficientnet_lite0.toml" >"$own/own_card.toml"
for _ in $(seq 100); do curl -fsS "$url/api/v1/models" | grep -q own_card && break; sleep 0.3; done
maps=1 explain "a card in /models" -F sample=cat -F model=own_card -F method=grad_cam
rm "$own/own_card.toml"

inside() { podman exec "$container" "$@"; }
inside gradoscope doctor
# shellcheck disable=SC2016
inside sh -c 'cd /opt/venv/lib/python3*/site-packages && for place in . * /opt/gradoscope; do du -sm "$place"; done' |
  sort -rn | head -n 24 | sed 's/^/  MiB: /'
inside sh -c '! test -e /src && ! ls -d /opt/venv/lib/python3*/site-packages/pip /root/.cache/pip 2>/dev/null'
inside sh -c '! touch /opt/gradoscope/written 2>/dev/null'
podman run --rm --no-healthcheck --network none --read-only --tmpfs /tmp --cap-drop ALL localhost/checked:ci \
  gradoscope explain /opt/gradoscope/gradoscope/static/samples/cat.jpg --method grad_cam --out /tmp/cat >/dev/null
echo "without a network: a map from the shell"
