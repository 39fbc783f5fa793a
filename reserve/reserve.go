// Package reserve says what a server may still write when its disk fills up: a
// part of the disk is kept for bringing work to its end. The table of what is
// refused at which mark is pure; a Volume applies it to a file system.
package reserve

import (
	"fmt"
	"math/bits"
)

// Use is what a write is for. Those for which less room must be left come later.
type Use uint8

// The uses.
const (
	// Grow makes the data more: new things, jobs, job files, executions of a
	// rollout, messages kept for clients that are away, a backup on the same disk.
	Grow Use = iota
	// Change changes what is there and adds little to it: updates, attachments,
	// sessions of MQTT clients.
	Change
	// Finish brings work to its end or makes room: reports of devices, time-outs,
	// cancelling, deleting.
	Finish
	useCount
)

// Level is how much room there is.
type Level uint8

// The levels, best first.
const (
	Plenty   Level = iota // everything may be written
	Low                   // below the reserve: nothing that makes the data more
	Critical              // below a quarter of it: only what finishes work or makes room
	Full                  // below a sixteenth, which the store needs for itself: nothing
	levelCount
)

var levelNames = [levelCount]string{"plenty", "low", "critical", "full"}

func (l Level) String() string { return levelNames[l] }

// divisors give the part of the reserve below which a level begins.
var divisors = [levelCount]int64{Low: 1, Critical: 4, Full: 16}

// Shape of a reserve, in bytes.
const (
	// Default is the reserve of an ordinary disk: room for some hundred thousand
	// reports, and for the store to rewrite its largest tables meanwhile.
	Default = 1 << 30
	// Min is the smallest reserve that lets the store go on from it.
	Min = 16 << 20
	// smallDisk is the share of a small disk that its reserve is.
	smallDisk = 4
)

// Of returns the reserve of a file system of total bytes when none was chosen:
// Default, or a quarter of the file system if that is less.
func Of(total int64) int64 { return min(Default, total/smallDisk) }

// TableBytes returns how much the store may hold of new writes before it writes
// a table, so that what it holds at most, three times as much, fits into the
// room below the last mark.
func TableBytes(reserve int64) int {
	return int(min(max(reserve/divisors[Full]/4, 256<<10), 16<<20))
}

// At returns the level with so many bytes free. A reserve of zero is none.
func At(free, reserve int64) Level {
	for l := Full; l > Plenty; l-- {
		if free < reserve/divisors[l] {
			return l
		}
	}
	return Plenty
}

// Next returns the level after l. It is left for a better one only with an
// eighth more room than where it began, so that it does not flicker.
func (l Level) Next(free, reserve int64) Level {
	now := At(free, reserve)
	return max(now, min(l, At(free-free/9, reserve)))
}

// lowest is the worst level at which a use is allowed.
var lowest = [useCount]Level{Grow: Plenty, Change: Low, Finish: Critical}

// Allows reports whether a write may be done.
func (l Level) Allows(u Use) bool { return l <= lowest[u] }

// sentences are what who is refused is told.
var sentences = [useCount]string{
	Grow:   "The disk of the server is nearly full: nothing new is taken until there is room. What is there can be read, finished and deleted.",
	Change: "The disk of the server is nearly full: nothing is changed until there is room. What is there can be read, finished and deleted.",
	Finish: "The disk of the server is full: nothing is written until there is room. What is there can be read.",
}

// Check returns nil when a write may be done, and else a *NoRoomError.
func (l Level) Check(u Use) error {
	if l.Allows(u) {
		return nil
	}
	return &NoRoomError{Use: u, Level: l}
}

// NoRoomError refuses a write. What it says may be shown to a client.
type NoRoomError struct {
	Use   Use
	Level Level
}

func (e *NoRoomError) Error() string { return sentences[e.Use] }

// Room is asked before a write of so many bytes, zero for few; it returns nil or
// a *NoRoomError. It must be quick, as it is asked for every request.
type Room func(u Use, bytes int64) error

// Endless has room for everything.
func Endless(Use, int64) error { return nil }

// Size writes a number of bytes for people.
func Size(n int64) string {
	unit := max(0, min(bits.Len64(uint64(max(n, 0)))-1, 59)/10)
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %ciB", float64(n)/float64(int64(1)<<(10*unit)), " KMGTP"[unit])
}
