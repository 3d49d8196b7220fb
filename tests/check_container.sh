#!/usr/bin/env bash
# A sample explained through a running container: six maps, all of them done. usage: check_container.sh [URL]
set -euo pipefail
url=${1:-http://127.0.0.1:8000}
for _ in $(seq 300); do curl -fsS "$url/readyz" >/dev/null 2>&1 && break; sleep 0.3; done
curl -fsS -F sample=cat "$url/api/v1/explanations" | python3 -c '
import json, sys
record = json.load(sys.stdin)
done = [panel["method"] for panel in record["panels"] if panel["status"] == "done"]
print("{}: {} maps in {} s".format(record["inputs"][0]["predictions"][0]["label"], len(done), record["seconds"]))
sys.exit(len(done) != 6)'
