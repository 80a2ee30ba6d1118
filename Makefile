# What `sam build` calls for each function that is a program, and for the layers of those on Python. The
# workspace is compiled once: the first call compiles all functions, the others find them done. The
# functions on Python have no target: SAM itself installs what functions/python/packages asks for.

PROFILE ?= lambda
# of functions that work on no rows
SMALL_PROFILE ?= lambda-small
# any that has pip: what it installs is no program
PYTHON ?= python3

.PHONY: functions build-Planner build-Worker build-LargeWorker build-Watcher build-Api \
  build-PythonLayer build-PythonSqlLayer

functions:
	cargo lambda build --arm64 --profile $(PROFILE) \
	  -p tidemill-planner -p tidemill-worker -p tidemill-python -p tidemill-python-sql
	cargo lambda build --arm64 --profile $(SMALL_PROFILE) -p tidemill-watcher -p tidemill-api

build-Planner: functions
	cp target/lambda/planner/bootstrap $(ARTIFACTS_DIR)/

build-Worker build-LargeWorker: functions
	cp target/lambda/worker/bootstrap $(ARTIFACTS_DIR)/

build-Watcher: functions
	cp target/lambda/watcher/bootstrap $(ARTIFACTS_DIR)/

build-Api: functions
	cp target/lambda/api/bootstrap $(ARTIFACTS_DIR)/

# in /opt of the function: its program, and what every function of Python needs in the interpreter
build-PythonLayer: program = python
build-PythonSqlLayer: program = python-sql
build-PythonLayer build-PythonSqlLayer: functions
	mkdir -p $(ARTIFACTS_DIR)/tidemill
	cp target/lambda/$(program)/bootstrap $(ARTIFACTS_DIR)/tidemill/$(program)
	chmod 755 $(ARTIFACTS_DIR)/tidemill/$(program)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: \
	  --no-compile --target $(ARTIFACTS_DIR)/python --requirement functions/python/layer-requirements.txt
