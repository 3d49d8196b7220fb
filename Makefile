# Two commands: `make serve` and `make test`. Both make their environment first, and are quick the second time.
PYTHON ?= python3
VENV ?= .venv
HOST ?= 127.0.0.1
PORT ?= 8000
DOWNLOADS ?= cards
# processes of pytest: while one waits for a browser or a server, the others compute; a file stays in one of them
JOBS ?= 3
SPREAD = -n $(JOBS) --dist loadfile --no-loadscope-reorder
BIN = $(VENV)/bin
# Python's default, also where the environment says otherwise: without bytecode each server, worker and process of
# pytest that a test starts would compile app/ again
export PYTHONDONTWRITEBYTECODE =

.PHONY: serve test test-page test-slow test-cluster lint lint-types lint-style lint-imports lint-files lint-js bundle js-types hooks coverage check-image check-wheel table memory check-gpu convergence bench bench-growth bench-page bench-latency bench-batch bench-trust bench-checks bench-tasks bench-slow-link bench-score-cam bench-all-methods bench-first-request bench-scale bench-request bench-operations bench-watch bench-lab trust-study sweep docs slow hostile chaos load fuzz compare pins audit clean

serve: $(VENV)/.installed
	@$(BIN)/python -m tools.bundle_js --optional
	@exec env GRADOSCOPE_HOST=$(HOST) GRADOSCOPE_PORT=$(PORT) GRADOSCOPE_DOWNLOADS=$(DOWNLOADS) $(BIN)/gradoscope serve

# all but the page in a browser and the slow ones, which have targets of their own; .ci/run calls each
test: $(VENV)/.tested bundle lint
	$(BIN)/python -m pytest $(SPREAD) -m "not slow" --ignore=tests/page $(PYTEST)

# the page in a real browser
test-page: $(VENV)/.tested bundle
	@tools/ensure_browser.sh $(BIN)/python
	$(BIN)/python -m pytest $(SPREAD) -m "not slow" tests/page $(PYTEST)

# those that train a model, measure a benchmark, build the docs or take half a minute each for another reason; two at a
# time, for one trains against a clock
test-slow: $(VENV)/.tested
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m slow $(PYTEST)

# the contract on Ray Serve, two replicas on this machine; prints pictures per second and the time after a death
test-cluster: $(VENV)/.tested
	$(BIN)/python -m pytest -q --cluster tests/service/cluster/live \
		tests/web/test_rest.py tests/web/routes/test_measurements.py tests/web/routes/test_experiments.py \
		tests/test_acceptance.py $(CLUSTER)

# two at a time, the longest first
lint: $(VENV)/.tested
	@$(MAKE) --no-print-directory --jobs=2 lint-types lint-style lint-imports lint-files lint-js

lint-types:
	$(BIN)/mypy

lint-style:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lint-imports:
	$(BIN)/lint-imports --no-logo --no-cache

lint-files:
	$(BIN)/hadolint Dockerfile
	$(BIN)/python -m check_jsonschema -q --builtin-schema vendor.compose-spec compose.yaml compose.gpu.yaml
	$(BIN)/python -m check_jsonschema -q --builtin-schema vendor.github-workflows .github/workflows/*.yml

lint-js:
	$(BIN)/python -m tools.check_js_imports
	$(BIN)/python -m tools.check_js_types

# static/bundle/: the page's modules in fewer files, where they have changed; without it they are served one by one
bundle: $(VENV)/.tested
	$(BIN)/python -m tools.bundle_js

# writes static/js/api/types.js: what goes over the wire, as types for the page's modules
js-types: $(VENV)/.tested
	$(BIN)/python -m tools.write_js_types

# before each commit: what lint asks, and tidy files
hooks: $(VENV)/.tested
	$(BIN)/pre-commit install

# the tests, and how much of app/ they run, in servers, workers and commands too: 1 below 90 %
coverage: $(VENV)/.tested
	@tools/ensure_browser.sh $(BIN)/python
	$(BIN)/python -m pytest $(SPREAD) --cov --cov-report=term $(PYTEST)

# builds and runs the container without a Docker engine; needs root on Debian, and takes some minutes. Torch is PyPI's
# build, with CUDA; BUILD_ARGS= takes the Dockerfile's default, where the index of CPU builds can be reached
BUILD_ARGS ?= --build-arg TORCH_INDEX=
check-image: bundle
	@test -x ../shared/tools/check_image.sh || { echo 'check-image: ../shared/tools/check_image.sh is missing'; exit 1; }
	BUILD_ARGS='$(BUILD_ARGS)' CHECK_COMMAND='tools/check_container.sh' ../shared/tools/check_image.sh . /healthz 8000

# the wheel, in a new environment away from the checkout: it serves the six maps
check-wheel: $(VENV)/.tested bundle
	$(BIN)/python -m tools.check_wheel

# every shipped card × every method, beside captum: writes docs/models-and-methods.md (some minutes)
table: $(VENV)/.tested
	$(BIN)/python -m benchmarks.table

# ten models under a cap that holds two, a hundred switches: the worker's memory after each (some minutes)
memory: $(VENV)/.tested
	$(BIN)/python -m benchmarks.switching

# both sides in turn, beside captum, PAIR saliency and the CAM libraries: writes docs/speed.md; 1 where a map is wrong
# (some minutes; BENCH="--quick", BENCH="--models resnet50 --rounds 5", … leave the page alone)
BENCH ?= --write
bench: $(VENV)/.benched
	$(BIN)/python -m benchmarks.maps $(BENCH)

# time and memory over steps, pictures and image size: writes its part of docs/speed.md (some minutes)
bench-growth: $(VENV)/.benched
	$(BIN)/python -m benchmarks.maps growth $(BENCH)

# error over gradients for schedules, rules and noise: writes docs/convergence.md and its curves (an hour or two)
convergence: $(VENV)/.benched
	$(BIN)/python -m benchmarks.convergence $(CONVERGENCE)

# speed and agreement with the CPU on a GPU, in nine minutes at most; says so where there is no GPU (CHECK="--json FILE")
check-gpu: $(VENV)/.benched
	@$(BIN)/python -m tools.check_gpu $(CHECK)

# twelve maps in the browser, every control: milliseconds of drawing and from frame to frame
bench-page: $(VENV)/.tested bundle
	@tools/ensure_browser.sh $(BIN)/python
	$(BIN)/python -m benchmarks.page

# a server of its own: cold starts, fresh pictures, answers from the store; milliseconds until something is seen
bench-latency: $(VENV)/.tested
	$(BIN)/python -m benchmarks.latency

# the first request after a start, against a warm one, seven starts (two minutes): names, first map, six maps; 1 where six
# maps take more than 2.5 s (FIRST=--write puts it into docs/speed.md)
bench-first-request: $(VENV)/.tested
	$(BIN)/python -m benchmarks.first_request $(FIRST)

# what one picture takes of each process and of the store (some minutes; SCALE=--write puts it into docs/scaling.md)
bench-scale: $(VENV)/.tested
	$(BIN)/python -m benchmarks.scale $(SCALE)

# a folder of pictures with one question, against one by one: pictures per second
bench-batch: $(VENV)/.tested
	$(BIN)/python -m benchmarks.batch

# each metric of each method: seconds told before and spent, on a server of its own; 1 where passes differ, or a fifth
bench-trust: $(VENV)/.tested
	$(BIN)/python -m benchmarks.metric_cost $(TRUST)

# «Check all maps» in a browser: seconds to the first verdict, and with CHECKS=--whole to the last
bench-checks: $(VENV)/.tested bundle
	@tools/ensure_browser.sh $(BIN)/python
	$(BIN)/python -m benchmarks.checks $(CHECKS)

# every method on one picture: the cost told before and the seconds taken, and how long another client waits meanwhile
bench-all-methods: $(VENV)/.tested
	$(BIN)/python -m benchmarks.all_methods

# gradoscope.watch on a training loop of resnet18, with and without it in turns; 1 where it takes more than 5 % (a minute)
bench-watch: $(VENV)/.tested
	$(BIN)/python -m benchmarks.watch $(WATCH)

# every experiment of the lab, on a server of its own: writes its part of docs/lab.md; 1 where one is over its bound (some
# minutes; LAB="graph depth" leaves the page alone)
LAB ?= --write
bench-lab: $(VENV)/.tested
	$(BIN)/python -m benchmarks.lab $(LAB)

# what a visitor does on the page, from the first picture to the first verdict: actions and seconds (some minutes)
bench-tasks: $(VENV)/.tested bundle
	@tools/ensure_browser.sh $(BIN)/python
	$(BIN)/python -m benchmarks.tasks

# a link to an explanation on Fast 3G: seconds until names, maps and arrays are there (a minute)
bench-slow-link: $(VENV)/.tested bundle
	@tools/ensure_browser.sh $(BIN)/python
	$(BIN)/python -m benchmarks.slow_link

# six maps over REST, as a job in one process, and by the engine alone, in turns; and where the time goes (three minutes;
# REQUEST=--write puts it into docs/speed.md); 1 where REST takes more than 1.05 times as long as the engine
bench-request: $(VENV)/.tested
	$(BIN)/python -m benchmarks.request $(REQUEST)

# Score-CAM's forward passes against plain inference, on ResNet-50 (a minute); 1 where they take more than 1.3 times as long
bench-operations: $(VENV)/.tested
	$(BIN)/python -m benchmarks.operations $(OPERATIONS)

bench-score-cam: $(VENV)/.tested
	$(BIN)/python -m benchmarks.score_cam $(SCORE_CAM)

# what all metrics say of the six methods on the samples: writes docs/trust.md (twenty minutes; what was measured is kept)
trust-study: $(VENV)/.benched
	$(BIN)/python -m benchmarks.trust_study

# every architecture of timm × every method: writes docs/timm-sweep.md; 1 where one crashes or fails (hours)
# SWEEP="--sample 60", SWEEP="--names resnet* convnext*" leave the page alone
SWEEP ?= --write
sweep: $(VENV)/.tested
	$(BIN)/python -m benchmarks.sweep $(SWEEP)

# refreshes the generated tables of docs/, then builds the site into site/; fails if there is a warning
docs: $(VENV)/.tested
	$(BIN)/python docs/_pages/refresh.py
	$(BIN)/python docs/_pages/build.py site

# two hundred slow sockets, and what a good client notices of them (two minutes); 1 where it is more than it should
slow: $(VENV)/.tested
	$(BIN)/python -m benchmarks.slow_sockets

# what docs/compare.md says that other libraries have, looked up in their sources, which it downloads from PyPI
compare: $(VENV)/.tested
	$(BIN)/python -m tools.compare_peers

# a hostile client beside a good one, loopback only: /healthz, memory of the web process, what is lost (three minutes)
hostile: $(VENV)/.tested
	$(BIN)/python -m benchmarks.hostile $(HOSTILE)

# 300 requests while the worker is killed 20 times, and 100 clients that leave in the middle (some minutes)
chaos: $(VENV)/.tested
	$(BIN)/python -m benchmarks.chaos $(CHAOS)

# 50 clients with mixed work for 5 minutes on a server of its own: writes its part of docs/service.md; 1 where an answer
# was wrong, /healthz slow, or memory grew (LOAD="--seconds 40" leaves the page alone)
LOAD ?= --write
load: $(VENV)/.tested
	$(BIN)/python -m benchmarks.load $(LOAD)

# schemathesis over the whole OpenAPI document, with other requests each time (5 minutes)
fuzz: $(VENV)/.tested
	$(BIN)/python -m tools.fuzz $(FUZZ)

# writes constraints.txt: the versions that are installed here, for the container and for who wants the same
pins: $(VENV)/.tested
	$(BIN)/python -m tools.pins

# known faults of the pinned dependencies, by the database of PyPI: needs a network; 1 where one could not be looked up
audit: $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check -q pip-audit
	$(BIN)/python -m pip_audit --strict --no-deps --disable-pip -r constraints.txt

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check -q -e '.[fast]' || \
		$(BIN)/python -m pip install --disable-pip-version-check -q -e .  # where OpenVINO has no build
	@touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/python -m pip install --disable-pip-version-check -q -e '.[test]'
	@touch $@

$(VENV)/.benched: $(VENV)/.tested
	$(BIN)/python -m pip install --disable-pip-version-check -q -e '.[bench]'
	@touch $@

clean:
	rm -rf $(VENV) static/bundle build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
