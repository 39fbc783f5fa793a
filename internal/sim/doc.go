// Package sim plays Muster's life from one seed: days of virtual time with
// things that go offline, fail, retry and come back, operators who create,
// change, cancel and delete, and crashes of the process and of the disk at any
// instant. It holds what the service did against what everybody was told and
// promised, by rules of its own: it shares none with the service. It holds
// tests only; nothing imports it.
//
// There are two simulations.
//
// The sequential one (TestSequential) has package service on a disk in memory, with
// thousands of devices that call it directly, and lets one thing happen at a
// time, or some at once that share a transaction. A book judges every
// transaction that became durable, every answer and every notification. A seed
// replays exactly: the same orders, answers and crashes, which
// TestASeedReplaysExactly checks. Some ten thousand steps take a second.
//
// The other one (TestFullStack) has the whole service in one bubble of virtual
// time: Pebble on a disk that forgets what was not synced, package service,
// scheduler, gateway, both planes over connections in memory, signed requests,
// devices of package device and MQTT clients with persistent sessions. Everybody runs at
// the same time, so a seed decides what is done and when, but not which
// goroutine comes first at one instant: a failure may need a few attempts to
// come again. It promises less, too: nothing acknowledged is lost, what is
// stored is sound, subscribers end up with the newest state, and everything
// comes to its end.
//
// Both are held to fail: TestFaultsAreFound and TestFaultsOfTheStackAreFound put
// faults into the service, which the simulations must notice.
//
//	make sim                 # an hour of random seeds
//	make sim SIMTIME=1m      # a minute, as in CI
//	go test ./internal/sim -run TestSequential -sim.seed=42 -sim.steps=20000 -v
//
// A failure prints what is wrong, the last of the history and the command that
// plays it again. With -sim.only='t0001 |CRASH' and -sim.tail=500 that shows the
// history of one thing.
package sim
