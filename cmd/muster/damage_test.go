package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/sigv4"
	"github.com/muster-iot/muster/store"
)

// soundFolder is a data folder with something of everything, and its backup.
type soundFolder struct {
	data, backup datafolder.Folder
	key          sigv4.Credential
}

func makeSoundFolder(t *testing.T) soundFolder {
	t.Helper()
	base, ctx := t.TempDir(), t.Context()
	f := soundFolder{data: datafolder.Folder(filepath.Join(base, "data")), backup: datafolder.Folder(filepath.Join(base, "backup"))}
	s := startServer(t, string(f.data))
	f.key = s.Credential
	for _, step := range []struct{ target, body string }{{"/lab", ""}, {"/lab/firmware", strings.Repeat("bytes of it ", 100)}} {
		if _, err := s.file(ctx, "PUT", step.target, []byte(step.body)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 40 {
		if err := s.EnsureThing(ctx, fmt.Sprintf("pump-%02d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := inProcess(ctx, "admin", "signing-profile", "create", string(f.data), "release"); err != nil {
		t.Fatal(err)
	}
	if err := awaitFile(f.data.RSAServer().Certificate); err != nil {
		t.Fatal(err)
	}
	s.stop(t)
	if err := inProcess(ctx, "admin", "backup", string(f.data), string(f.backup)); err != nil {
		t.Fatal(err)
	}
	return f
}

// inProcess runs a command of the program in this process: a panic would be the test's
// own.
func inProcess(ctx context.Context, args ...string) error {
	var out bytes.Buffer
	if err := run(ctx, args, &out, io.Discard); err != nil {
		return fmt.Errorf("%w\n%s", err, &out)
	}
	return nil
}

// start does what a server does before it listens, and stops.
func start(t *testing.T, data datafolder.Folder) error {
	t.Helper()
	c := defaultConfig()
	c.Data, c.API, c.Metrics, c.MQTTS, c.HTTPS, c.Files.Address = string(data), "127.0.0.1:0", "", "", "", ""
	return startWith(t, c)
}

func startWith(t *testing.T, c Config) error {
	t.Helper()
	r := newResets()
	defer r.close()
	s, err := newServer(c, slog.New(slog.DiscardHandler), r)
	if err != nil {
		return err
	}
	return s.close()
}

// holds returns nil when all that was acknowledged is in a folder.
func (f soundFolder) holds(t *testing.T, data datafolder.Folder) error {
	secret, known, err := identity.SecretOf(data.Keys(), f.key.AccessKeyID)
	if err != nil || !known || secret != f.key.Secret {
		return fmt.Errorf("the access key is not what it was: %w", err)
	}
	if _, err := identity.AuthorityDigest(data.CA()); err != nil {
		return err
	}
	if _, err := identity.LoadRSAAuthority(data.RSACA()); err != nil {
		return err
	}
	for _, name := range []string{"ca.pem", "ca-rsa.pem", "files-key"} {
		before, err := os.ReadFile(filepath.Join(string(f.data), name))
		if err != nil {
			t.Fatal(err)
		}
		now, err := os.ReadFile(filepath.Join(string(data), name))
		if err != nil || meaning(before) != meaning(now) {
			return fmt.Errorf("%s is not what it was: %w", name, err)
		}
	}
	if _, err := data.Signing().Open("release"); err != nil {
		return err
	}
	s, err := data.OpenStore(t.Context(), datafolder.StoreOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer s.Close()
	things := 0
	err = s.View(t.Context(), func(r store.Reader) error {
		for _, err := range r.Scan("thing", "", "") {
			if err != nil {
				return err
			}
			things++
		}
		return nil
	})
	if err != nil || things != 40 {
		return fmt.Errorf("there are %d things: %w", things, err)
	}
	problems, err := diskstore.Verify(t.Context(), s, data.Files())
	if err != nil || len(problems) > 0 {
		return fmt.Errorf("job files: %v: %w", problems, err)
	}
	return nil
}

// meaning is what a file says: what is in its PEM block, or its words.
func meaning(text []byte) string {
	if block, _ := pem.Decode(text); block != nil {
		return string(block.Bytes)
	}
	return strings.Join(strings.Fields(string(text)), " ")
}

// copyFolder copies a folder with its modes, which matter.
func copyFolder(t *testing.T, f datafolder.Folder, to string) {
	t.Helper()
	for _, name := range inFolder(t, f) {
		content, err := os.ReadFile(filepath.Join(string(f), name))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o700)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// inFolder returns the names of all files of a folder.
func inFolder(t *testing.T, f datafolder.Folder) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(string(f), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimPrefix(path, string(f)+string(filepath.Separator)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// damages returns what is done to a file: bytes turned around, cuts, and nil for its
// removal. MUSTER_DAMAGE=all turns around every byte.
func damages(content []byte, bytesOfEach int) map[string][]byte {
	stride := max(1, len(content)/bytesOfEach)
	if os.Getenv("MUSTER_DAMAGE") == "all" {
		stride = 1
	}
	all := map[string][]byte{"removed": nil}
	for at := 0; at < len(content); at += stride {
		changed := slices.Clone(content)
		changed[at] ^= 0x15
		all[fmt.Sprintf("byte %d", at)] = changed
	}
	for _, n := range []int{0, len(content) / 2, len(content) - 1} {
		if n >= 0 && n < len(content) {
			all[fmt.Sprintf("cut to %d bytes", n)] = append([]byte{}, content[:n]...)
		}
	}
	return all
}

// Whatever happens to one file of a data folder, or of a backup, verify says so and
// a server refuses it, or all that was acknowledged is there. The store alone has a
// test of its own that goes deeper (store/pebblestore).
func TestDamageIsNoticedOrHarmless(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and hardly anything runs at the same time")
	}
	sound := makeSoundFolder(t)
	for kind, of := range map[string]datafolder.Folder{"data": sound.data, "backup": sound.backup} {
		whole := filepath.Join(t.TempDir(), "whole")
		copyFolder(t, of, whole)
		if err := inProcess(t.Context(), "admin", "verify", whole); err != nil {
			t.Fatalf("%s: verify of a whole folder: %v", kind, err)
		}
		if err := start(t, datafolder.Folder(whole)); err != nil {
			t.Fatalf("%s: start on a whole folder: %v", kind, err)
		}
		if err := sound.holds(t, datafolder.Folder(whole)); err != nil {
			t.Fatalf("%s: a whole folder: %v", kind, err)
		}
		for _, name := range inFolder(t, of) {
			content, err := os.ReadFile(filepath.Join(string(of), name))
			if err != nil {
				t.Fatal(err)
			}
			t.Run(kind+"/"+filepath.ToSlash(name), func(t *testing.T) {
				t.Parallel()
				all := damages(content, 12)
				for _, what := range slices.Sorted(maps.Keys(all)) {
					sound.check(t, kind, of, name, what, all[what])
				}
			})
		}
	}
}

// A server that was killed, and whose log was then damaged, starts only when it is
// told to give up what is lost, and says what that is.
func TestADamagedLogIsGivenUpOnlyOnRequest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := startServer(t, dir)
	for i := range 60 {
		if err := s.EnsureThing(t.Context(), fmt.Sprintf("pump-%02d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	s.kill(t)
	logs, err := filepath.Glob(filepath.Join(dir, "db", "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("the logs are %v, %v", logs, err)
	}
	log := slices.Max(logs)
	content, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(log, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"verify": inProcess(t.Context(), "admin", "verify", dir), "backup": inProcess(t.Context(), "admin", "backup", dir, dir+"-copy"),
		"serve": start(t, datafolder.Folder(dir)),
	} {
		if err == nil || !strings.Contains(err.Error(), "later changes") {
			t.Errorf("%s says %v, want that later changes build on what is lost", what, err)
		}
	}
	c := defaultConfig()
	c.Data, c.API, c.Metrics, c.MQTTS, c.HTTPS, c.Files.Address, c.AcceptLoss = dir, "127.0.0.1:0", "", "", "", "", true
	if err := startWith(t, c); err != nil {
		t.Fatalf("with --accept-loss: %v", err)
	}
	if _, err := os.Stat(log + ".lost"); err != nil {
		t.Errorf("what was given up is not kept: %v", err)
	}
	if err := inProcess(t.Context(), "admin", "verify", dir); err != nil {
		t.Errorf("verify after that: %v", err)
	}
}

// check damages a copy of a folder and looks at it as its operator would.
func (f soundFolder) check(t *testing.T, kind string, of datafolder.Folder, name, what string, content []byte) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "copy")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, name)
	copyFolder(t, of, dir)
	var err error
	if content == nil {
		err = os.Remove(path)
	} else {
		err = os.WriteFile(path, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	before := folderSum(t, dir)
	noticed := inProcess(t.Context(), "admin", "verify", dir)
	if folderSum(t, dir) != before {
		t.Errorf("%s: verify changed the folder", what)
	}
	if kind == "backup" && noticed == nil && !isOneOf(name, "backup.json", "LOCK") {
		t.Errorf("%s: a backup with it is taken as it is", what)
	}
	refused := start(t, datafolder.Folder(dir))
	for _, said := range []error{noticed, refused} {
		if said != nil && (!strings.Contains(said.Error(), " ") || strings.Contains(said.Error(), "goroutine")) {
			t.Errorf("%s: it says %v, which is no sentence", what, said)
		}
	}
	lost := f.holds(t, datafolder.Folder(dir))
	switch {
	case lost == nil:
	case noticed == nil:
		t.Errorf("%s: verify does not notice that %v", what, lost)
	case refused == nil && !strings.HasPrefix(name, "files"+string(filepath.Separator)) && !isTable(name) && !isProfile(name):
		t.Errorf("%s: a server starts with it, though %v", what, lost)
	}
}

// A server reads neither the contents of job files nor whole tables before it
// serves, and only the signing profile that it is told to use: who asks for what is
// damaged there gets an error. verify reads all.
func isTable(name string) bool { return strings.HasSuffix(name, ".sst") }
func isProfile(name string) bool {
	return strings.HasPrefix(name, "signing"+string(filepath.Separator))
}

func isOneOf(name string, bases ...string) bool { return slices.Contains(bases, filepath.Base(name)) }

// folderSum says what is in a folder.
func folderSum(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	for _, name := range inFolder(t, datafolder.Folder(dir)) {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s %d %x\n", name, len(content), sha256.Sum256(content))
	}
	return all.String()
}
