// Command serve starts a PostgreSQL server for tests that are not written in Go, prints the
// URL of an empty database, and stops the server when its standard input ends. Its status is
// 3 on a machine without PostgreSQL.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/muster-iot/muster/internal/postgres"
)

func main() {
	switch err := serve(os.Stdin, os.Stdout); {
	case errors.Is(err, postgres.ErrMissing):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(in io.Reader, out io.Writer) (err error) {
	s, err := postgres.Launch(postgres.Options{NoSync: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	name, err := s.Create()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, s.URL(name)); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}
