# make demo   a simulated patient, from image and ECG to report, in ./demo-output
# make test   lint, types and every test, with the library's coverage
# make test-pacs   the round trip through a real archive (Orthanc) alone; make test includes it
# make bench  how long a case, an edit, a stroke in the panel ... take here, beside their targets
# make bench-cohort   200 simulated patients on two workers, and 1,000 rows in a browser, beside their targets
# make fuzz   broken ECGs, DICOM sets, NIfTI, NRRD and label files, archives and journals by the thousand; a part is in make test
# make docs   the pages of docs/ as HTML, in docs/_build
# make lint   ruff and mypy alone
# make clean  remove what was built (the virtual environment stays: make distclean)
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
LOG := $(VENV)/install.log
# Named here, because a comma inside $(call ...) would end its argument.
FOR_TESTS := .[test,desktop-test,docs]
# Processes that share the tests.
JOBS ?= $(shell $(PYTHON) -c 'import os; print(min(os.cpu_count() or 1, 8))')

.DELETE_ON_ERROR:
.PHONY: demo test test-pacs bench bench-cohort docs fuzz lint clean distclean

demo: $(VENV)/.installed
	@$(VENV)/bin/scarsegecg demo

test: lint
	@start=$$SECONDS; \
	$(PY) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --cov --cov-report=term --durations=10 || { code=$$?; \
	  test $$code -ne 5 || echo "make test: no test was found, which counts as a failure"; exit $$code; }; \
	echo "make test: passed in $$((SECONDS - start)) s"

# Orthanc is started in a network namespace of its own and stopped by its process id; without it the test says so.
test-pacs: $(VENV)/.installed-test
	@$(PY) -m pytest Testing/pacs -s -rs

bench: $(VENV)/.installed-test
	@$(VENV)/bin/scarsegecg bench
	@$(PY) -m pytest -q -s Testing/desktop/test_panel.py -k "stroke_reaches or window_stays_alive"

bench-cohort: $(VENV)/.installed-test
	@$(PY) Testing/cohort/bench_cohort.py

docs: $(VENV)/.installed-test
	@$(PY) -m sphinx --fail-on-warning --keep-going -q docs docs/_build/html && echo "docs/_build/html/index.html"

fuzz: $(VENV)/.installed-test
	$(PY) Testing/fuzz/run_fuzz.py ecg --count 5000
	$(PY) Testing/fuzz/run_fuzz.py dicom --count 5000
	$(PY) Testing/fuzz/run_fuzz.py volume --count 10000
	$(PY) Testing/fuzz/run_fuzz.py pacs --count 2000
	$(PY) Testing/fuzz/run_fuzz.py journal --count 2000

lint: $(VENV)/.installed-test
	@echo "ruff check"; $(PY) -m ruff check --quiet .
	@echo "ruff format --check"; $(PY) -m ruff format --quiet --check .
	@echo "mypy"; $(PY) -m mypy --no-error-summary
	@$(PY) Testing/line_counts.py

clean:
	rm -rf build dist demo-output docs/_build docs/generated htmlcov .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -rf ScarSegECG/*.egg-info
	find ScarSegECG Testing -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)

# A stamp is younger than what it was made from, so a second call installs nothing.
$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "ScarSegECG needs Python 3.10 or newer, and $(PYTHON) is not here. Another name: make demo PYTHON=python3.12"; \
	  exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "ScarSegECG needs Python 3.10 or newer, and $(PYTHON) is $$($(PYTHON) -V 2>&1). Another one: make demo PYTHON=python3.12"; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments. On Debian or Ubuntu: sudo apt install python3-venv"; \
	  exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# $(call install,requirement): pip's own words go to a log; the terminal gets one line that moves.
define install
	@echo "Installing ScarSegECG and what it needs into $(VENV) (the first time takes some minutes; torch alone is 0.2 to 3 GB)"
	@set -o pipefail; tty=; if [ -t 1 ]; then tty=1; fi; \
	$(PY) -m pip install --disable-pip-version-check --progress-bar off -c constraints.txt -e '$(1)' 2>&1 | tee $(LOG) \
	| awk -v tty="$$tty" 'function show(text) { if (tty) printf "\r  %-70.70s", text; else if (text != last) print "  " text; \
	      last = text; fflush() } \
	    /^ *Downloading / && tty { show("downloading " $$2) } \
	    /^Collecting / { n++; if (tty || n % 20 == 0) show(n " packages found, last " $$2) } \
	    /^Installing collected/ { show("unpacking") } \
	    /^Successfully installed/ { show("done") } \
	    END { if (tty) print "" }' \
	|| { echo "The installation failed. The end of $(LOG):"; tail -n 15 $(LOG); exit 1; }
	@touch $@
endef

$(VENV)/.installed: $(VENV)/.made pyproject.toml constraints.txt
	$(call install,.)

$(VENV)/.installed-test: $(VENV)/.made pyproject.toml constraints.txt
	$(call install,$(FOR_TESTS))
	@touch $(VENV)/.installed
