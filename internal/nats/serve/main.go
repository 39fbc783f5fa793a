// Command serve starts a NATS server for tests that are not written in Go, prints its
// address, and stops it when its standard input ends. Its status is 3 on a machine that cannot
// build one.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/muster-iot/muster/internal/nats"
)

func main() {
	switch err := serve(os.Stdin, os.Stdout); {
	case errors.Is(err, nats.ErrMissing):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(in io.Reader, out io.Writer) (err error) {
	s, err := nats.Launch(nats.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if _, err := fmt.Fprintln(out, s.URL()); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}
