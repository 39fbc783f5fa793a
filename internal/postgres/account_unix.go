//go:build unix

package postgres

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// account is whom the server runs as. The zero value is whoever runs this process.
type account struct{ credential *syscall.Credential }

// runAs returns a user other than root, as whom PostgreSQL refuses to run.
func runAs() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return account{}, err
	}
	uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
	return account{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, errors.Join(errUID, errGID)
}

// own gives a file to the account.
func (a account) own(name string) error {
	if a.credential == nil {
		return nil
	}
	return os.Chown(name, int(a.credential.Uid), int(a.credential.Gid))
}

// run lets cmd run as the account, out of reach of the terminal's signals.
func (a account) run(cmd *exec.Cmd) {
	cmd.Dir, cmd.Env = "/", environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: a.credential}
}

// killAll kills a server with its children, which must be gone before another can start.
// Where /proc does not tell which these are, they end by themselves when they notice that the
// server is gone.
func killAll(server *os.Process) error {
	if err := server.Signal(syscall.SIGSTOP); err != nil { // lest it starts more
		return err
	}
	for {
		children := childrenOf(server.Pid)
		if len(children) == 0 {
			return server.Kill()
		}
		for _, pid := range children {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
		time.Sleep(time.Millisecond)
	}
}

// childrenOf returns the children of a process that have not ended.
func childrenOf(parent int) []int {
	var children []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // of a pattern that is well-formed
	for _, path := range stats {
		if p, ok := readStat(path); ok && p.parent == parent && !p.ended {
			children = append(children, p.pid)
		}
	}
	return children
}
