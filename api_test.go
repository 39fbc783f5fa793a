package muster_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// api are the packages that other programs may rely on (docs/api-stability.md).
var api = []string{"codesign", "device", "sigv4"}

// apiSentence is in the package comment of each of them and of no other.
const apiSentence = "The package is API: docs/api-stability.md says what that promises."

func TestTheStatementOfTheAPI(t *testing.T) {
	page, err := os.ReadFile("docs/api-stability.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9/]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		listed = append(listed, m[1])
	}
	slices.Sort(listed)
	if !slices.Equal(listed, api) {
		t.Errorf("docs/api-stability.md lists %v as API, want %v", listed, api)
	}
	var say []string
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(file.Doc.Text(), apiSentence) {
				say = append(say, p.path())
			}
		}
	}
	slices.Sort(say)
	if !slices.Equal(say, api) {
		t.Errorf("the package comments of %v say that they are API, want %v", say, api)
	}
}

// What a package that is API exports names no type of a package that is not.
func TestTheAPIExportsNothingOfTheServer(t *testing.T) {
	for _, p := range packages(t) {
		if !slices.Contains(api, p.path()) {
			continue
		}
		for _, name := range p.GoFiles {
			path := filepath.Join(p.Dir, name)
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range notAPI(t, path, string(source)) {
				t.Error(fault)
			}
		}
	}
}

func TestNotAPI(t *testing.T) {
	const head = "package p\n\nimport (\n\t\"io\"\n\tm \"" + module + "\"\n\t\"" + module + "/sigv4\"\n)\n\n"
	for _, good := range []string{
		"func F(r io.Reader, k sigv4.Secret) error { return m.Errorf(m.Invalid, \"\") }",
		"type T struct { S sigv4.Secret; job m.Job }",
		"func f(j m.Job) {}",
		"type t struct { Job m.Job }",
		"type u struct{}\n\nfunc (u) F(m.Job) {}",
		"var v = m.Job{}",
	} {
		if faults := notAPI(t, "good.go", head+good+"\n"); len(faults) > 0 {
			t.Errorf("%s: %v", good, faults)
		}
	}
	for _, bad := range []string{
		"func F(m.Job) {}",
		"func F() (io.Reader, *m.Error) { return nil, nil }",
		"type T struct { Jobs map[string][]m.Job }",
		"type T struct { m.Job }",
		"type T = m.Job",
		"type T interface { F(m.Job) }",
		"type T[P m.Job] struct{}",
		"type T struct{}\n\nfunc (*T) F(m.Job) {}",
		"var V m.Job",
		"var V = m.Job{}",
		"const C = m.Queued",
	} {
		if len(notAPI(t, "bad.go", head+bad+"\n")) != 1 {
			t.Errorf("%s: not found", bad)
		}
	}
}

// notAPI returns a sentence for each name of a package of this module that is not
// API in what a file exports: types, signatures, fields, and the values of
// variables and constants, which have their types.
func notAPI(t *testing.T, path, source string) (faults []string) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	imported := map[string]string{} // by the name that the file has for it
	for _, spec := range file.Imports {
		from, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		name := from[strings.LastIndex(from, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		imported[name] = from
	}
	ast.FileExports(file)
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			if f.Body = nil; f.Recv != nil && !ofExportedType(f.Recv) {
				continue
			}
		}
		ast.Inspect(d, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok {
				if from := imported[x.Name]; inModule(from) && !slices.Contains(api, placeOf(from)) {
					faults = append(faults, files.Position(s.Pos()).String()+": exports "+x.Name+"."+s.Sel.Name+", which is not API")
				}
			}
			return false
		})
	}
	return faults
}

// ofExportedType reports whether a method with this receiver can be called by other
// packages.
func ofExportedType(receiver *ast.FieldList) (is bool) {
	ast.Inspect(receiver, func(n ast.Node) bool {
		name, ok := n.(*ast.Ident)
		is = is || ok && name.IsExported()
		return true
	})
	return is
}
