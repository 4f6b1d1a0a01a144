# kshalb: what can be made. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
GO ?= go
# Flags for `go test`: -race needs a C compiler, so it is left to those who have one.
GOTESTFLAGS ?=
# Flags for `make bench` and `make bench-failover`: go run ./bench/relay -help lists
# them, and ./bench/failover. For `make bench-backends`: test/e2e/backends_test.go.
BENCHFLAGS ?=
SIM_SECONDS ?= 15625
FUZZTIME ?= 1m
TOOL := $(GO) tool -modfile=tools/go.mod

.PHONY: help
help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 14

.PHONY: need-go
need-go:
	@command -v $(GO) >/dev/null || { echo "make: $(GO) is missing: install Go 1.26 or newer (https://go.dev/dl)" >&2; exit 1; }
	@$(GO) list -m >/dev/null || { echo "make: this $(GO) cannot build kshalb: install Go 1.26 or newer (https://go.dev/dl)" >&2; exit 1; }

.PHONY: build
build: need-go ## the static binary, bin/kshalb
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.release=$(VERSION)' -o bin/kshalb ./cmd/kshalb

.PHONY: demo
demo: build ## three masters in namespaces: requests go on while their holder is killed
	bin/kshalb demo

.PHONY: test
test: need-go ## every test that needs nothing but this machine
	$(GO) test $(GOTESTFLAGS) ./...

.PHONY: e2e
e2e: need-go ## client-go through the VIP in front of three real kube-apiservers (builds them once)
	test/e2e/run

.PHONY: monitoring
monitoring: need-go ## alert rules, dashboard and metrics against a real Prometheus (gets Debian's, installs nothing)
	test/monitoring/run $(GOTESTFLAGS)

.PHONY: page
page: need-go ## the status page in a real headless Chromium (KSHALB_CHROMIUM, or the one on the PATH)
	test/page/run

.PHONY: bench
bench: build ## the relay beside HAProxy, nginx and the kernel alone (BENCHFLAGS='-rounds 1 -only bulk-1'; 12 minutes)
	$(GO) run ./bench/relay $(BENCHFLAGS)

.PHONY: bench-failover
bench-failover: build ## how long nobody serves after each fault, beside keepalived (BENCHFLAGS='-trials 3 -only kshalb-500/'; two hours)
	$(GO) run ./bench/failover $(BENCHFLAGS)

.PHONY: bench-backends
bench-backends: need-go ## what clients see when API servers fail, beside HAProxy with Keepalived (BENCHFLAGS='-backends.trials=1 -backends.only=kill'; an hour)
	test/e2e/run -run TestBackends -timeout 12h -backends.trials=5 -backends.only=. -backends.balancers=kshalb,haproxy-guide,haproxy-tuned $(BENCHFLAGS)

.PHONY: bench-parts
bench-parts: need-go ## what the parts cost by themselves
	$(GO) test -run '^$$' -bench . -benchmem ./bench/... ./pkg/...

.PHONY: sim
sim: need-go ## a million simulated seconds of elections with every fault (SIM_SECONDS for each of 64 seeds)
	$(GO) test -run TestNeverTwoOwners -timeout 6h ./pkg/election -sim.seconds $(SIM_SECONDS) -sim.seeds 64

.PHONY: model
model: ## every state of small models of the election and the fence, and what each rule prevents (spin and gcc; 6 minutes, 2 GB)
	docs/design/0008-model/check

.PHONY: fuzz
fuzz: need-go ## every fuzz target, for FUZZTIME each
	@for target in $$(grep -rl '^func Fuzz' --include='*_test.go' pkg internal | xargs grep -Ho '^func Fuzz[A-Za-z]*' | sed 's/:func /:/'); do \
		$(GO) test -run '^$$' -fuzz "^$${target##*:}$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "./$$(dirname "$${target%%:*}")"; \
	done

.PHONY: check
check: need-go ## vet, lint, go fix and known vulnerabilities
	$(GO) vet ./...
	@out=$$($(GO) fix -diff ./... 2>&1) && test -z "$$out" || { printf '%s\n' "$$out" "go fix ./... mends this" >&2; exit 1; }
	$(TOOL) golangci-lint run ./...
	cd test/e2e && $(GO) vet ./...
	cd test/page && $(GO) vet ./...
	@.ci/vulnerabilities

.PHONY: clean
clean: ## what the targets made
	rm -rf bin .cache
