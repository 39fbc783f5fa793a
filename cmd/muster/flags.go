package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// flagSet returns a set of flags whose help, printed to w, reads like a page:
// usage line, then one line for each flag.
func flagSet(name, usage string, w io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // errors are reported once, by main
	fs.Usage = func() {
		fmt.Fprintf(w, "usage: muster %s %s\n\n", name, usage)
		fs.VisitAll(func(f *flag.Flag) {
			kind, text := flag.UnquoteUsage(f)
			fmt.Fprintf(w, "  --%s\n        %s", strings.TrimSpace(f.Name+" "+kind), text)
			if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
				fmt.Fprintf(w, " (default %s)", f.DefValue)
			}
			fmt.Fprintln(w)
		})
	}
	return fs
}

// parseFlags reads args and refuses more than positionals arguments beside the
// flags. Flags may stand before or after them.
func parseFlags(fs *flag.FlagSet, args []string, positionals int) ([]string, error) {
	var rest []string
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, usagef("%s: %v; try muster %s --help", fs.Name(), err, fs.Name())
		}
		if fs.NArg() == 0 {
			return rest, nil
		}
		if len(rest) == positionals {
			return nil, usagef("%s: unexpected argument %q; try muster %s --help", fs.Name(), fs.Arg(0), fs.Name())
		}
		rest, args = append(rest, fs.Arg(0)), fs.Args()[1:]
	}
}
