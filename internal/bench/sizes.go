package main

import "time"

// sizes say how much is done. A full run takes about two hours on two
// cores, a small one some minutes.
type sizes struct {
	callers     []int         // at once
	pairs       map[int]int   // start-next + update pairs for each of callers
	things      int           // that they work on; the ceiling has 100,000
	rounds      int           // of engine and ceiling in turn, and of the job for all things in each setting
	groups      []int         // things in the groups that jobs fan out to, each with folders of its own
	fleets      []int         // the same, on PostgreSQL
	reads       int           // of random things of those, twice; of small groups, as many folders as have so many things
	rest        time.Duration // how long a server is left alone before its memory is measured
	asks        int           // how often a question is asked of a large folder
	idleClients int           // an operating system often allows 20,000 files a process
	calm        time.Duration // how long a server is left alone after they came: it may then give memory back
	idleFor     time.Duration // how long they are watched
	requesters  []int         // connections that send requests
	requestFor  time.Duration // how long they do
	rate        int           // requests a second in the open loop
	shakeFor    time.Duration // how long handshakes are made
	returning   int           // devices that come back after a restart
	subscribers int           // of one topic
	publishes   int           // to them
	burst       int           // QoS 1 messages to one client
	bystanders  int           // clients beside one that reads a byte a second
	population  int           // things that one job is for
	connected   int           // of them
	busy        int           // of those, that send requests all the time
	busyRate    int           // requests a second of theirs
	activeJobs  int           // that wait
	watch       time.Duration // how long a server with nothing to do is watched
	strangers   int           // connections before it is known who they are
	records     int           // audit records

	nodeCallers []int       // at once, of several nodes together
	nodePairs   map[int]int // start-next + update pairs for each of nodeCallers
	nodeRounds  int         // of all numbers of nodes in turn
	told        int         // things of which one node is told what another one has done
	moving      int         // devices that move when their node is killed
	revoked     int         // devices whose certificates are revoked, twice
}

var full = sizes{
	callers:     []int{1, 64, 1024},
	pairs:       map[int]int{1: 3000, 64: 20_000, 1024: 40_000},
	things:      100_000,
	rounds:      3,
	groups:      []int{10_000, 300_000, 1_000_000, 10_000_000},
	fleets:      []int{100_000, 1_000_000},
	reads:       100_000,
	rest:        3 * time.Second,
	asks:        300,
	idleClients: 18_000,
	calm:        8 * time.Second,
	idleFor:     5 * time.Second,
	requesters:  []int{100, 5000},
	requestFor:  4 * time.Second,
	rate:        5000,
	shakeFor:    5 * time.Second,
	returning:   10_000,
	subscribers: 10_000,
	publishes:   20,
	burst:       10_000,
	bystanders:  18_000,
	population:  1_000_000,
	connected:   18_000,
	busy:        200,
	busyRate:    400,
	activeJobs:  10_000,
	watch:       20 * time.Second,
	strangers:   1000,
	records:     10_000_000,
	nodeCallers: []int{64, 1024},
	nodePairs:   map[int]int{64: 10_000, 1024: 20_000},
	nodeRounds:  6,
	told:        300,
	moving:      10_000,
	revoked:     20,
}

var small = sizes{
	callers:     []int{1, 64, 1024},
	pairs:       map[int]int{1: 500, 64: 4000, 1024: 8000},
	things:      20_000,
	rounds:      1,
	groups:      []int{5000, 20_000},
	fleets:      []int{100_000},
	reads:       10_000,
	rest:        time.Second,
	asks:        100,
	idleClients: 1000,
	calm:        8 * time.Second,
	idleFor:     time.Second,
	requesters:  []int{100, 1000},
	requestFor:  time.Second,
	rate:        1000,
	shakeFor:    time.Second,
	returning:   1000,
	subscribers: 1000,
	publishes:   10,
	burst:       2000,
	bystanders:  200,
	population:  20_000,
	connected:   1000,
	busy:        50,
	busyRate:    200,
	activeJobs:  500,
	watch:       2 * time.Second,
	strangers:   200,
	records:     100_000,
	nodeCallers: []int{64, 1024},
	nodePairs:   map[int]int{64: 2000, 1024: 4000},
	nodeRounds:  1,
	told:        50,
	moving:      1000,
	revoked:     5,
}
