// Command bench measures Muster on this machine and prints one table. Each figure
// has next to it what it is compared with, measured in the same run. Servers are
// separate processes, so that their processor time and memory can be measured;
// all traffic stays on the loopback interface.
//
// No figure fails a run: on a machine that others use, too, absolute figures vary,
// so the table says how busy the machine was otherwise.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer restore()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// timeMax bounds a whole run.
const timeMax = 4 * time.Hour

// section is a part of the table, and the word that chooses it.
type section struct {
	name, title string
	run         func(*bench, context.Context) ([]figure, error)
}

// needsServers reports whether a section needs servers of others. It runs only when it is asked
// for.
func (s section) needsServers() bool {
	return strings.HasPrefix(s.name, postgresSections) || strings.HasPrefix(s.name, nodesSections)
}

// withContextFirst makes a function of a section that is no method of bench, which has enough of them.
func withContextFirst(run func(context.Context, *bench) ([]figure, error)) func(*bench, context.Context) ([]figure, error) {
	return func(b *bench, ctx context.Context) ([]figure, error) { return run(ctx, b) }
}

func sections() []section {
	return []section{
		{"engine", "The engine, on a real folder", (*bench).engine},
		{"wire", "The same through the wires, against the real binary", (*bench).wire},
		{"create", "A job for one thing", (*bench).create},
		{"fanout", "Fan-out, and a large folder", (*bench).fanOut},
		{"million", "A job for a million things, and a crash in the middle of one", (*bench).million},
		{"whole", "A job for all things, from CreateJob until the last has succeeded", (*bench).whole},
		{"scheduler", "Much to wait for and nothing to do", (*bench).scheduler},
		{"idle", "Idle connections with three subscriptions", (*bench).idle},
		{"unauthenticated-mqtt", "What clients make the server keep before it knows who they are, on the way to MQTT", (*bench).unauthenticatedMQTT},
		{"requests", "Jobs requests", (*bench).requests},
		{"connect", "Handshakes and reconnecting", (*bench).connect},
		{"publish", "Publishing", (*bench).publish},
		{"slow-reader", "A client that reads a byte a second", (*bench).slowReader},
		{"unauthenticated", "What strangers make the server keep", (*bench).unauthenticated},
		{"operations", "Why a job does not move, and who did what", withContextFirst(operations)},
		{postgresSections, "The engine, on PostgreSQL", (*bench).enginePostgres},
		{postgresSections + "-fanout", "Fan-out, on PostgreSQL", (*bench).fanOutPostgres},
		{nodesSections, "Several nodes", withContextFirst(severalNodes)},
		{nodesSections + "-news", "Several nodes: what one hears of another", withContextFirst(nodesNews)},
		{nodesSections + "-failover", "Several nodes: one of three is killed", withContextFirst(nodesFailover)},
		{nodesSections + "-revocation", "Several nodes: rights that are taken away elsewhere", withContextFirst(nodesRevocation)},
	}
}

// bench is one run.
type bench struct {
	sizes
	muster string    // the binary under test
	before []string  // what comes before it on the command line
	extra  []string  // more flags for it
	dir    string    // temporary, removed at the end
	log    io.Writer // takes progress

	devices *fleet // made when first wanted
	crowded *fleet // the same, of section million
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == gatewayCommand {
		return runGateway(ctx, args[1:])
	}
	if len(args) > 0 && args[0] == neighbourCommand {
		return runNeighbour(ctx, args[1:])
	}
	b := bench{log: stderr}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	quick := fs.Bool("quick", false, "small sizes, in a minute or two")
	out := fs.String("out", "", "also write the table to this `file`, as Markdown")
	profile := fs.String("profile", "", "write a processor profile of this process, in which sections engine and fanout run, to this `file`")
	moving := fs.Int("moving", 0, "`number` of devices that move when a node is killed; that of the size when not given")
	records := fs.Int("records", 0, "`number` of audit records; that of the size when not given")
	fs.StringVar(&b.muster, "muster", "bin/muster", "the `binary` under test")
	extra := fs.String("serve", "", "more `flags` for muster serve, such as \"--pprof 127.0.0.1:6060\" to profile what is measured")
	fs.Usage = func() {
		fmt.Fprintln(stderr, "usage: bench [flags] [section …]")
		fs.PrintDefaults()
		for _, s := range sections() {
			fmt.Fprintf(stderr, "  %-15s %s\n", s.name, s.title)
		}
	}
	if err := fs.Parse(args); err != nil {
		return err
	}
	b.extra = strings.Fields(*extra)
	if b.sizes = full; *quick {
		b.sizes = small
	}
	if *moving > 0 {
		b.moving = *moving
	}
	if *records > 0 {
		b.records = *records
	}
	chosen, err := choose(fs.Args())
	if err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "muster-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	ctx, cancel := context.WithTimeout(ctx, timeMax)
	defer cancel()

	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}

	t := table{machine: describeMachine(b.muster), quick: *quick}
	var failed []error
	for _, s := range chosen {
		p := b.part(ctx, s)
		t.parts = append(t.parts, p)
		if p.err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", s.name, p.err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	t.machine.loadAfter = loadAverage()
	t.text(stdout)
	if *out != "" {
		failed = append(failed, t.write(*out))
	}
	return errors.Join(failed...)
}

// part runs one section.
func (b *bench) part(ctx context.Context, s section) part {
	fmt.Fprintf(b.log, "bench: %s\n", s.name)
	began, before := time.Now(), readLoad()
	p := part{title: s.title, began: began}
	p.figures, p.err = s.run(b, ctx)
	p.took, p.others = time.Since(began), readLoad().othersSince(before)
	return p
}

// progress says what is going on.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(b.log, "  %s\n", fmt.Sprintf(format, args...))
}

// choose returns the sections of these names, or of all that need nothing but the binary under
// test if there are none.
func choose(names []string) ([]section, error) {
	all := sections()
	if len(names) == 0 {
		return slices.DeleteFunc(all, section.needsServers), nil
	}
	var chosen []section
	for _, name := range names {
		i := slices.IndexFunc(all, func(s section) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no section %q; there are %s", name, sectionNames(all))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func sectionNames(all []section) string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.name
	}
	return strings.Join(names, ", ")
}
