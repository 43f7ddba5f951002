.DEFAULT_GOAL := help
.PHONY: help run test setup check unit sim sim-full faults kills onboarding e2e bench generate build image
.NOTPARALLEL:

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
TOOL    := go tool -modfile=tools.mod
LDFLAGS := -s -w -X perennial/cmd/portal/app.Build=$(VERSION)
# What the chances in the simulations follow from.
SEED    ?= 1
# So small a part of the domains of sim-full.
PART    ?= 1
# The race detector needs a C compiler. Without one the tests still run, except in CI.
RACE     = $(if $(filter true,$(CI))$(shell command -v $$(go env CC)),-race)
# Months of certificates, or every fault of one: a single worker, so there is nothing to race for, and the race detector makes
# them eight times as long.
STORIES  = ^TestStory|EveryFault|CallFails
# The packages without test/, whose tests drive whole programs.
UNITS    = $(shell go list ./... | grep -v '^perennial/test/')
# Those where nothing runs at the same time: decisions and drawings. The race detector has nothing to find there.
PURE     = perennial/tenants perennial/views

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## start the whole world on this machine: portal, CA, DNS, OpenID Provider
	go run ./cmd/devportal

test: setup check unit e2e ## everything CI runs; with CI=true a skipped test fails

setup: ## install what the tests need where that is possible, else say what is missing
	@sh test/setup

check: ## format, fresh generated code, go vet, staticcheck
	@out=$$(gofmt -l .); test -z "$$out" || { echo "not formatted, run gofmt -w:"; echo "$$out"; exit 1; }
	$(TOOL) templ generate -check -log-level=error
	go vet ./...
	$(TOOL) staticcheck ./...

unit: ## tests of all packages, under the race detector where anything runs at the same time
	go run ./test/gotest $(RACE) -short -timeout 30m -skip '$(STORIES)' $(filter-out $(PURE),$(UNITS))
	go run ./test/gotest -timeout 10m $(PURE)
	go run ./test/gotest -timeout 20m -run '$(STORIES)' ./jobs

sim: ## years of the portal in a minute, every promise counted; SEED=n for other chances, STORY=years for one story
	go test -count=1 -timeout 10m -v -run '^TestSim$$/^$(STORY)' ./jobs -sim.seed=$(SEED)

sim-full: ## the same in the sizes that are promised (100,000 names in a week, 2,000 for two years), which takes hours; PART=4 for a quarter
	GOGC=400 GOMAXPROCS=1 go test -count=1 -timeout 72h -v -run '^TestSim$$/^$(STORY)' ./jobs -sim.seed=$(SEED) -sim.full -sim.part=$(PART)

faults: ## every call of the engine fails in every way, on both engines, and whole fleets renew at once, which takes ten minutes
	go run ./test/gotest -timeout 60m -run '^TestEvery|^TestStoryRenewalBurst|^TestStoryMassEvent$$' ./jobs -matrix.full -fleet.full

kills: ## 200 times kill -9 during 500 renewals, on both engines, which takes ten minutes; SEED=n for other moments
	go test -count=1 -timeout 60m -v -run '^TestRampage$$' ./test/e2e -rampage.kills=200 -rampage.seed=$(SEED)

onboarding: ## 1,000 names at once, while Pebble enforces the limits of Let's Encrypt 360 times faster
	go test -count=1 -timeout 30m -v -run '^TestOnboarding$$' ./jobs -onboarding.full

e2e: ## browser tests and tests of the real binary
	go run ./test/gotest -timeout 15m -parallel 4 ./test/...

bench: ## measure speed and memory, print one table
	go run ./test/bench

generate: ## write generated code anew: templates, the manual of the settings
	$(TOOL) templ generate
	go test ./cmd/portal/app -run TestManual -update

build: ## the product as one static binary in bin/
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/portal ./cmd/portal

image: ## container image perennial:VERSION
	docker build --build-arg VERSION=$(VERSION) -t perennial:$(VERSION) .
