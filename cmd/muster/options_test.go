package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster/limits"
)

const modulePath = "github.com/muster-iot/muster"

// optionSet matches the names of types that say how a package does its work. A
// Verifier is its own options.
var optionSet = regexp.MustCompile(`(Options|Config|Limits|Verifier)$`)

// Every option of a package is set by a flag, or there is a reason why no operator
// needs one.
func TestEveryOptionHasAFlagOrAReason(t *testing.T) {
	source, err := loadedCommand()
	if err != nil {
		t.Fatal(err)
	}
	root, seen := rootCommand(), map[string]bool{}
	for _, o := range source.options(t) {
		seen[o.name], seen[o.of] = true, true
		row, hasRow := optionRows[o.name]
		whole, isRecord := recordRows[o.of]
		switch {
		case hasRow && isRecord:
			t.Errorf("%s has a row, and %s has one for all its fields", o.name, o.of)
		case isRecord:
			if fault := faultOf(whole); fault != "" {
				t.Errorf("the reason for %s %s: %q", o.of, fault, whole)
			}
		case !hasRow && wired(o.field.Type()):
			// a part or a callback, which the command passes in
		case !hasRow:
			t.Errorf("%s is neither reached by a flag nor has a reason why no operator needs it: give it a row in optionRows", o.name)
		case flagRow.MatchString(row):
			if fault := checkFlag(root, row); fault != "" {
				t.Errorf("%s: %s", o.name, fault)
			}
			if !source.set[o.field] && o.of != "limits.Limits" { // which is set by the names of its own table
				t.Errorf("%s is said to be reached by %s, but neither cmd/muster nor what it passes options to sets it", o.name, row)
			}
		default:
			if fault := faultOf(row); fault != "" {
				t.Errorf("the reason for %s %s: %q", o.name, fault, row)
			}
		}
	}
	for _, rows := range []map[string]string{optionRows, recordRows} {
		for name := range rows {
			if !seen[name] {
				t.Errorf("the row %s is of no option that there is", name)
			}
		}
	}
}

// Every field of Config is set by a flag: another way to set it does not exist.
func TestEveryFieldOfConfigIsAFlag(t *testing.T) {
	source, err := loadedCommand()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range source.command.Scope().Names() {
		record, ok := source.command.Scope().Lookup(name).Type().Underlying().(*types.Struct)
		if _, isType := source.command.Scope().Lookup(name).(*types.TypeName); !ok || !isType || !strings.HasSuffix(strings.ToLower(name), "config") {
			continue
		}
		for field := range record.Fields() {
			if n++; !source.flags[field] {
				t.Errorf("no flag is made of %s.%s", name, field.Name())
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d fields were looked at", n)
	}
}

// Every limit of a deployment can be ordered by its name.
func TestEveryLimitHasARow(t *testing.T) {
	for name, row := range optionRows {
		_, limit, ok := strings.Cut(row, "--limit ")
		if field, of := strings.CutPrefix(name, "limits.Limits."); ok && of {
			l, err := limits.Limits{}.With(limit + "=7")
			got, _ := json.Marshal(l)
			if err != nil || !bytes.Contains(got, []byte(`"`+field+`":7`)) {
				t.Errorf("--limit %s=7 makes %s, %v; want %s to be 7", limit, got, err, field)
			}
		}
	}
}

func TestWhatIsNoReason(t *testing.T) {
	for reason, good := range map[string]bool{
		"AWS fixes the size of a message, and clients count on it.":     true,
		"Operators may get a flag for this later, when somebody asks.":  false,
		"This is an internal matter of the package and of nobody else.": false,
		"Internal: nobody outside has to know about it, or can use it.": false,
		"not needed": false,
		"":           false,
		"AWS fixes the size of a message, and clients count on it, as ye": false,
	} {
		if fault := faultOf(reason); (fault == "") != good {
			t.Errorf("faultOf(%q) = %q, want it to be good: %t", reason, fault, good)
		}
	}
}

// faultOf says why text is no reason, "" when it is one.
func faultOf(text string) string {
	switch {
	case len(strings.Fields(text)) < 8 || !strings.HasSuffix(text, "."):
		return "is no sentence that would convince anybody"
	case regexp.MustCompile(`(?i)\b(later|internal|todo)\b`).MatchString(text):
		return "only puts it off"
	}
	return ""
}

// flagRow is a flag, after its command unless that is serve, and before the name
// of the limit that it orders.
var flagRow = regexp.MustCompile(`^(?:([a-z -]+) )?--([a-z0-9-]+)(?: ([a-z0-9-]+))?$`)

// checkFlag says why row names no flag that there is, "" when it does.
func checkFlag(root *cobra.Command, row string) string {
	m := flagRow.FindStringSubmatch(row)
	path := []string{"serve"}
	if m[1] != "" {
		path = strings.Fields(m[1])
	}
	cmd, rest, err := root.Find(path)
	switch {
	case err != nil || len(rest) > 0:
		return "there is no command " + strings.Join(path, " ")
	case cmd.Flags().Lookup(m[2]) == nil:
		return cmd.CommandPath() + " has no flag --" + m[2]
	case m[3] != "" && !slices.ContainsFunc(limits.Table(), func(l limits.Limit) bool { return l.Name == m[3] }):
		return "there is no limit " + m[3]
	}
	return ""
}

// wired reports whether a field of that type holds a part that the command makes,
// or a function that it hands in: nothing that could be written in a flag.
func wired(t types.Type) bool {
	switch t := t.Underlying().(type) {
	case *types.Signature, *types.Interface:
		return true
	case *types.Pointer:
		_, isStruct := t.Elem().Underlying().(*types.Struct)
		return isStruct
	}
	return false
}

// option is an exported field of a set of options.
type option struct {
	of, name string // such as gateway.Limits and gateway.Limits.Payload
	field    *types.Var
}

// commandSource is cmd/muster and the packages that it is made of.
type commandSource struct {
	command  *types.Package
	packages []*types.Package    // of the module, without commands and what only develops it
	set      map[*types.Var]bool // fields that the command writes, or packages service and datafolder, which pass options on
	flags    map[*types.Var]bool // fields that flags are made of
}

// loadedCommand is loadCommand, once for all tests.
var loadedCommand = sync.OnceValues(loadCommand)

// loadCommand reads this package's source and what its imports export.
func loadCommand() (*commandSource, error) {
	list := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Export,Name", "./...")
	list.Dir = "../.."
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	exports, own := map[string]string{}, []string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ ImportPath, Export, Name string }
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		exports[p.ImportPath] = p.Export
		if place := strings.TrimPrefix(p.ImportPath, modulePath); place != p.ImportPath && p.Name != "main" && !strings.HasPrefix(place, "/internal/") {
			own = append(own, p.ImportPath)
		}
	}
	files := token.NewFileSet()
	from := importer.ForCompiler(files, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })

	s := &commandSource{set: map[*types.Var]bool{}, flags: map[*types.Var]bool{}}
	if s.command, err = s.read("main", ".", files, from); err != nil {
		return nil, err
	}
	for _, name := range []string{"service", "datafolder"} {
		if _, err := s.read(name, "../../"+name, files, from); err != nil {
			return nil, err
		}
	}
	for _, path := range own {
		p, err := from.Import(path)
		if err != nil {
			return nil, err
		}
		s.packages = append(s.packages, p)
	}
	return s, nil
}

// read checks the types of the package in a folder and remembers the fields that
// it writes, or makes flags of.
func (s *commandSource) read(name, folder string, files *token.FileSet, from types.Importer) (*types.Package, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	var trees []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_windows.go") {
			continue
		}
		tree, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		trees = append(trees, tree)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	p, err := (&types.Config{Importer: from}).Check(name, files, trees, info)
	if err != nil {
		return nil, err
	}
	for _, tree := range trees {
		ast.Inspect(tree, func(n ast.Node) bool { s.note(n, info); return true })
	}
	return p, nil
}

// note remembers the fields that n writes, or makes flags of.
func (s *commandSource) note(n ast.Node, info *types.Info) {
	selected := func(in map[*types.Var]bool, e ast.Expr) {
		for sel, ok := e.(*ast.SelectorExpr); ok; sel, ok = sel.X.(*ast.SelectorExpr) {
			if selection := info.Selections[sel]; selection != nil && selection.Kind() == types.FieldVal {
				in[selection.Obj().(*types.Var)] = true
			}
		}
	}
	switch n := n.(type) {
	case *ast.CompositeLit:
		record, _ := info.Types[n].Type.Underlying().(*types.Struct)
		for i, e := range n.Elts {
			if pair, ok := e.(*ast.KeyValueExpr); ok {
				if key, ok := pair.Key.(*ast.Ident); ok {
					if field, ok := info.Uses[key].(*types.Var); ok {
						s.set[field] = true
					}
				}
			} else if record != nil {
				s.set[record.Field(i)] = true
			}
		}
	case *ast.AssignStmt:
		for _, to := range n.Lhs {
			selected(s.set, to)
		}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			selected(s.set, n.X)
		}
	case *ast.CallExpr:
		call, ok := n.Fun.(*ast.SelectorExpr)
		if !ok {
			return
		}
		if call.Sel.Name == "register" {
			selected(s.flags, call.X)
		}
		if named := info.Types[call.X].Type; named == nil || named.String() != "*github.com/spf13/pflag.FlagSet" {
			return
		}
		for _, arg := range n.Args {
			ast.Inspect(arg, func(in ast.Node) bool {
				switch in := in.(type) {
				case *ast.UnaryExpr:
					if in.Op == token.AND {
						selected(s.flags, in.X)
					}
				case *ast.AssignStmt: // of a function that takes the value
					selected(s.flags, in.Lhs[0])
				}
				return true
			})
		}
	}
}

// options returns the fields of all sets of options that packages export.
func (s *commandSource) options(t *testing.T) []option {
	t.Helper()
	var all []option
	for _, p := range s.packages {
		for _, name := range p.Scope().Names() {
			named, ok := p.Scope().Lookup(name).(*types.TypeName)
			if !ok || !named.Exported() || !optionSet.MatchString(name) {
				continue
			}
			if record, ok := named.Type().Underlying().(*types.Struct); ok {
				of := strings.TrimPrefix(strings.TrimPrefix(p.Path(), modulePath), "/")
				all = append(all, fieldsOf(record, strings.TrimPrefix(of+"."+name, "."))...)
			}
		}
	}
	if len(all) < 150 {
		t.Fatalf("only %d options were found", len(all))
	}
	return all
}

// fieldsOf returns the exported fields of a struct, those of structs that are
// embedded in it included.
func fieldsOf(record *types.Struct, of string) []option {
	var all []option
	for field := range record.Fields() {
		if embedded, ok := field.Type().Underlying().(*types.Struct); ok && field.Embedded() {
			all = append(all, fieldsOf(embedded, of)...)
		} else if field.Exported() {
			all = append(all, option{of, of + "." + field.Name(), field})
		}
	}
	return all
}
