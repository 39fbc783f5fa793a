package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/store/pgstore"
)

// said runs the program and returns what it prints and its exit code.
func said(t *testing.T, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout) // it may serve what it should refuse
	defer cancel()
	out, err := exec.CommandContext(ctx, "muster", args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit != nil {
		return string(out), exit.ExitCode()
	}
	return string(out), 0
}

// wantSaid runs the program and looks for words in what it prints.
func wantSaid(t *testing.T, code int, words string, args ...string) {
	t.Helper()
	if out, got := said(t, args...); got != code || !strings.Contains(out, words) {
		t.Errorf("muster %s ends with %d and says %q, want %d and %q", strings.Join(args, " "), got, out, code, words)
	}
}

// probe returns the status of a path for probes, and its text.
func (s *running) probe(t *testing.T, path string) (int, string) {
	t.Helper()
	answer, err := http.Get(strings.TrimSuffix(s.ready.MetricsURL, "/metrics") + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// A folder whose store is in a database is served, killed and served again. Its commands work
// beside the server and without it.
func TestADatabaseIsServed(t *testing.T) {
	database := postgres.Shared(t).Database(t)
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, data, "--store", database)
	s.fill(t)
	if _, err := os.Stat(filepath.Join(data, "db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder db: %v, want none", err)
	}
	check := func(when string) {
		t.Helper()
		for _, args := range [][]string{
			{"admin", "verify", data, "--store", database},
			{"admin", "dead-letters", data, "--store", database},
			{"admin", "dead-letters", data, "--store", database, "--replay"},
			{"admin", "explain-policy", data, "--store", database, "--who", s.Credential.AccessKeyID, "--action", "iot:ListThings", "--resource", "*"},
		} {
			if out, code := said(t, args...); code != 0 {
				t.Errorf("%s: muster %s: %s", when, strings.Join(args, " "), out)
			}
		}
		for principal, use := range lastUses(t, data, "--store", database) {
			if _, err := time.Parse("2006-01-02T15:04Z", use); err != nil {
				t.Errorf("%s: the key of %s was last used %q", when, principal, use)
			}
		}
		wantSaid(t, 1, "pg_dump", "admin", "backup", data, filepath.Join(t.TempDir(), "copy"))
		wantSaid(t, 1, "--store-file", "admin", "verify", data)
	}
	check("served")
	if err := s.Call(t.Context(), "POST", "/muster/v1/backup", object{"to": filepath.Join(t.TempDir(), "copy")}, nil); err == nil || !strings.Contains(err.Error(), "pg_dump") {
		t.Errorf("POST /muster/v1/backup: %v, want what to use instead", err)
	}
	wantSaid(t, 1, "in use by a muster server", "serve", "--data", data, "--store", database, "--api", "127.0.0.1:0")
	if _, code := said(t, "admin", "dead-letters", data); code != 0 { // the server is asked
		t.Error("beside a server the commands do not find it without --store")
	}

	s.kill(t)
	s = startServer(t, data, "--store", database)
	if got := s.census(t); got != fullCensus {
		t.Errorf("after a kill there are %s, want %s", got, fullCensus)
	}
	s.stop(t)
	check("stopped")
	wantSaid(t, 1, "--store-file", "admin", "dead-letters", data)
	wantSaid(t, 0, "unknown", "admin", "keys", "list", data)
	if err := os.Remove(filepath.Join(data, "files-key")); err != nil {
		t.Fatal(err)
	}
	wantSaid(t, 1, "the file files-key is missing", "admin", "verify", data, "--store", database)
	wantSaid(t, 1, "the file files-key is missing", "serve", "--data", data, "--store", database, "--api", "127.0.0.1:0")
}

// A job file that is lost is found by verify beside a server, and one that comes and goes
// meanwhile is no problem.
func TestJobFilesAreVerifiedBesideAServer(t *testing.T) {
	database := postgres.Shared(t).Database(t)
	data := datafolder.Folder(filepath.Join(t.TempDir(), "data"))
	s := startServer(t, string(data), "--store", database, "--files", "127.0.0.1:0")
	for _, step := range []struct{ target, body string }{{"/lab", ""}, {"/lab/firmware", strings.Repeat("bytes of it ", 100)}} {
		if _, err := s.file(t.Context(), "PUT", step.target, []byte(step.body)); err != nil {
			t.Fatal(err)
		}
	}
	wantSaid(t, 0, "holds together", "admin", "verify", string(data), "--store", database)
	contents, err := filepath.Glob(filepath.Join(data.Files(), "*", "*"))
	if err != nil || len(contents) != 1 {
		t.Fatalf("the contents of job files are %v, %v", contents, err)
	}
	if err := os.Remove(contents[0]); err != nil {
		t.Fatal(err)
	}
	wantSaid(t, 1, "firmware", "admin", "verify", string(data), "--store", database)
}

// A test server on a database is emptied like any other, also when it is killed between.
func TestAResetEmptiesADatabase(t *testing.T) {
	database := postgres.Shared(t).Database(t)
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, data, "--store", database, "--test-clock")
	for range 2 {
		s.fill(t)
		if err := s.Call(t.Context(), "POST", "/muster/v1/reset", nil, nil); err != nil {
			t.Fatal(err)
		}
		if got := s.census(t); got != emptyCensus {
			t.Errorf("after the reset there are %s, want %s", got, emptyCensus)
		}
	}
	s.kill(t)

	// It may be killed right after the database was emptied, or before that.
	f := datafolder.Folder(data)
	emptied, err := f.OpenStore(t.Context(), datafolder.StoreOptions{Database: database})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(emptied.Empty(t.Context()), emptied.Close()); err != nil {
		t.Fatal(err)
	}
	mark, err := os.ReadFile(filepath.Join(data, "begins-empty"))
	if err != nil {
		t.Fatal(err)
	}
	wantSaid(t, 0, "holds together", "admin", "verify", data, "--store", database)
	s = startServer(t, data, "--store", database, "--test-clock")
	s.fill(t)
	s.kill(t)
	if err := os.WriteFile(filepath.Join(data, "begins-empty"), mark, 0o600); err != nil {
		t.Fatal(err)
	}
	s = startServer(t, data, "--store", database, "--test-clock")
	if got := s.census(t); got != fullCensus {
		t.Errorf("after a reset that had not begun there are %s, want %s", got, fullCensus)
	}
	s.stop(t)
	if err := emptyDatabase(t, database); err != nil {
		t.Fatal(err)
	}
	wantSaid(t, 1, "its store, the database, is empty", "admin", "verify", data, "--store", database)
}

// emptyDatabase loses all that is in a database.
func emptyDatabase(t *testing.T, database string) error {
	t.Helper()
	s, err := pgstore.Open(t.Context(), pgstore.Options{Database: database})
	if err != nil {
		return err
	}
	return errors.Join(s.Empty(t.Context()), s.Close())
}

// A first start that fails when it has made some of its files is no loss for the next one.
func TestAFirstStartOnADatabaseMayFail(t *testing.T) {
	database := postgres.Shared(t).Database(t)
	data := filepath.Join(t.TempDir(), "data")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	wantSaid(t, 1, "address already in use", "serve", "--data", data, "--store", database, "--api", taken.Addr().String())
	if _, err := os.Stat(filepath.Join(data, "server.pem")); err != nil {
		t.Fatal(err) // that it stopped earlier proves nothing
	}
	startServer(t, data, "--store", database).stop(t)
}

// A folder has one store, and a database one deployment.
func TestStoresAreNotMistaken(t *testing.T) {
	server := postgres.Shared(t)
	database, other := server.Database(t), server.Database(t)
	base := t.TempDir()
	own, elsewhere, foreign := filepath.Join(base, "own"), filepath.Join(base, "elsewhere"), filepath.Join(base, "foreign")
	serveRefused := func(words string, flags ...string) {
		t.Helper()
		wantSaid(t, 1, words, append([]string{"serve", "--api", "127.0.0.1:0", "--metrics", "", "--mqtts", "", "--https", "", "--files", ""}, flags...)...)
	}
	startServer(t, own).stop(t)
	serveRefused("has a store of its own", "--data", own, "--store", database)
	if _, err := os.Stat(filepath.Join(own, "node")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was refused has left a name: %v", err)
	}
	startServer(t, own).stop(t)

	s := startServer(t, elsewhere, "--store", database)
	if err := s.CreateThing(t.Context(), "lamp"); err != nil {
		t.Fatal(err)
	}
	s.stop(t)
	serveRefused("it is served with a database: say which one with --store or --store-file", "--data", elsewhere)
	serveRefused("its store, the database, is empty", "--data", elsewhere, "--store", other)
	serveRefused("not in "+foreign, "--data", foreign, "--store", database)
	startServer(t, foreign, "--store", other).stop(t)
	serveRefused("belongs to another deployment", "--data", foreign, "--store", database)
	serveRefused("belongs to another deployment", "--data", foreign, "--store", database, "--accept-loss")
	wantSaid(t, 1, "belongs to another deployment", "admin", "verify", foreign, "--store", database)

	// With --accept-loss a new folder replaces one that was lost, and the database stays.
	if err := os.RemoveAll(elsewhere); err != nil {
		t.Fatal(err)
	}
	serveRefused("--accept-loss", "--data", elsewhere, "--store", database)
	wantSaid(t, 1, "is not a data folder", "admin", "verify", elsewhere, "--store", database)
	s = startServer(t, elsewhere, "--store", database, "--accept-loss")
	if err := s.Call(t.Context(), "GET", "/things/lamp", nil, nil); err != nil {
		t.Errorf("with --accept-loss the database is not used: %v", err)
	}
	s.stop(t)
	startServer(t, elsewhere, "--store", database)
}

// A server that is pointed at a wrong database leaves it as it is, so that the right server, which
// was killed, finds it as it left it.
func TestAServerOnAWrongDatabaseChangesNothing(t *testing.T) {
	server := postgres.Shared(t)
	database, empty := server.Database(t), server.Database(t)
	base := t.TempDir()
	right, foreign := filepath.Join(base, "right"), filepath.Join(base, "foreign")
	s := startServer(t, right, "--store", database)
	s.fill(t)
	s.kill(t)
	query := func(address, statement string) string {
		t.Helper()
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := server.Query(strings.Trim(u.Path, "/"), statement)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	query(database, "UPDATE muster.version SET format = 4") // which a server would migrate
	const all = `SELECT * FROM muster.version; SELECT last_value FROM muster.incarnation; SELECT * FROM muster.node;
		SELECT * FROM muster.lane; SELECT tbl, md5(string_agg(key || value, '' ORDER BY key)) FROM muster.record GROUP BY tbl`
	before := query(database, all)
	wantSaid(t, 0, "made", "admin", "secrets", "init", foreign)
	for words, flags := range map[string][]string{
		"belongs to another deployment":        {"--data", foreign, "--store", database, "--accept-loss"},
		"not in " + filepath.Join(base, "new"): {"--data", filepath.Join(base, "new"), "--store", database},
		"its store, the database, is empty":    {"--data", right, "--store", empty},
	} {
		wantSaid(t, 1, words, append([]string{"serve", "--api", "127.0.0.1:0"}, flags...)...)
	}
	if after := query(database, all); after != before {
		t.Errorf("the database of another deployment has changed from\n%s\nto\n%s", before, after)
	}
	if made := query(empty, "SELECT nspname FROM pg_namespace WHERE nspname = 'muster'"); made != "" {
		t.Error("the empty database has tables")
	}
	s = startServer(t, right, "--store", database)
	if got := s.census(t); got != fullCensus {
		t.Errorf("the right server finds %s, want %s", got, fullCensus)
	}
	wantSaid(t, 1, "belongs to another deployment", "serve", "--api", "127.0.0.1:0", "--data", foreign, "--store", database)
	s.stop(t)
}

// No part of an address but its password is shown, wherever it comes from, and a password on the
// command line is refused.
func TestPasswordsStayHidden(t *testing.T) {
	const password = "hunter2-of-the-database"
	server := postgres.Start(t, postgres.Options{NoSync: true, Password: password})
	name, err := server.Create()
	if err != nil {
		t.Fatal(err)
	}
	address := server.URL(name)
	secret := strings.Replace(address, "@", ":"+password+"@", 1)
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	private, open := file("private", secret+"\n", 0o600), file("open", secret, 0o644)
	wrong := file("wrong", strings.Replace(secret, password, password+"-not", 1), 0o600)
	nowhere := file("nowhere", strings.Replace(secret, "127.0.0.1", "127.0.0.1:1,127.0.0.2", 1), 0o600)
	broken := file("broken", strings.Replace(secret, "127.0.0.1:", "127.0.0.1:x", 1), 0o600)

	for _, test := range []struct {
		code  int
		words string
		flags []string
	}{
		{2, "PGPASSFILE", []string{"--store", secret}},
		{2, "--store-file", []string{"--store", address + "&password=" + password}},
		{2, "--store:", []string{"--store", "host=127.0.0.1 port=x password=" + password}},
		{2, "leave out one of them", []string{"--store", address, "--store-file", private}},
		{1, "chmod 600", []string{"--store-file", open}},
		{1, "may contain a password", []string{"--store-file", broken}},
		{1, "is empty", []string{"--store-file", file("empty", "\n", 0o600)}},
		{1, "no such file", []string{"--store-file", filepath.Join(dir, "none")}},
	} {
		for _, command := range [][]string{{"serve", "--data", data}, {"serve", "--data", data, "--check"}, {"admin", "verify", dir}, {"admin", "keys", "list", dir}} {
			if test.code == 1 && command[1] == "keys" {
				continue // says so in a warning
			}
			wantHidden(t, password, test.code, test.words, append(command, test.flags...)...)
		}
	}
	wantHidden(t, password, 0, "the configuration is good", "serve", "--data", data, "--check", "--store-file", private)
	wantHidden(t, password, 1, "password authentication failed", "serve", "--data", data, "--store-file", wrong, "--log-level", "debug")
	wantHidden(t, password, 1, "connect", "serve", "--data", data, "--store-file", nowhere, "--log-level", "debug")
	if out, _ := said(t, "serve", "--data", data, "--store-file", nowhere); strings.Count(out, "\n") != 1 {
		t.Errorf("two addresses that cannot be reached make more than one line:\n%s", out)
	}
	wantHidden(t, password, 1, "password", "serve", "--data", data, "--store", address, "--log-level", "debug") // there is none

	serve := func(env string, flags ...string) {
		t.Helper()
		var log bytes.Buffer
		ready := filepath.Join(t.TempDir(), "ready.json")
		cmd := exec.Command("muster", append([]string{"serve", "--data", data, "--api", "127.0.0.1:0", "--metrics", "", "--mqtts", "", "--https", "", "--files", "",
			"--ready-file", ready, "--log-level", "debug"}, flags...)...)
		cmd.Stdout, cmd.Stderr, cmd.Env = &log, &log, append(os.Environ(), env)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
		if err := awaitFile(ready); err != nil {
			t.Fatalf("with %s %v: %v\n%s", env, flags, err, &log)
		}
		seen, err := os.ReadFile(ready)
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("with %s %v: %v\n%s", env, flags, err, &log)
		}
		if strings.Contains(log.String(), password) || bytes.Contains(seen, []byte(password)) || !strings.Contains(log.String(), "serving") {
			t.Errorf("with %s %v the log or the ready file shows the password, or nothing:\n%s\n%s", env, flags, &log, seen)
		}
	}
	serve("A=", "--store-file", private)
	serve("PGPASSFILE="+file("pgpass", "*:*:*:*:"+password+"\n", 0o600), "--store", address)
	service := strings.NewReplacer("postgres://", "[fleet]\nuser=", "@", "\nhost=", ":", "\nport=", "/", "\ndbname=", "?", "\n")
	serve("PGSERVICEFILE="+file("services", service.Replace(address)+"\npassword="+password+"\n", 0o600), "--store", "service=fleet")
}

// wantHidden is wantSaid, and looks that no secret is among what is printed.
func wantHidden(t *testing.T, secret string, code int, words string, args ...string) {
	t.Helper()
	out, got := said(t, args...)
	if got != code || !strings.Contains(out, words) || strings.Contains(out, secret) {
		t.Errorf("muster %s ends with %d and says %q, want %d and %q, without the secret", strings.Join(args, " "), got, out, code, words)
	}
}

// While the database is away the server is not ready, and it is again by itself.
func TestReadinessFollowsTheDatabase(t *testing.T) {
	server := postgres.Start(t, postgres.Options{})
	name, err := server.Create()
	if err != nil {
		t.Fatal(err)
	}
	s := startServer(t, filepath.Join(t.TempDir(), "data"), "--store", server.URL(name))
	if status, text := s.probe(t, "/readyz"); status != http.StatusOK {
		t.Errorf("at first /readyz is %d %s", status, text)
	}
	if err := server.Stop(postgres.Immediate); err != nil {
		t.Fatal(err)
	}
	if status, text := s.probe(t, "/readyz"); status != http.StatusServiceUnavailable || strings.Contains(text, "127.0.0.1") {
		t.Errorf("without its database /readyz is %d %s", status, text)
	}
	if status, text := s.probe(t, "/healthz"); status != http.StatusOK { // a restart of the process would not help
		t.Errorf("without its database /healthz is %d %s", status, text)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server is ready again", func() bool { status, _ := s.probe(t, "/readyz"); return status == http.StatusOK })
	if err := s.CreateThing(t.Context(), "lamp"); err != nil {
		t.Errorf("when the database is back: %v", err)
	}
	s.stop(t)
}

// A server from which another one has taken the database over can never serve again, and ends.
func TestAServerThatWasTakenOverEnds(t *testing.T) {
	database := postgres.Shared(t).Database(t)
	data := datafolder.Folder(filepath.Join(t.TempDir(), "data"))
	s := startServer(t, string(data), "--store", database)
	name, err := os.ReadFile(data.NodeFile())
	if err != nil {
		t.Fatal(err)
	}
	other, err := pgstore.Open(t.Context(), pgstore.Options{Database: database, Node: strings.TrimSpace(string(name))})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var exit *exec.ExitError
	if err := s.cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("the server ended with %v, want exit code 1", err)
	}
}

// Two servers with one folder of secrets are one deployment: what one has issued, the other
// trusts. The same folder is good for a store of its own.
func TestSecretsAreMade(t *testing.T) {
	base := t.TempDir()
	secrets := datafolder.Folder(filepath.Join(base, "secrets"))
	wantSaid(t, 2, "--account", "admin", "secrets", "init", string(secrets), "--account", "1")
	wantSaid(t, 0, "made", "admin", "secrets", "init", string(secrets), "--account", "123456789012", "--region", "eu-north-1", "--hosts", "muster.example,127.0.0.1")
	wantSaid(t, 1, "has something of a deployment already", "admin", "secrets", "init", string(secrets))
	wantSaid(t, 0, "holds together", "admin", "verify", string(secrets))
	if err := secrets.CheckSecrets(); err != nil {
		t.Error(err)
	}
	flags := []string{"--account", "123456789012", "--region", "eu-north-1", "--hosts", "muster.example,127.0.0.1", "--alpn", "127.0.0.1:0"}
	before := digests(t, string(secrets))
	for _, stores := range []string{"own", "database"} {
		t.Run(stores, func(t *testing.T) {
			names, flags := []string{"own"}, flags
			if stores == "database" {
				names, flags = []string{"one", "two"}, append(flags, "--store", postgres.Shared(t).Database(t))
			}
			for _, name := range names {
				data := filepath.Join(base, name)
				copyFolder(t, secrets, data)
				s := startServer(t, data, flags...)
				if err := s.Call(t.Context(), "GET", "/things", nil, nil); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				s.stop(t)
				after := digests(t, data)
				for file, sum := range before {
					if after[file] != sum && file != "/begins-empty" && file != "/audit-pending" { // which the store has got
						t.Errorf("%s: a start has changed %s", name, file)
					}
				}
				if _, there := after["/begins-empty"]; there {
					t.Errorf("%s: the mark of an empty store is still there", name)
				}
				wantSaid(t, 1, "has something of a deployment already", "admin", "secrets", "init", data)
			}
		})
	}
	// The mark is gone, so a lost store is noticed.
	if err := os.RemoveAll(filepath.Join(base, "own", "db")); err != nil {
		t.Fatal(err)
	}
	wantSaid(t, 1, "the folder db, is missing or empty", "admin", "verify", filepath.Join(base, "own"))
}
