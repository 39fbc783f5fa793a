//go:build !unix

package postgres

import (
	"errors"
	"os"
	"os/exec"
)

// account is whom the server runs as.
type account struct{}

func runAs() (account, error) { return account{}, errors.New("the tests start it on Unix only") }

func (account) own(string) error { return nil }

func (account) run(*exec.Cmd) {}

func killAll(server *os.Process) error { return server.Kill() }
