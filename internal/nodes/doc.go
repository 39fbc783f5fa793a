// Package nodes runs Muster as it is run: real server processes on a real PostgreSQL and NATS, behind a balancer, with a
// fleet of devices and operators at work, while something breaks. Every link between the processes can be cut, and every process killed
// or stopped.
//
// What clients were answered is in a book. After each scenario the fleet comes to rest, and then the store verifies, everything
// that was answered is there, no execution was run twice, and every subscriber has the newest state.
//
// Nothing runs unless -nodes says which scenarios: "make nodes" runs those for each change, "make nodes-all" all. It has tests only;
// nothing imports it.
package nodes
