package postgres

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of processor time in /proc: Linux fixes it at 100 Hz.
const clockTick = 10 * time.Millisecond

// ProcessorTime is the processor time that the server has used since it was last started,
// all its processes together, in steps of 10 ms. It is zero where /proc does not tell.
func (s *Server) ProcessorTime() time.Duration {
	total := time.Duration(0)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // of a pattern that is well-formed
	for _, path := range stats {
		p, ok := readStat(path)
		switch {
		case !ok:
		case p.pid == s.process.Pid:
			total += p.own + p.children // of those that have ended
		case p.parent == s.process.Pid:
			total += p.own
		}
	}
	return total
}

// stat is what /proc tells of a process.
type stat struct {
	pid, parent   int
	ended         bool          // its parent has not noticed yet
	own, children time.Duration // processor time; children are those that have ended
}

// readStat reads a file of /proc. It reports false for a process that is gone.
func readStat(path string) (p stat, ok bool) {
	said, err := os.ReadFile(path)
	if err != nil {
		return stat{}, false
	}
	// "pid (name) state parent …", and the name may hold anything.
	fields := strings.Fields(string(said[strings.LastIndexByte(string(said), ')')+1:]))
	if _, err := fmt.Sscan(string(said), &p.pid); err != nil || len(fields) < 15 {
		return stat{}, false
	}
	p.ended = fields[0] == "Z"
	p.parent, _ = strconv.Atoi(fields[1]) // the kernel writes numbers, here and below
	times := [4]time.Duration{}
	for i := range times {
		ticks, _ := strconv.ParseInt(fields[11+i], 10, 64)
		times[i] = time.Duration(ticks) * clockTick
	}
	p.own, p.children = times[0]+times[1], times[2]+times[3]
	return p, true
}
