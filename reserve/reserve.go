// Package reserve decides what a server may still write when its disk fills up. A part
// of the disk is reserved for finishing work that has begun. The table of what is
// refused at which level is pure; a Volume applies it to a file system.
package reserve

import (
	"fmt"
	"math/bits"
)

// Use is the purpose of a write, in ascending order of importance: the later ones are
// allowed with less free space.
type Use uint8

// The uses.
const (
	// Grow adds data: new things, jobs, job files, executions of a rollout, messages
	// kept for clients that are not connected, a backup on the same disk.
	Grow Use = iota
	// Change modifies existing data and adds little: updates, attachments, sessions
	// of MQTT clients.
	Change
	// Finish completes work or frees space: reports of devices, time-outs,
	// cancellations, deletions.
	Finish
	useCount
)

// Level is how much free space is left.
type Level uint8

// The levels, best first.
const (
	Plenty   Level = iota // everything may be written
	Low                   // less than the reserve: everything but Grow
	Critical              // less than a quarter of it: only Finish
	Full                  // less than a sixteenth, which the store itself needs: nothing
	levelCount
)

var levelNames = [levelCount]string{"plenty", "low", "critical", "full"}

func (l Level) String() string { return levelNames[l] }

// divisors[l] is the divisor of the reserve that gives the free space below which level
// l begins.
var divisors = [levelCount]int64{Low: 1, Critical: 4, Full: 16}

// Sizes of a reserve.
const (
	// Default is the reserve of an ordinary disk, in bytes: space for several hundred
	// thousand reports while the store rewrites its largest tables.
	Default = 1 << 30
	// Min is the smallest reserve with which the store can continue, in bytes.
	Min = 16 << 20
	// smallDisk is the divisor of the size of a small disk that gives its reserve.
	smallDisk = 4
)

// Of returns the reserve, in bytes, of a file system of total bytes for which the
// operator chose none: Default, or a quarter of the file system if that is less.
func Of(total int64) int64 { return min(Default, total/smallDisk) }

// TableBytes returns how many bytes of new writes the store may hold in memory before
// it writes a table. It holds at most three times as much, which then fits into the
// space that is left when Full begins.
func TableBytes(reserve int64) int {
	return int(min(max(reserve/divisors[Full]/4, 256<<10), 16<<20))
}

// At returns the level when free bytes are left. Without a reserve, zero, it is Plenty.
func At(free, reserve int64) Level {
	for l := Full; l > Plenty; l-- {
		if free < reserve/divisors[l] {
			return l
		}
	}
	return Plenty
}

// Next returns the level that follows l when free bytes are left. It returns a better
// level than l only when there is an eighth more space than where l began, so that the
// level does not oscillate.
func (l Level) Next(free, reserve int64) Level {
	now := At(free, reserve)
	return max(now, min(l, At(free-free/9, reserve)))
}

// lowest is the worst level at which a use is allowed.
var lowest = [useCount]Level{Grow: Plenty, Change: Low, Finish: Critical}

// Allows reports whether a write is allowed.
func (l Level) Allows(u Use) bool { return l <= lowest[u] }

// sentences are the messages of a NoRoomError.
var sentences = [useCount]string{
	Grow:   "The disk of the server is nearly full: nothing new is taken until there is room. What is there can be read, finished and deleted.",
	Change: "The disk of the server is nearly full: nothing is changed until there is room. What is there can be read, finished and deleted.",
	Finish: "The disk of the server is full: nothing is written until there is room. What is there can be read.",
}

// Check returns nil when a write is allowed, otherwise a *NoRoomError.
func (l Level) Check(u Use) error {
	if l.Allows(u) {
		return nil
	}
	return &NoRoomError{Use: u, Level: l}
}

// NoRoomError refuses a write. Its message may be shown to a client.
type NoRoomError struct {
	Use   Use
	Level Level
}

func (e *NoRoomError) Error() string { return sentences[e.Use] }

// Room is called before each write with its size in bytes, zero if it is small. It
// returns nil or a *NoRoomError. It must be fast, since every request calls it.
type Room func(u Use, bytes int64) error

// Endless is a Room that allows everything.
func Endless(Use, int64) error { return nil }

// Size formats a number of bytes for people, such as "1.5 GiB".
func Size(n int64) string {
	unit := max(0, min(bits.Len64(uint64(max(n, 0)))-1, 59)/10)
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %ciB", float64(n)/float64(int64(1)<<(10*unit)), " KMGTP"[unit])
}
