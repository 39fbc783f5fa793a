// Package sim simulates days of Muster's operation from one seed: things that go
// offline, fail, retry and come back, operators who create, change, cancel and
// delete, and crashes of the process and of the disk at any instant, in virtual
// time. It compares what the service did with what clients were told and promised.
// Its rules are written independently: it shares none with the service. It has
// tests only; nothing imports it.
//
// There are two simulations.
//
// The sequential one (TestSequential) runs the service on a disk in memory, with
// thousands of devices that call it directly. One event happens at a time, or a
// few at once that share a transaction. Every transaction that became durable,
// every answer and every notification is compared with the expected state, the
// book. A seed replays exactly: the same orders, answers and crashes, which
// TestASeedReplaysExactly checks. Some ten thousand steps take a second.
//
// The other one (TestFullStack) has the whole service in one bubble of virtual
// time: Pebble on a disk that forgets what was not synced, service, scheduler,
// gateway, both planes over connections in memory, signed requests, devices of
// package device and MQTT clients with persistent sessions. All of them run
// concurrently, so a seed decides what is done and when, but not which goroutine
// is first at one instant: a failure may need a few attempts to show again. It
// also checks less: nothing acknowledged is lost, what is stored is consistent,
// subscribers end up with the newest state, and all jobs come to their end.
//
// With MUSTER_TEST_STORE=postgres both run on a database. A bubble's time stands still while
// one of its goroutines waits for the database, which so takes no time at all. The crashes
// are fewer in kind: what was applied is kept, answered or not. On the other hand, the full
// stack also loses its database for up to three minutes, and must go on when it is back. What
// that cannot show, a process that ends in the middle of a commit, is for the crash loop of
// cmd/muster, in real time.
//
// Both can fail: TestFaultsAreFound and TestFaultsOfTheStackAreFound put faults
// into the service, which the simulations must find.
//
//	make sim                 # an hour of random seeds
//	make sim SIMTIME=1m      # a minute, as in CI
//	make pg-all              # on PostgreSQL, with other suites
//	go test ./internal/sim -run TestSequential -sim.seed=42 -sim.steps=20000 -v
//
// A failure prints what is wrong, the end of the history and the command that
// replays it. With -sim.only='t0001 |CRASH' and -sim.tail=500 that shows the history
// of one thing.
package sim
