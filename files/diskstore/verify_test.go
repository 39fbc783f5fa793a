package diskstore_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/store"
)

// contents returns the paths of all contents.
func (e *env) contents() (paths []string) {
	e.t.Helper()
	err := filepath.WalkDir(e.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		e.t.Fatal(err)
	}
	return paths
}

func (e *env) verify() []string {
	e.t.Helper()
	problems, err := diskstore.Verify(e.t.Context(), e.index, e.dir)
	if err != nil {
		e.t.Fatal(err)
	}
	return problems
}

// Any damage to a content is one problem, however the content was stored.
func TestVerifyReadsContents(t *testing.T) {
	e := newEnv(t, diskstore.Limits{})
	e.put("at once", "the text")
	e.put("empty", "")
	u := e.upload("in parts", "", "")
	named := []diskstore.CompletedPart{e.part(u, 1, strings.Repeat("x", partSize)), e.part(u, 2, "the rest")}
	if _, err := e.CompleteUpload(t.Context(), "lab", "in parts", u.ID, named, "", diskstore.Precondition{}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Copy(t.Context(), "lab", "in parts", "", "lab", "copied", nil); err != nil {
		t.Fatal(err)
	}
	e.part(e.upload("begun", "", ""), 1, "part of it")
	if problems := e.verify(); len(problems) > 0 {
		t.Fatalf("Verify() = %v before any damage", problems)
	}
	for _, path := range e.contents() {
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		damaged := map[string][]byte{"a byte more": append(slices.Clone(before), 'x')}
		if n := len(before); n > 0 {
			damaged["cut"] = before[:n-1]
			for _, at := range []int{0, n / 2, n - 1} {
				flipped := slices.Clone(before)
				flipped[at] ^= 1
				damaged[fmt.Sprintf("byte %d of %d", at, n)] = flipped
			}
		}
		for what, content := range damaged {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			// The content of a copy is one file with two names.
			if problems := e.verify(); len(problems) != 1 && (len(problems) != 2 || len(before) < partSize) {
				t.Errorf("%s: Verify() = %q, want one problem", what, problems)
			}
		}
		err = os.WriteFile(path, before, 0o600)
		if err == nil {
			err = os.Rename(path, path+".away")
		}
		if err != nil {
			t.Fatal(err)
		}
		if problems := e.verify(); len(problems) != 1 || !strings.Contains(problems[0], "cannot be found") {
			t.Errorf("removed: Verify() = %q, want one problem", problems)
		}
		if err := os.Rename(path+".away", path); err != nil {
			t.Fatal(err)
		}
	}
}

// A record that cannot be read, or that names no valid blob, is a problem, and the rest
// is still checked.
func TestVerifyGoesOn(t *testing.T) {
	e := newEnv(t, diskstore.Limits{})
	e.put("a", "text")
	path := e.contents()[0]
	err := store.Update(t.Context(), e.index, func(tx store.Tx) error {
		tx.Put("object", store.JoinKey("lab", "0"), []byte("\x01{"))
		tx.Put("object", store.JoinKey("lab", "1"), []byte("\x01{\"blob\":\"../x\",\"size\":1}"))
		tx.Put("bucket", "zzz", nil)
		return nil
	})
	if err == nil {
		err = os.Truncate(path, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	found := strings.Join(e.verify(), "\n")
	for _, want := range []string{`object record "lab\x000"`, `the name "../x"`, `bucket record "zzz"`, "has 1 bytes instead of 4"} {
		if !strings.Contains(found, want) {
			t.Errorf("Verify() does not speak of %s:\n%s", want, found)
		}
	}
}
