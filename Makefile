# What `sam build` calls for each function. The workspace is compiled once: the first call compiles all
# functions, the others find them done.

PROFILE ?= lambda

.PHONY: functions build-Planner build-Worker build-LargeWorker build-Watcher build-Api

functions:
	cargo lambda build --arm64 --profile $(PROFILE) \
	  -p tidemill-planner -p tidemill-worker -p tidemill-watcher -p tidemill-api

build-Planner: functions
	cp target/lambda/planner/bootstrap $(ARTIFACTS_DIR)/

build-Worker build-LargeWorker: functions
	cp target/lambda/worker/bootstrap $(ARTIFACTS_DIR)/

build-Watcher: functions
	cp target/lambda/watcher/bootstrap $(ARTIFACTS_DIR)/

build-Api: functions
	cp target/lambda/api/bootstrap $(ARTIFACTS_DIR)/
