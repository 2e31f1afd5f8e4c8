# The versions of every tool that is not the user's own.
export TINYGO_VERSION := 0.41.1
export ENVOY_VERSION := 1.40.0
export OPENAI_VERSION := 3.52.0
export REQUESTS_VERSION := 2.32.5
export LANGCHAIN_VERSION := 1.7.4
export LLM_VERSION := 0.36
# Those of `make clients`, npm's packages.
export CLIENTS := ai@6.0.326 @ai-sdk/openai@3.0.141 openai@6.49.0 @langchain/openai@1.5.8 @langchain/core@1.4.0
GOFUMPT := mvdan.cc/gofumpt@v0.9.2
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.7.0

# What a user may change on the command line.
export PORT ?= 4000
export ADMIN_PORT ?= 9901
export CONCURRENCY ?= 0
ENVOY_YAML ?= envoy.yaml
FUZZTIME ?= 10s
export HOSTILETIME ?= 5s
BENCHTIME ?= 8s
ROUNDS ?= 3

# The largest wasm file that `make check` lets pass, in bytes.
MAX_WASM := 800000

WASM := build/fairshare.wasm
ENVOY := .tools/envoy
CLOCK := build/clock.so
# For tests only: the filter that traps when told to, the module that asks hosts
# questions, and the one that makes the filter's calls and decides nothing.
FAULTS := build/faults.wasm
GUEST := build/conform.wasm
CALLS := build/calls.wasm
TINYGO := .ci/tinygo.sh .ci/tinygo/wasi-debian.json
PLUGIN := $(shell find plugin -name '*.go')
# The packages of the core that have tests: they run natively and in wasm.
CORE_TESTS := $(filter-out plugin plugin/filter,$(patsubst %/,%,$(sort $(dir $(filter %_test.go,$(PLUGIN))))))
SHIPPED := envoy.yaml $(wildcard testdata/envoy/*.yaml)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run build test test-wasm e2e clients fuzz bench check clean tools envoy

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

run: build/runenvoy $(WASM) envoy ## start Envoy with the filter on 127.0.0.1:4000 (PORT, ADMIN_PORT, CONCURRENCY, ENVOY_YAML)
	@exec build/runenvoy $(ENVOY_YAML)

build: $(WASM) ## build build/fairshare.wasm

test: $(WASM) $(FAULTS) $(GUEST) $(CALLS) envoy $(CLOCK) test-wasm ## run every test: natively with -race, in wasm, in the simulator, in Envoy
	CONFORM_WASM=$(CURDIR)/$(GUEST) go test -race -shuffle=on -timeout 20m $$(go list ./... | grep -v /hostsim/e2e)
	go test -run TestMemoryOfBodies -timeout 20m ./hostsim # more than 20 minutes with -race
	go test -shuffle=on -count=1 -timeout 20m ./hostsim/e2e

test-wasm: $(CORE_TESTS:%=build/test/%.wasm) ## run the core's tests compiled by TinyGo
	@[ -z "$^" ] || go run ./hostsim/cmd/wasmtest $^

e2e: $(WASM) $(FAULTS) envoy $(CLOCK) ## run the end-to-end tests only
	go test -shuffle=on -count=1 -timeout 20m ./hostsim/e2e

clients: $(WASM) envoy $(CLOCK) ## run JavaScript's clients against Envoy: OpenAI's, Vercel's AI SDK, LangChain (needs node and npm)
	@.ci/tools.sh node
	go test -count=1 -tags clients -run TestRefusals -v ./hostsim/e2e

fuzz: $(WASM) envoy $(CLOCK) ## fuzz each target for FUZZTIME (10s), and Envoy with hostile requests for HOSTILETIME (5s)
	go test -count=1 -timeout 1h -v ./hostsim/hostile
	@for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
		done; \
	done

bench: $(WASM) $(CALLS) envoy ## compare Envoy alone, its local_ratelimit, mere host calls and Fairshare; then the core's ns and allocations
	@.ci/tools.sh wrk
	go run ./hostsim/bench -rounds $(ROUNDS) -duration $(BENCHTIME)
	go test -run '^$$' -bench . -benchmem ./plugin/...

check: $(WASM) envoy ## formatting, vet, staticcheck, go.mod, purity, size and every shipped Envoy file
	@files=$$(go run $(GOFUMPT) -l hostsim plugin .ci); [ -z "$$files" ] || { echo "gofumpt would change:"; echo "$$files"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	go mod tidy -diff
	go test -run 'Purity' ./plugin/...
	go run ./hostsim/cmd/wasmcheck -max $(MAX_WASM) $(WASM)
	@for file in $(SHIPPED); do \
		echo "envoy --mode validate -c $$file"; \
		$(ENVOY) --mode validate -l warning -c $$file || exit 1; \
	done

clean: ## remove what was built; the tools stay (rm -r .tools)
	rm -rf build

tools: envoy ## install and build the tools without using them
	@.ci/tools.sh tinygo wrk

$(WASM): $(filter-out %_test.go,$(PLUGIN)) go.mod go.sum $(TINYGO)
	@mkdir -p $(@D)
	.ci/tinygo.sh plugin $@ ./plugin
	@go run ./hostsim/cmd/wasmcheck $@

$(FAULTS): $(filter-out %_test.go,$(PLUGIN)) go.mod go.sum $(TINYGO)
	@mkdir -p $(@D)
	.ci/tinygo.sh plugin $@ ./plugin faults

$(GUEST): $(wildcard hostsim/conform/guest/*.go) go.mod go.sum $(TINYGO)
	@mkdir -p $(@D)
	.ci/tinygo.sh plugin $@ ./hostsim/conform/guest

$(CALLS): hostsim/bench/calls/main.go go.mod go.sum $(TINYGO)
	@mkdir -p $(@D)
	.ci/tinygo.sh plugin $@ ./hostsim/bench/calls

build/test/%.wasm: $(PLUGIN) go.mod go.sum $(TINYGO)
	@mkdir -p $(@D)
	.ci/tinygo.sh test $@ ./$*

# Its script returns at once when Envoy is there.
envoy:
	@.ci/tools.sh envoy

$(CLOCK): hostsim/envoy/clock/clock.c
	@mkdir -p $(@D)
	@.ci/tools.sh cc
	cc -O2 -Wall -Werror -shared -fPIC -o $@ $<

# Always remade, which is quick when nothing changed: Go knows what it depends on.
.PHONY: build/runenvoy
build/runenvoy:
	@mkdir -p $(@D)
	@go build -o $@ ./hostsim/cmd/runenvoy
