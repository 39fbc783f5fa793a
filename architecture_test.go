package muster_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/muster-iot/muster"

// mayImport says whom each package may know inside the module: arrows point
// inward (docs/ARCHITECTURE.md). "x/..." stands for x and everything below it;
// "." is the root package, the nouns and rules.
var mayImport = map[string][]string{
	".":                    {},
	"jobdoc":               {".", "internal/jsontext"},
	"iotpolicy":            {"internal/jsontext"},
	"reserve":              {},
	"rollout":              {"."},
	"limits":               {},
	"landing":              {"internal/hostport", "internal/loopback"},
	"cors":                 {"intake", "internal/loglimit", "internal/respond"},
	"intake":               {},
	"store":                {"."},
	"store/storetest":      {".", "store"},
	"store/...":            {".", "store"},
	"commit":               {".", "reserve", "store"},
	"engine":               {".", "commit", "fleetquery", "jobdoc", "reserve", "rollout", "store"},
	"fleetquery":           {"."},
	"scheduler":            {".", "commit"},
	"gateway/...":          {"gateway/...", "internal/loglimit"}, // has never heard of a job
	"codesign":             {"internal/secretfile"},
	"datafolder":           {".", "codesign", "engine", "files/diskstore", "identity/...", "internal/secretfile", "sessionstore", "sigv4", "store", "store/pebblestore"},
	"sigv4":                {},
	"flood":                {"internal/loglimit"},
	"operator":             {".", "flood", "identity", "intake", "internal/apiclient", "internal/respond", "iotpolicy", "sigv4"},
	"files":                {".", "codesign", "sigv4"},
	"files/diskstore":      {".", "files", "reserve", "store"},
	"files/s3store":        {".", "files", "internal/secretfile", "sigv4"},
	"files/s3api":          {".", "files", "files/diskstore", "flood", "identity", "intake", "internal/loopback", "internal/respond", "iotpolicy", "sigv4"},
	"identity":             {".", "identity/ca", "internal/jsontext", "internal/secretfile", "iotpolicy", "sigv4", "store"},
	"identity/ca":          {".", "sigv4"},
	"authz":                {".", "engine", "gateway", "identity/...", "internal/loglimit", "iotpolicy"},
	"awsiot/wire":          {"internal/jsontext"},
	"awsiot/wire/wiretest": {"awsiot/wire", "internal/wiregen/..."},
	"awsiot/...":           {".", "awsiot/...", "fleetquery", "engine", "flood", "identity/...", "intake", "internal/jsontext", "internal/loopback", "internal/respond", "iotpolicy", "jobdoc", "limits", "reserve", "sigv4"},
	"events":               {".", "engine", "gateway"},
	"webhook":              {".", "engine", "events"},
	"iotdata":              {".", "awsiot/...", "gateway/...", "identity", "intake", "internal/jsontext", "internal/respond"},
	"presence":             {".", "engine", "gateway"},
	"dataplane":            {".", "awsiot/...", "engine", "gateway", "identity/...", "intake", "internal/jsontext", "internal/respond", "iotpolicy", "limits", "sigv4", "store"},
	"unserved":             {"gateway/...", "internal/loglimit"},
	"sessionstore":         {"gateway", "reserve", "store"},
	"metrics":              {".", "gateway/...", "intake", "reserve", "webhook"},
	"device":               {"sigv4"}, // the public contract and nothing of the server
	"fleet":                {"device", "sigv4"},
	"cmd/...":              {"..."},
	"internal/jsontext":    {},
	"internal/apiclient":   {"sigv4"},
	"internal/loglimit":    {},
	"internal/loopback":    {},
	"internal/plainjson":   {},
	"internal/respond":     {"internal/excerpt"},
	"internal/secretfile":  {},
	"internal/uuid":        {},
	"internal/...":         {"..."},
}

// importers names, for each outside library, the packages that may import it.
// Tests may import what they like.
var importers = map[string][]string{
	"github.com/aws/aws-sdk-go-v2":        {"files/s3store"},
	"github.com/cockroachdb/pebble/v2":    {"store/pebblestore"},
	"github.com/eclipse/paho.golang":      {"device"},
	"github.com/prometheus/client_golang": {"metrics"},
	"github.com/spf13/cobra":              {"cmd/muster"},
	"github.com/spf13/pflag":              {"cmd/muster"},
	"github.com/tidwall/btree":            {"store/memstore"},
	"golang.org/x/sync":                   {"cmd/muster"},
}

// clocks are the packages that may read the time; all others are told.
var clocks = []string{"cmd/...", "scheduler", "fleet", "device", "gateway/...", "internal/..."}

// emptyNames say nothing about what a package holds.
var emptyNames = []string{"util", "utils", "common", "helper", "helpers", "base", "manager", "misc", "shared", "lib"}

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	Dir        string
	ImportPath string
	Imports    []string
	GoFiles    []string
}

// path returns the package's place in the module, "." for the root.
func (p goPackage) path() string { return placeOf(p.ImportPath) }

func placeOf(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

func TestArrowsPointInward(t *testing.T) {
	for _, p := range packages(t) {
		row, ok := rowOf(p.path())
		if !ok {
			t.Errorf("package %s has no row in mayImport: say whom it may know", p.path())
			continue
		}
		for _, imported := range p.Imports {
			if !inModule(imported) {
				continue
			}
			if to := placeOf(imported); !matchesAny(mayImport[row], to) {
				t.Errorf("%s imports %s; it may know only %v", p.path(), to, mayImport[row])
			}
		}
	}
}

func TestAPackageHasItsOwnRowFirst(t *testing.T) {
	for path, want := range map[string]string{
		"store": "store", "store/memstore": "store/...", "store/storetest": "store/storetest", "awsiot": "awsiot/...", "internal/bench": "internal/...",
	} {
		if row, ok := rowOf(path); row != want || !ok {
			t.Errorf("the row of %s is %q, want %q", path, row, want)
		}
	}
}

// A row that covers no package would permit a later one of that name unseen.
func TestNoRowIsForNothing(t *testing.T) {
	all := packages(t)
	named := slices.Clone(clocks)
	for row, may := range mayImport {
		named = append(append(named, row), may...)
	}
	for _, may := range importers {
		named = append(named, may...)
	}
	for _, pattern := range named {
		if !slices.ContainsFunc(all, func(p goPackage) bool { return matches(pattern, p.path()) }) {
			t.Errorf("%q stands for no package", pattern)
		}
	}
}

func TestEachOutsideLibraryHasItsImporter(t *testing.T) {
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			if inModule(imported) || !strings.Contains(strings.Split(imported, "/")[0], ".") {
				continue
			}
			library := libraryOf(imported)
			switch {
			case library == "":
				t.Errorf("%s imports %s, which has no row in importers", p.path(), imported)
			case !matchesAny(importers[library], p.path()):
				t.Errorf("%s imports %s; only %v may", p.path(), imported, importers[library])
			}
		}
	}
}

func TestOnlyEdgesReadTheClock(t *testing.T) {
	for _, p := range packages(t) {
		if matchesAny(clocks, p.path()) {
			continue
		}
		for _, name := range p.GoFiles {
			for _, at := range clockReads(t, filepath.Join(p.Dir, name)) {
				t.Errorf("%s: %s reads the clock; take an instant, or a Now function", at, p.path())
			}
		}
	}
}

func TestPackagesHaveNames(t *testing.T) {
	for _, p := range packages(t) {
		for part := range strings.SplitSeq(p.path(), "/") {
			if slices.Contains(emptyNames, part) {
				t.Errorf("package %s: %q says nothing; leave the code with its caller, or name its idea", p.path(), part)
			}
		}
	}
}

// clockReads returns the positions of time.Now, Since and Until in a file.
func clockReads(t *testing.T, file string) []token.Position {
	t.Helper()
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var found []token.Position
	ast.Inspect(tree, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			x, ok := s.X.(*ast.Ident)
			if ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until"}, s.Sel.Name) {
				found = append(found, files.Position(s.Pos()))
			}
		}
		return true
	})
	return found
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=Dir,ImportPath,Imports,GoFiles", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var found []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		found = append(found, p)
	}
}

func inModule(importPath string) bool {
	return importPath == module || strings.HasPrefix(importPath, module+"/")
}

// rowOf returns the most particular key of mayImport that covers path: its own,
// or else the longest.
func rowOf(path string) (string, bool) {
	if _, own := mayImport[path]; own {
		return path, true
	}
	best, found := "", false
	for row := range mayImport {
		if matches(row, path) && (!found || len(row) > len(best)) {
			best, found = row, true
		}
	}
	return best, found
}

// libraryOf returns the key of importers that importPath lies under.
func libraryOf(importPath string) string {
	for library := range importers {
		if importPath == library || strings.HasPrefix(importPath, library+"/") {
			return library
		}
	}
	return ""
}

func matchesAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, path) })
}

// matches reports whether path is pattern, or lies under it when it ends in "...".
func matches(pattern, path string) bool {
	prefix, below := strings.CutSuffix(pattern, "...")
	if !below {
		return pattern == path
	}
	return prefix == "" || path+"/" == prefix || strings.HasPrefix(path, prefix)
}
