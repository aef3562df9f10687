# KommoSync: `make demo` shows it, `make test` proves it, `make up` runs it. Every target may be repeated.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help venv venv-dev demo setup up test test-deep check bench messages pictures clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
PY := $(VENV)/bin/python
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed

help: ## what there is
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' Makefile

# -- the virtual environment: made once, installed again only when the requirements changed --
$(VENV)/bin/pip:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; none was found."; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is $$("$(PYTHON)" --version). Name another: make PYTHON=/path/to/python3.11 ..."; exit 2; }
	@echo "Making the virtual environment $(VENV) with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv --clear $(VENV) || { \
	  echo "No virtual environment could be made; Debian and Ubuntu need: apt-get install python3-venv"; exit 2; }

$(RUNTIME): requirements.txt | $(VENV)/bin/pip
	@echo "Installing what KommoSync runs on"
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(DEV): requirements.txt requirements-dev.txt | $(VENV)/bin/pip
	@echo "Installing what tests and checks need"
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $(RUNTIME) $@

venv: $(RUNTIME)
venv-dev: $(DEV)

# -- to use it --
# The demo and the bench have an environment of their own and never read `.env`.
demo: venv ## a simulated Kommo, 119 slaves, the first sync, then the dashboard (DEMO_ARGS="--no-serve --slaves 20")
	@KOMMOSYNC_ENV_FILE=/dev/null exec $(PY) manage.py demo $(DEMO_ARGS)

setup: venv ## .env, database, static files, superuser
	@exec $(PY) manage.py setup $(SETUP_ARGS)

up: setup ## web server and worker, for real accounts (UP_ARGS="--port 9000")
	@exec $(PY) manage.py up $(UP_ARGS)

bench: venv ## the figures: requests, pace, memory (BENCH_ARGS="--quick")
	@KOMMOSYNC_ENV_FILE=/dev/null exec $(PY) manage.py bench $(BENCH_ARGS)

# -- to change it --
# Tests start many processes: without bytecode each would compile every module again.
test: venv-dev ## every test, in the same virtual environment (TEST_ARGS="-k pacing")
	@env -u PYTHONDONTWRITEBYTECODE $(PY) -m pytest -n 4 --dist load --maxschedchunk 1 -rs $(TEST_ARGS)

# How far the laws look is said in one place: accounts/tests/laws.py.
test-deep: venv-dev ## laws and kill tests with many random examples; with CI=true always the same ones (LAW_EXAMPLES=500)
	@$(MAKE) --no-print-directory test LAW_EXAMPLES=$(or $(LAW_EXAMPLES),150) TEST_ARGS="-m law --timeout=600 $(TEST_ARGS)"

CHECK_ENV := KOMMOSYNC_ENV_FILE=/dev/null VAR_DIR=var/check DATABASE_URL= REDIS_URL= DEBUG=off HTTPS_ONLY=on ALLOWED_HOSTS=sync.example.com \
  SECRET_KEY=only-for-the-check-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ \
  FIELD_ENCRYPTION_KEYS=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=

check: venv-dev ## format, lint, types, import rules, migrations, deploy checks, templates, translations
	$(PY) -m ruff format --check --quiet .
	$(PY) -m ruff check --quiet .
	$(PY) -m mypy accounts syncing kommosync
	$(VENV)/bin/lint-imports --no-cache
	$(CHECK_ENV) $(PY) manage.py makemigrations --check --dry-run
	$(CHECK_ENV) $(PY) manage.py check --deploy --fail-level WARNING
	$(VENV)/bin/djlint --quiet --lint templates
	$(PY) .ci/check_translations.py

messages: venv-dev ## collect the texts of the pages for translation, and compile what is translated (needs gettext)
	$(CHECK_ENV) $(PY) manage.py makemessages -l pt_BR -l es --no-obsolete --no-wrap --add-location file \
	  --ignore '.venv/*' --ignore 'var/*' --ignore '*/tests/*' --ignore 'accounts/simulator/*'
	$(CHECK_ENV) $(PY) manage.py compilemessages -l pt_BR -l es --ignore '.venv/*'

pictures: venv-dev ## take the pictures of README and docs anew (needs chromium)
	$(PY) .ci/make_pictures.py

clean: ## remove what can be made again (never .env or the database)
	rm -rf var/check var/demo var/static var/cache var/test-*.sqlite3* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find accounts syncing kommosync -name __pycache__ -type d -prune -exec rm -rf {} +
