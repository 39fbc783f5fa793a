package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine is where a table was measured.
type machine struct {
	date                  time.Time
	cpu, memory, kernel   string
	version               string // of the binary under test
	loadBefore, loadAfter string
}

func describeMachine(muster string) machine {
	m := machine{date: time.Now().UTC(), loadBefore: loadAverage(), cpu: "unknown processor", memory: "unknown memory", kernel: runtime.GOOS}
	if model, ok := procField("/proc/cpuinfo", "model name"); ok {
		m.cpu = model
	}
	var kilobytes float64
	if text, ok := procField("/proc/meminfo", "MemTotal"); ok {
		_, _ = fmt.Sscan(text, &kilobytes) // if that fails, it stays unknown
		m.memory = fmt.Sprintf("%.0f GiB of memory", kilobytes/(1<<20))
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.kernel = "Linux " + strings.TrimSpace(string(release))
	}
	version, err := exec.Command(muster, "version").Output()
	if m.version = strings.TrimSpace(string(version)); err != nil {
		m.version = "no binary: " + err.Error()
	}
	return m
}

func (m machine) lines() []string {
	return []string{
		"last measured " + m.date.Format("2006-01-02 15:04 MST") + ", " + m.version,
		fmt.Sprintf("%s, %d cores, %s, %s, %s", m.cpu, runtime.NumCPU(), m.memory, m.kernel, runtime.Version()),
		"settings are the defaults: GOGC " + cmp.Or(os.Getenv("GOGC"), "100") + ", every answer after the sync of what it says",
		fmt.Sprintf("load average %s before and %s after", m.loadBefore, m.loadAfter),
	}
}

// procField returns the first value of a field of a file with lines
// "field: value".
func procField(file, field string) (string, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(name) == field {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if fields := strings.Fields(string(text)); err == nil && len(fields) > 0 {
		return fields[0]
	}
	return "unknown"
}

// slabBytes is the memory that the kernel holds in small objects, such as
// sockets.
func slabBytes() int {
	var kilobytes int
	if text, ok := procField("/proc/meminfo", "Slab"); ok {
		_, _ = fmt.Sscan(text, &kilobytes) // zero if that fails
	}
	return kilobytes << 10
}

// diskFlushes is how often the machine's disks were told to make durable what they hold, so
// far: each sync of a file is one, those of others too. It is zero where the system does not
// tell.
func diskFlushes() int {
	const flushes = 15 // the place of the number in a line of /sys/block/*/stat
	files, _ := filepath.Glob("/sys/block/*/stat")
	total := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if fields := strings.Fields(string(text)); err == nil && len(fields) > flushes {
			n, _ := strconv.Atoi(fields[flushes]) // the kernel writes numbers
			total += n
		}
	}
	return total
}

// load is the processor time that was used so far.
type load struct {
	all, busy time.Duration // of the machine
	ours      time.Duration // of this process and its finished children
}

// clockTick is the unit of processor time in /proc: Linux fixes it at 100 Hz.
const clockTick = 10 * time.Millisecond

func readLoad() load {
	l := load{ours: ownTime() + childrenTime()}
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return l
	}
	line, _, _ := strings.Cut(string(text), "\n")
	for i, field := range strings.Fields(line) {
		var ticks int64
		if i == 0 || i > 8 { // the name, and the times of guests, which user time includes
			continue
		}
		_, _ = fmt.Sscan(field, &ticks) // the kernel writes numbers
		l.all += time.Duration(ticks) * clockTick
		if idle := i == 4 || i == 5; !idle {
			l.busy += time.Duration(ticks) * clockTick
		}
	}
	return l
}

// with counts the time that running processes have used so far as ours.
func (l load) with(running ...*process) load {
	for _, p := range running {
		l.ours += p.cpu()
	}
	return l
}

// othersSince returns the share of the machine's time that other processes used.
func (l load) othersSince(before load) float64 {
	all := l.all - before.all
	if all <= 0 {
		return 0
	}
	return max(0, float64(l.busy-before.busy-(l.ours-before.ours))/float64(all))
}
