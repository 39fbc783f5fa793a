package muster_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/muster-iot/muster"

// mayImport says whom each package may know inside the module: arrows point
// inward (docs/ARCHITECTURE.md). "x/..." stands for x and everything below it;
// "." is the root package, the nouns and rules.
var mayImport = map[string][]string{
	// Nouns and rules: pure.
	".":          {},
	"jobdoc":     {".", "internal/jsontext", "internal/plainjson"},
	"rollout":    {"."},
	"fleetquery": {"."},
	"iotpolicy":  {"internal/jsontext"},
	"limits":     {},
	"reserve":    {},
	"turns":      {},
	"explain":    {".", "rollout"},

	// The store.
	"store":           {"."},
	"store/storetest": {".", "store"},
	"store/...":       {".", "store", "turns"},
	"transfer":        {".", "store"},

	// What holds for every command and every list.
	"commit":    {".", "reserve", "store", "turns"},
	"listing":   {".", "commit", "store"},
	"integrity": {".", "listing", "store"},
	"tags":      {".", "audit", "commit", "integrity", "listing", "store"},
	"keyuse":    {".", "store"},
	"audit":     {".", "commit", "integrity", "internal/excerpt", "listing", "store"},
	"diary":     {".", "commit", "integrity", "listing", "store"},
	"watch":     {".", "commit", "diary", "explain", "jobs", "listing", "registry", "rights", "rollout", "store"},

	// The rooms of the service, from the ground up: an arrow leads down only.
	"eventlog": {".", "audit", "commit", "store"},
	"rights":   {".", "audit", "commit", "integrity", "listing", "store", "tags"},
	"catalog":  {".", "audit", "commit", "integrity", "listing", "store", "tags"},
	"registry": {".", "audit", "catalog", "commit", "eventlog", "fleetquery", "integrity", "listing", "rights", "store", "tags"},
	"jobs":     {".", "audit", "catalog", "commit", "eventlog", "integrity", "jobdoc", "listing", "registry", "rollout", "store", "tags"},
	"service":  {".", "audit", "catalog", "commit", "diary", "eventlog", "integrity", "internal/uuid", "jobs", "keyuse", "listing", "registry", "reserve", "rights", "store", "tags", "transfer", "turns"},

	// What drives them, and what a device may do.
	"scheduler":   {".", "commit"},
	"authz":       {".", "gateway", "identity", "identity/ca", "internal/hostport", "internal/loglimit", "iotpolicy", "rights"},
	"identity":    {".", "identity/ca", "internal/jsontext", "internal/secretfile", "iotpolicy", "sigv4"},
	"identity/ca": {".", "sigv4"},

	// Job files.
	"files":           {".", "codesign", "sigv4"},
	"files/diskstore": {".", "files", "reserve", "store"},
	"files/s3api":     {"files", "files/diskstore", "flood", "identity", "intake", "internal/hostport", "internal/loopback", "internal/respond", "sigv4"},
	"files/s3store":   {".", "files", "internal/secretfile", "sigv4"},

	// Edges.
	"gateway/...":          {"gateway/...", "internal/loglimit", "internal/uuid"}, // has never heard of a job
	"dataplane":            {".", "gateway", "identity", "intake", "internal/excerpt", "internal/jsontext", "internal/respond", "internal/uuid", "jobs", "limits", "store", "turns"},
	"awsiot":               {".", "audit", "awsiot/foreign", "awsiot/route", "awsiot/wire", "catalog", "fleetquery", "flood", "identity", "identity/ca", "intake", "internal/hostport", "internal/jsontext", "internal/loopback", "internal/respond", "internal/uuid", "iotpolicy", "jobdoc", "jobs", "limits", "listing", "registry", "reserve", "rights", "sigv4", "turns"},
	"awsiot/wire":          {"internal/jsontext"},
	"awsiot/wire/wiretest": {"awsiot/wire", "internal/wiregen", "internal/wiregen/model"},
	"awsiot/route":         {"awsiot/wire", "sigv4"},
	"awsiot/foreign":       {"internal/respond", "sigv4"},
	"iotdata":              {".", "awsiot/route", "awsiot/wire", "gateway", "gateway/packet", "identity", "intake", "internal/jsontext", "internal/respond"},
	"events":               {".", "eventlog", "gateway", "internal/hostport", "internal/plainjson", "internal/uuid"},
	"webhook":              {".", "eventlog", "events", "internal/plainjson"},
	"presence":             {".", "gateway", "registry"},
	"cluster":              {".", "store"},
	"cluster/clustertest":  {"cluster"},
	"cluster/natsbus":      {"cluster", "internal/hostport", "internal/loopback", "internal/secretfile"},
	"operator":             {".", "diary", "explain", "flood", "identity", "intake", "internal/apiclient", "internal/jsontext", "internal/respond", "iotpolicy", "listing", "sigv4", "watch"},
	"unserved":             {"gateway", "gateway/topic", "internal/loglimit"},
	"sessionstore":         {"gateway", "reserve", "store"},
	"metrics":              {".", "cluster", "commit", "gateway", "gateway/door", "intake", "reserve", "webhook"},
	"datafolder":           {".", "codesign", "files/diskstore", "identity", "identity/ca", "internal/secretfile", "service", "sessionstore", "sigv4", "store", "store/pebblestore", "store/pgstore", "transfer", "turns"},
	"landing":              {"internal/hostport", "internal/loopback"},
	"cors":                 {"intake", "internal/loglimit", "internal/respond"},
	"flood":                {"internal/loglimit"},
	"intake":               {},

	// API: the public contract and nothing of the server.
	"device":   {"sigv4"},
	"fleet":    {"device"},
	"codesign": {"internal/secretfile"},
	"sigv4":    {"internal/excerpt"},

	// Programs and tools.
	"cmd/...": {"..."},

	"internal/apiclient":  {"sigv4"},
	"internal/excerpt":    {},
	"internal/hostport":   {},
	"internal/jsontext":   {},
	"internal/lend":       {},
	"internal/loglimit":   {"internal/hostport"},
	"internal/logtest":    {},
	"internal/loopback":   {},
	"internal/needs":      {},
	"internal/plainjson":  {},
	"internal/respond":    {"internal/excerpt"},
	"internal/secretfile": {},
	"internal/uuid":       {},
	"internal/...":        {"..."},
}

// importers names, for each outside library, the packages that may import it.
// Tests may import what they like.
var importers = map[string][]string{
	"github.com/aws/aws-sdk-go-v2":        {"files/s3store", "internal/awsconfig"},
	"github.com/cockroachdb/pebble/v2":    {"store/pebblestore"},
	"github.com/eclipse/paho.golang":      {"device"},
	"github.com/prometheus/client_golang": {"metrics"},
	"github.com/spf13/cobra":              {"cmd/muster"},
	"github.com/spf13/pflag":              {"cmd/muster"},
	"github.com/jackc/pgx/v5":             {"store/pgstore"},
	"github.com/nats-io/nats.go":          {"cluster/natsbus"},
	"github.com/tidwall/btree":            {"store/memstore", "store/pgstore"},
	"golang.org/x/sync":                   {"cmd/muster"},
	"golang.org/x/term":                   {"cmd/muster"},
}

// clocks are the packages that may read the time; all others are told.
var clocks = []string{"cmd/...", "scheduler", "fleet", "device", "gateway/...", "store/pgstore", "store/storetest", "internal/..."}

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

// An unused permission would hide a later import that should be looked at.
func TestNoPermissionIsUnused(t *testing.T) {
	unused := map[string]map[string]bool{}
	for row, may := range mayImport {
		unused[row] = map[string]bool{}
		for _, permission := range may {
			unused[row][permission] = true
		}
	}
	for _, p := range packages(t) {
		row, _ := rowOf(p.path())
		for _, imported := range p.Imports {
			for permission := range unused[row] {
				if inModule(imported) && matches(permission, placeOf(imported)) {
					delete(unused[row], permission)
				}
			}
		}
	}
	for row, permissions := range unused {
		for permission := range permissions {
			t.Errorf("no package of row %q imports %q: take the permission out", row, permission)
		}
	}
	for library, may := range importers {
		for _, pattern := range may {
			if !slices.ContainsFunc(packages(t), func(p goPackage) bool {
				return matches(pattern, p.path()) && slices.ContainsFunc(p.Imports, func(i string) bool { return libraryOf(i) == library })
			}) {
				t.Errorf("%s does not import %s: take the permission out", pattern, library)
			}
		}
	}
}

// A row that covers no package of its own, because others cover them all, says
// nothing.
func TestNoRowIsHidden(t *testing.T) {
	covers := map[string]bool{}
	for _, p := range packages(t) {
		row, _ := rowOf(p.path())
		covers[row] = true
	}
	for row := range mayImport {
		if !covers[row] {
			t.Errorf("row %q covers no package: others do", row)
		}
	}
}

func TestAPackageHasItsOwnRowFirst(t *testing.T) {
	for path, want := range map[string]string{
		"store": "store", "store/memstore": "store/...", "store/storetest": "store/storetest", "awsiot": "awsiot", "internal/bench": "internal/...",
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

// The figure shows every package, the code map names each, and the walks name files
// and functions that are there.
func TestTheArchitecturePageIsComplete(t *testing.T) {
	page, err := os.ReadFile("docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	walks, codeMap, _ := strings.Cut(string(page), "## Code map")
	drawn := strings.Split(walks, "```") // what is between the first two is the figure
	if len(drawn) < 3 {
		t.Fatal("the page has no figure")
	}
	figure := regexp.MustCompile(`[a-z0-9]+`).FindAllString(drawn[1], -1)
	for _, p := range packages(t) {
		name := p.path()
		parts := strings.Split(name, "/")
		last := parts[len(parts)-1]
		switch {
		case name == "." || parts[0] == "cmd":
		case slices.ContainsFunc(parts, func(part string) bool { return strings.HasSuffix(part, "test") }):
		case parts[0] == "internal": // with what lies below it
			if !strings.Contains(codeMap, "`"+parts[0]+"/"+parts[1]+"`") {
				t.Errorf("the code map does not name %s", name)
			}
		case !slices.Contains(figure, last):
			t.Errorf("the figure does not show %s", name)
		case len(parts) == 1 && !strings.Contains(codeMap, "`"+name+"`"):
			t.Errorf("the code map does not name %s", name)
		}
	}
	for _, match := range regexp.MustCompile("`([a-z0-9/]+\\.go)`").FindAllStringSubmatch(string(page), -1) {
		if _, err := os.Stat(match[1]); err != nil {
			t.Errorf("the page names %s, which is not there", match[1])
		}
	}
	for _, match := range regexp.MustCompile("`([A-Za-z]+)`\\s+in\\s+`([a-z0-9/]+\\.go)`").FindAllStringSubmatch(string(page), -1) {
		if source, err := os.ReadFile(match[2]); err != nil || !regexp.MustCompile(`\b`+match[1]+`\(`).Match(source) {
			t.Errorf("the page looks for %s in %s, which has no such function: %v", match[1], match[2], err)
		}
	}
}
