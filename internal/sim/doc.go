// Package sim plays Muster's life from one seed: days of virtual time with
// things that go offline, fail, retry and come back, operators who create,
// change, cancel and delete, and crashes of the process and of the disk at any
// instant. After each step it holds what the service did against a book of its
// own, which shares no rule with the service, and in the end against what
// everybody was promised. It holds tests only, and it will never be imported.
//
// The sequential simulation (TestSequential) has the engine on a disk in
// memory, with devices that call it directly, and lets one thing happen at a
// time. A seed replays exactly: the same orders, the same answers, the same
// crashes, which TestASeedReplaysExactly checks. It is fast, some ten thousand
// steps a second, and it judges every single transaction.
//
// To look for what nobody thought of:
//
//	make sim                 # an hour of random seeds
//	make sim SIMTIME=1m      # a minute, as in CI
//	go test ./internal/sim -run TestSequential -sim.seed=42 -sim.steps=20000 -v
//
// A failure prints what was wrong, the last of the history, and the command
// that plays it again.
package sim
