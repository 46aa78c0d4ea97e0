# Every target does its own set-up: Python 3.11 and make are enough.

PYTHON ?= python3
RUN := .venv/bin/python
# Half of the tests' time is waiting, so four workers for two cores; the longest files first
# (tests/slow_first.py).
PYTESTFLAGS ?= -n 4 --dist loadfile --no-loadscope-reorder
# One worker: a machine in QEMU takes both cores.
MACHINEFLAGS := -n 0 -o cache_dir=build/machine-cache

.DEFAULT_GOAL := help
.PHONY: help demo test check bench image test-image test-image-long requirements environment environment-hardware environment-office environment-technician environment-dev test-packages clean

help:
	@echo "make demo          one morning at a pharmacy, from the card to the back office"
	@echo "make test          all tests, those with a real pcscd included where there is root"
	@echo "make check         style, types, and who may import whom"
	@echo "make bench         the numbers, in a table and in build/bench.json"
	@echo "make image         a unit's SD card in build/image/ (root; docs/image.md)"
	@echo "make test-image    that image in QEMU, with cards, readers, pad and office (root; half an hour)"
	@echo "make test-image-long  every case of it, and 100 kills (root; an hour)"
	@echo "make requirements  pin the newest packages that pyproject.toml allows"
	@echo "make clean         remove what the other targets made"

demo: environment-office
	@$(RUN) -m simulator.morning

# The tests start Python hundreds of times: no module is compiled twice, whatever the environment says.
test: environment-dev test-packages
	@PYTHONDONTWRITEBYTECODE= $(RUN) -m pytest $(PYTESTFLAGS)

check: environment-dev
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m tools.import_rule

bench: environment-dev test-packages
	@$(RUN) -m tests.bench

image: environment-dev
	@tools/install_test_packages.sh --image
	@$(RUN) -m tools.image.build $(IMAGEFLAGS)

# The image just made, in QEMU.
test-image: image
	@tools/install_test_packages.sh --machine
	@$(RUN) -m pytest $(MACHINEFLAGS) -m "not long" tests/machine

# Every case, and five times as many kills.
test-image-long: image
	@tools/install_test_packages.sh --machine
	@$(RUN) -m pytest $(MACHINEFLAGS) tests/machine --kills 100

requirements: environment
	@$(RUN) -m tools.bootstrap.pin

environment:
	@$(PYTHON) tools/bootstrap/environment.py

environment-hardware:
	@$(PYTHON) tools/bootstrap/environment.py --hardware

environment-office:
	@$(PYTHON) tools/bootstrap/environment.py --office

environment-technician:
	@$(PYTHON) tools/bootstrap/environment.py --technician

environment-dev:
	@$(PYTHON) tools/bootstrap/environment.py --dev

# Without them the tests that need a real pcscd are skipped by name, and counted.
test-packages:
	@if [ "$$(id -u)" = 0 ] || sudo -n true 2>/dev/null; \
	then tools/install_test_packages.sh || echo "test packages: could not be installed"; \
	else echo "test packages: no root here; once: sudo tools/install_test_packages.sh"; fi

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
