// Command muster is the whole service in one binary: the server, the demo, the
// simulated fleet and the operator's tools. It reads flags, wires packages
// together and stops them in order; it holds no rule and no protocol.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, restore) // so that a second signal ends the process at once
	os.Exit(exitCode(run(ctx, os.Args[1:], os.Stdout, os.Stderr), os.Stderr))
}

// command is one word that may follow "muster".
type command struct {
	name    string
	summary string
	run     func(ctx context.Context, args []string, stdout, stderr io.Writer) error
}

func commands() []command {
	return []command{
		{"serve", "run the server on a data folder", runServe},
		{"demo", "show a job from create-job to the last device, in a temporary folder", runDemo},
		{"fleet", "run simulated devices against a server", runFleet},
		{"env", "print the exports that aim the AWS CLI at a server", runEnv},
		{"clock", "show or move the clock of a server with --test-clock", runClock},
		{"limits", "list what can be limited, with the defaults and AWS's numbers", runLimits},
		{"admin", "look after a data folder: verify, backup, keys, signing-profile, sign, dead-letters, explain-policy", runAdmin},
		{"version", "print the version", runVersion},
	}
}

// run is the program: main with everything handed in.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	return dispatch(ctx, "muster", commands(), args, stdout, stderr)
}

// dispatch runs the command that args name.
func dispatch(ctx context.Context, path string, from []command, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 || isHelp(args[0]) {
		printCommands(stdout, path, from)
		if len(args) == 0 {
			return usagef("%s needs a command", path)
		}
		return nil
	}
	for _, c := range from {
		if c.name == args[0] {
			return c.run(ctx, args[1:], stdout, stderr)
		}
	}
	return usagef("%s has no command %q; try %s help", path, args[0], path)
}

func isHelp(arg string) bool {
	return arg == "help" || arg == "-h" || arg == "-help" || arg == "--help"
}

func printCommands(w io.Writer, path string, from []command) {
	fmt.Fprintf(w, "usage: %s <command> [flags]\n\ncommands:\n", path)
	for _, c := range from {
		fmt.Fprintf(w, "  %-13s %s\n", c.name, c.summary)
	}
	fmt.Fprintf(w, "\n%s <command> --help lists the flags of one.\n", path)
}

// Exit codes: 0 all well, 1 it failed, 2 it was asked for something that makes
// no sense.
func exitCode(err error, stderr io.Writer) int {
	var usage *usageError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "muster:", err)
		return 2
	default:
		fmt.Fprintln(stderr, "muster:", err)
		return 1
	}
}

// usageError is a mistake in the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}
