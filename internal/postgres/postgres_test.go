package postgres_test

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/internal/postgres"
)

// query asks one value of a database by its URL, as a client would.
func query(t *testing.T, s *postgres.Server, address, password, statement string) (string, error) {
	t.Helper()
	cmd := exec.Command(s.Program("psql"), "-X", "-A", "-t", "-w", "-d", address, "-c", statement)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+password)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestEachDatabaseIsEmptyAndBelongsToTheRole(t *testing.T) {
	s := postgres.Shared(t)
	one, other := s.Database(t), s.Database(t)
	if _, err := query(t, s, one, "", "CREATE SCHEMA muster; CREATE TABLE muster.a (n int)"); err != nil {
		t.Fatalf("the role may not make a table: %v", err)
	}
	got, err := query(t, s, other, "", "SELECT count(*), current_user FROM pg_namespace WHERE nspname = 'muster'")
	if want := "0|" + postgres.Role; err != nil || got != want {
		t.Errorf("the other database says %q, %v; want %q", got, err, want)
	}
	if got, err := query(t, s, one, "", "SELECT usesuper FROM pg_user WHERE usename = current_user"); err != nil || got != "f" {
		t.Errorf("the role is a superuser: %q, %v", got, err)
	}
}

func TestWhatIsCommittedSurvivesEveryEnd(t *testing.T) {
	s := postgres.Start(t, postgres.Options{})
	address := s.Database(t)
	if got, err := query(t, s, address, "", "SHOW fsync"); err != nil || got != "on" {
		t.Errorf("fsync is %q, %v; want on", got, err)
	}
	if _, err := query(t, s, address, "", "CREATE TABLE a (n int)"); err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func() error{
		"fast":      func() error { return s.Stop(postgres.Fast) },
		"immediate": func() error { return s.Stop(postgres.Immediate) },
		"killed":    s.Kill,
	} {
		before, errBefore := query(t, s, address, "", "INSERT INTO a VALUES (1) RETURNING (SELECT count(*) + 1 FROM a)")
		must(t, errBefore, end())
		if _, err := query(t, s, address, "", "SELECT 1"); err == nil {
			t.Errorf("%s: the server still answers", name)
		}
		must(t, s.Restart())
		if after, err := query(t, s, address, "", "SELECT count(*) FROM a"); err != nil || !strings.HasPrefix(before, after) {
			t.Errorf("%s: %q rows, %v; there were %q", name, after, err, before)
		}
	}
}

func TestAStandbyCanBeReadOnly(t *testing.T) {
	s := postgres.Start(t, postgres.Options{NoSync: true})
	address := s.Database(t)
	must(t, s.Stop(postgres.Fast), s.Standby())
	if got, err := query(t, s, address, "", "SELECT pg_is_in_recovery()"); err != nil || got != "t" {
		t.Errorf("in recovery: %q, %v", got, err)
	}
	if got, err := query(t, s, address, "", "CREATE TABLE a (n int)"); err == nil {
		t.Errorf("a table was made: %s", got)
	}
}

func TestAStandbyHasWhatWasCommitted(t *testing.T) {
	s := postgres.Start(t, postgres.Options{NoSync: true})
	address := s.Database(t)
	standby, err := s.Follow()
	must(t, err)
	t.Cleanup(func() { must(t, standby.Close()) })
	if got, err := query(t, s, address, "", "CREATE TABLE a (n int); INSERT INTO a VALUES (7)"); err != nil {
		t.Fatalf("a table is made: %q, %v", got, err)
	}
	must(t, s.Kill(), standby.Promote())
	name := address[strings.LastIndex(address, "/")+1 : strings.Index(address, "?")]
	if got, err := standby.Query(name, "INSERT INTO a VALUES (8); SELECT sum(n) FROM a"); err != nil || got != "15" {
		t.Errorf("the sum on the standby that was promoted: %q, %v", got, err)
	}
}

func TestAPasswordIsAskedFor(t *testing.T) {
	s := postgres.Start(t, postgres.Options{NoSync: true, Password: "it's"})
	address := s.Database(t)
	if _, err := query(t, s, address, "it's", "SELECT 1"); err != nil {
		t.Errorf("with the password: %v", err)
	}
	for _, wrong := range []string{"", "its"} {
		if _, err := query(t, s, address, wrong, "SELECT 1"); err == nil {
			t.Errorf("password %q was good enough", wrong)
		}
	}
}

func TestADatabaseIsEmptyAgainForTheNextTest(t *testing.T) {
	s := postgres.Shared(t)
	addresses := map[string]bool{}
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			address := s.Database(t)
			addresses[address] = true
			if out, err := query(t, s, address, "", "CREATE SCHEMA muster; CREATE TABLE muster.a (n int); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'"); err != nil {
				t.Errorf("%s: %s, %v", address, out, err)
			}
		})
	}
	if len(addresses) != 1 {
		t.Errorf("three tests after each other had the databases %v, want one", addresses)
	}
}

// startAndHang is a variable of the environment that makes a test binary start a server, print
// its address and wait to be killed.
const startAndHang = "MUSTER_TEST_START_POSTGRES"

func TestProcessorTimeIsThatOfEveryProcess(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip(err)
	}
	s := postgres.Start(t, postgres.Options{NoSync: true})
	const busy = "SELECT count(*) FROM generate_series(1, 3000000)" // some tenths of a second
	before := s.ProcessorTime()
	if _, err := s.Query("postgres", busy); err != nil { // in a process that has ended by now
		t.Fatal(err)
	}
	if used := s.ProcessorTime() - before; before <= 0 || used < 50*time.Millisecond {
		t.Errorf("processor time: %v before a statement, %v for it", before, used)
	}
}

func TestAServerEndsWithAKilledProcess(t *testing.T) {
	if os.Getenv(startAndHang) != "" {
		_, err := os.Stdout.WriteString(postgres.Shared(t).Database(t) + "\n")
		must(t, err)
		select {}
	}
	postgres.Shared(t) // skips where there is none
	cmd := exec.Command(os.Args[0], "-test.run=^TestAServerEndsWithAKilledProcess$")
	cmd.Env = append(os.Environ(), startAndHang+"=1")
	out, err := cmd.StdoutPipe()
	must(t, err, cmd.Start())
	said := make([]byte, 200)
	n, err := out.Read(said)
	must(t, err, cmd.Process.Kill())
	_ = cmd.Wait()
	address, err := url.Parse(strings.TrimSpace(string(said[:n])))
	must(t, err)
	for {
		conn, err := net.Dial("tcp", address.Host)
		if err != nil {
			return
		}
		must(t, conn.Close())
		time.Sleep(10 * time.Millisecond)
	}
}
