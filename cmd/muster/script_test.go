package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/identity"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"muster": main})
}

// TestScripts runs testdata/script: the real program, as a person or a service
// manager uses it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":     await,
			"terminate": terminate,
			"private":   private,
			"hides":     hides,
		},
	})
}

// startTimeout is far more than a server needs to start.
const startTimeout = 30 * time.Second

// await waits until a file exists: await FILE.
func await(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: await FILE")
	}
	ts.Check(awaitFile(ts.MkAbs(args[0])))
}

func awaitFile(name string) error {
	for end := time.Now().Add(startTimeout); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(name); err == nil {
			return nil
		}
	}
	return fmt.Errorf("no %s after %s", name, startTimeout)
}

// terminate sends SIGTERM to the server of a ready file: terminate READY.
func terminate(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: terminate READY")
	}
	ready, err := datafolder.ReadReady(ts.MkAbs(args[0]))
	ts.Check(err)
	server, err := os.FindProcess(ready.PID)
	ts.Check(err)
	ts.Check(server.Signal(syscall.SIGTERM))
}

// private checks that only the owner may read files: private FILE...
func private(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		info, err := os.Stat(ts.MkAbs(name))
		ts.Check(err)
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			ts.Fatalf("%s has mode %04o; others may look into it", name, mode)
		}
	}
}

// hides checks that no secret of a credentials file is in other files, such as
// stdout and stderr: hides CREDENTIALS FILE...
func hides(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: hides CREDENTIALS FILE...")
	}
	credential, err := identity.ReadProfile(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, name := range args[1:] {
		content := ts.ReadFile(name)
		if strings.TrimSpace(content) == "" {
			ts.Fatalf("%s is empty, so that it hides a secret proves nothing", name)
		}
		if bytes.Contains([]byte(content), []byte(credential.Secret)) {
			ts.Fatalf("%s shows the secret access key", name)
		}
	}
}
