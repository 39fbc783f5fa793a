# Plain `make` does what CI does. `make help` lists the parts.

GO        ?= go
FUZZTIME  ?= 20000x
SIMTIME   ?= 1h
LINT       = $(GO) tool -modfile=tools/go.mod golangci-lint
PACKAGES   = ./...
CONTRACT  ?= 30s
CRASHES   ?= 200
ON_PG      = MUSTER_TEST_STORE=postgres
CRASH_LOOP = "^(TestNothingAnsweredIsLost|TestNoHalfJobFile|TestNoEventIsLost|TestAResetIsWholeOverAKill)$$"

.PHONY: all help build test race sim sim-nodes contract pg pg-all nodes nodes-all fuzz lint generate check-generate conformance conformance-all bench bench-pg bench-nodes run clean
.DEFAULT_GOAL := all

all: build test lint check-generate race contract fuzz conformance pg nodes ## everything CI does

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the binary into bin/
	$(GO) build -trimpath -o bin/muster ./cmd/muster

test: ## run all tests
	$(GO) test $(PACKAGES)

race: ## run all tests under the race detector
	$(GO) test -race -timeout 30m $(PACKAGES)

sim: ## play random days of the service, crashes included, for SIMTIME (1h), from SEED on or at random
	$(GO) test ./internal/sim -count=1 -timeout 0 -run "TestSequential|TestFullStack" -sim.duration=$(SIMTIME) $(if $(SEED),-sim.seed=$(SEED)) -v

sim-nodes: ## play histories of several processes on one store, SEEDS (200) of each script
	MUSTER_SEEDS=$(or $(SEEDS),200) $(GO) test ./commit -count 1 -timeout 2h -run TestNodesLeaveNothingWrong

contract: ## hold requests made up from the API models against the contract, for CONTRACT (30s) or longer, from SEED on or at random
	$(GO) test ./internal/contract -run '^TestContract$$' -count 1 -v -for $(CONTRACT) $(if $(SEED),-seed $(SEED))

pg: build ## run each suite once on PostgreSQL, with fixed seeds
	$(ON_PG) $(GO) test ./dataplane ./sessionstore ./internal/contract
	$(ON_PG) $(GO) test ./service -run TestRandom -history.count=3
	$(ON_PG) $(GO) test ./internal/sim -run "TestSequential|TestFullStack" -sim.seed=1
	$(ON_PG) $(GO) test ./cmd/muster -run $(CRASH_LOOP) -crash.rounds=10 -crash.seed=1
	$(ON_PG) conformance/run bin/muster mosquitto

pg-all: build ## run everything on PostgreSQL: all tests of these suites, simulations for SIMTIME (1h), requests for CONTRACT (30s), CRASHES (200) crashes, all clients
	$(ON_PG) $(GO) test -race -timeout 1h ./store/pgstore ./service ./dataplane ./sessionstore ./awsiot
	$(ON_PG) $(MAKE) sim contract
	$(ON_PG) $(GO) test ./cmd/muster -run $(CRASH_LOOP) -timeout 0 -crash.rounds=$(CRASHES) -v
	$(ON_PG) conformance/run bin/muster all

nodes: ## break one node, link or server after the other while devices work on three nodes: the scenarios for each change
	$(GO) test ./internal/nodes -count 1 -timeout 30m -v -nodes=each

nodes-all: ## the same, all scenarios, or those of NODES=kill-node,nats-gone
	$(GO) test ./internal/nodes -count 1 -timeout 2h -v -nodes=$(or $(NODES),all)

fuzz: ## fuzz every target with FUZZTIME (20000x) inputs, or for a while (FUZZTIME=1m)
	@.ci/fuzz $(FUZZTIME)

lint: ## vet and lint with the pinned golangci-lint
	$(LINT) run $(PACKAGES)

generate: ## write the generated code and documents anew
	$(GO) generate $(PACKAGES)

check-generate: generate ## fail when generated files are not up to date
	@git diff --exit-code --stat || { echo "generated files differ: run 'make generate' and commit"; exit 1; }

conformance: build ## run the stock AWS and MQTT clients against the binary
	@conformance/run bin/muster

conformance-all: build ## the same, and the clients that take longer to build or run
	@conformance/run bin/muster all

bench: build ## measure and print one table; BENCH=engine for a part, QUICK=1 for small sizes, OUT=file to keep it
	$(GO) run ./internal/bench $(if $(QUICK),-quick) $(if $(OUT),-out $(OUT)) $(BENCH)

bench-pg: BENCH = postgres postgres-fanout
bench-pg: bench ## the same on PostgreSQL, beside Pebble and beside the statements without the engine

bench-nodes: BENCH = nodes nodes-news nodes-failover nodes-revocation
bench-nodes: bench ## several nodes on one database, beside one

run: ## serve from ./data, plain MQTT on 127.0.0.1:1883
	$(GO) run ./cmd/muster serve --data data --mqtt-plain 127.0.0.1:1883

clean: ## remove what the other targets made, except ./data
	rm -rf bin .venv dist conformance/*/node_modules conformance/*/target conformance/rust/Cargo.lock
