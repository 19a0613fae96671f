# Everything that is done with this repository, by name; "make" lists it.
# "make test" is what CI runs, and all of it.

GO ?= go
FUZZTIME ?= 20s
BENCH ?= .

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help build test check lint cross bench fuzz docs deps clean

# A checkout that belongs to another user, or has no git beside it, cannot
# stamp what it builds; only "make build" asks for the stamp.
test check lint cross bench fuzz docs: export GOFLAGS := $(strip $(GOFLAGS) -buildvcs=false)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build ./gobuild
	CGO_ENABLED=0 $(GO) build -trimpath -o gobuild ./cmd/gobuild

test: deps check ## what CI runs: all checks, cross-compilation, all tests
	.ci/cross all
	.ci/unit
	@echo
	@echo "make test: ran gofmt, go vet, staticcheck, the rules of the rooms and of the documentation,"
	@echo "make test: cross-compilation to every port, and all tests (see above)."

check: lint ## format, vet, staticcheck, dependency rules, docs up to date
	$(GO) test -run '^(TestRooms|TestDoc|TestGenerated|TestReadme|TestExamples|TestServiceExamples|TestRulesPage)' ./cmd/gobuild ./pkg/lint/linter

lint: ## format, vet, staticcheck
	@unformatted=$$(gofmt -l cmd pkg); if [ -n "$$unformatted" ]; then \
		echo "not gofmt'd (run gofmt -w on them):"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	cd pkg/interop && $(GO) vet ./... && $(GO) tool -modfile=../../go.mod staticcheck ./...

cross: ## compile and link gobuild for every port that it is meant for
	.ci/cross all

bench: ## run the benchmarks, those beside upstream's programs too (BENCH=regexp)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...
	cd pkg/interop && $(GO) test -run '^$$' -bench '$(BENCH)' ./...

fuzz: ## run each fuzz target for FUZZTIME (20s)
	.ci/fuzz $(FUZZTIME)

docs: ## write man/, completions/, examples/service and the page of lint's rules anew
	tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && \
	$(GO) build -o "$$tmp/gobuild" ./cmd/gobuild && \
	rm -rf man completions && mkdir -p completions && \
	"$$tmp/gobuild" man man && \
	"$$tmp/gobuild" completion bash > completions/gobuild.bash && \
	"$$tmp/gobuild" completion zsh > completions/_gobuild && \
	"$$tmp/gobuild" completion fish > completions/gobuild.fish && \
	"$$tmp/gobuild" completion powershell > completions/gobuild.ps1
	$(GO) test -count 1 -run '^TestRulesPage$$' ./pkg/lint/linter -update
	$(GO) test -count 1 -run '^TestServiceExamples$$' ./cmd/gobuild -update

deps: ## install what the tests need (as root on Debian), or name what is missing
	.ci/deps

clean: ## remove what make build made
	rm -f gobuild
