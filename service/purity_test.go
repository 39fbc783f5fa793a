package service

import (
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
	"slices"
	"strings"
	"testing"
)

// A transaction may run again, be undone, or be lost in a crash. So what runs in
// one changes nothing but its batch: it writes to nothing that outlives it, and
// to nothing that its caller may look at; it does not log, send, wait or start
// anything. This test reads the source: every function that has a batch, and all
// functions of this package that such a one calls.

// longLived are the types whose values serve many transactions.
var longLived = []string{"Engine", "Options", "Committer", "waiters", "pager", "fleetIndex", "decodedCache"}

// pureBut are the functions to which the rule does not apply, and why.
var pureBut = map[string]string{
	"decodedCache.get": "what it remembers is what the same bytes decode to, whatever becomes of the transaction",
	"decodedCache.put": "the same",
}

func TestTransactionsLeaveNothingBehind(t *testing.T) {
	p := loadSource(t)
	needed := map[string]bool{}
	for _, fn := range p.reachable() {
		for _, offence := range p.offences(fn) {
			if needed[p.name(fn)] = true; pureBut[p.name(fn)] == "" {
				t.Error(offence)
			}
		}
	}
	for name := range pureBut {
		if !needed[name] {
			t.Errorf("%s needs no exception", name)
		}
	}
}

// The test finds what it is for.
func TestImpureTransactionsAreFound(t *testing.T) {
	for name, test := range map[string]struct{ code, want string }{
		"a captured variable": {`func (e *Service) bad() (n int, err error) {
			err = e.do(nil, func(tx *commit.Tx) error { n = 1; return nil })
			return n, err
		}`, "changes n"},
		"a captured map": {`func (e *Service) bad() {
			m := map[string]int{}
			_ = e.do(nil, func(tx *commit.Tx) error { m["k"]++; delete(m, "x"); return nil })
		}`, "changes m"},
		"a field of the engine": {`func (b *commit.Tx) bad() { b.e.process = "" }`, "changes b.e.process"},
		"by a call":             {`func (e *Service) worse() { e.fleetIndex = nil }; func (b *commit.Tx) bad() { b.e.worse() }`, "changes e.fleetIndex"},
		"a log":                 {`func (b *commit.Tx) bad() { b.e.o.Log.Error("x") }`, "calls Log.Error"},
		"a lock":                {`func (b *commit.Tx) bad() { b.e.waiters.mu.Lock() }`, "calls mu.Lock"},
		"in a seal":             {`func (b *commit.Tx) bad() { b.Before(1, func() error { b.e.process = ""; return nil }) }`, "changes b.e.process"},
		"a goroutine":           {`func (b *commit.Tx) bad() { go func() {}() }`, "starts a goroutine"},
		"a message":             {`func (b *commit.Tx) bad() { make(chan struct{}) <- struct{}{} }`, "sends"},
	} {
		t.Run(name, func(t *testing.T) {
			p := loadSource(t, "package engine\n"+test.code)
			var found []string
			for _, fn := range p.reachable() {
				if pureBut[p.name(fn)] == "" {
					found = append(found, p.offences(fn)...)
				}
			}
			if !slices.ContainsFunc(found, func(s string) bool { return strings.HasSuffix(s, test.want) }) {
				t.Errorf("found %q, want one that ends with %q", found, test.want)
			}
		})
	}
}

// source is a package with its types.
type source struct {
	files *token.FileSet
	info  types.Info
	decls map[*types.Func]*ast.FuncDecl
	lits  []*ast.FuncLit // that are given a batch, and their names
	names map[ast.Node]string
}

// loadSource reads this package as it is built, and more files.
func loadSource(t *testing.T, more ...string) *source {
	t.Helper()
	exports, sources := listPackage(t)
	p := &source{
		files: token.NewFileSet(), decls: map[*types.Func]*ast.FuncDecl{}, names: map[ast.Node]string{},
		info: types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}},
	}
	var trees []*ast.File
	parse := func(name string, text any) {
		tree, err := parser.ParseFile(p.files, name, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		trees = append(trees, tree)
	}
	for _, name := range sources {
		parse(name, nil)
	}
	for _, text := range more {
		parse("more.go", text)
	}
	config := types.Config{Importer: importer.ForCompiler(p.files, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	})}
	if _, err := config.Check("engine", p.files, trees, &p.info); err != nil {
		t.Fatal(err)
	}
	for _, tree := range trees {
		for _, decl := range tree.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
				p.add(fn)
			}
		}
	}
	return p
}

func listPackage(t *testing.T) (exports map[string]string, sources []string) {
	t.Helper()
	out, err := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Export,Dir,GoFiles,DepOnly", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	exports = map[string]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var pkg struct {
			ImportPath, Export, Dir string
			GoFiles                 []string
			DepOnly                 bool
		}
		if err := d.Decode(&pkg); errors.Is(err, io.EOF) {
			return exports, sources
		} else if err != nil {
			t.Fatal(err)
		}
		exports[pkg.ImportPath] = pkg.Export
		if !pkg.DepOnly {
			for _, name := range pkg.GoFiles {
				sources = append(sources, filepath.Join(pkg.Dir, name))
			}
		}
	}
}

// add takes in a function, and the ones within it that are given a batch.
func (p *source) add(fn *ast.FuncDecl) {
	object := p.info.Defs[fn.Name].(*types.Func)
	p.decls[object] = fn
	name := fn.Name.Name
	if receiver := object.Signature().Recv(); receiver != nil {
		name = typeName(receiver.Type()) + "." + name
	}
	p.names[fn] = name
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		if lit, ok := n.(*ast.FuncLit); ok && hasBatch(p.info.Types[lit].Type.(*types.Signature)) {
			p.lits = append(p.lits, lit)
			p.names[lit] = name
		}
		return true
	})
}

func (p *source) name(fn ast.Node) string { return p.names[fn] }

// reachable returns all functions that run in transactions.
func (p *source) reachable() []ast.Node {
	var found []ast.Node
	seen := map[ast.Node]bool{}
	var visit func(ast.Node)
	visit = func(fn ast.Node) {
		if seen[fn] {
			return
		}
		seen[fn] = true
		found = append(found, fn)
		ast.Inspect(fn, func(n ast.Node) bool {
			if p.defers(n) {
				return false
			}
			if id, ok := n.(*ast.Ident); ok {
				if called, ok := p.info.Uses[id].(*types.Func); ok && p.decls[called.Origin()] != nil {
					visit(p.decls[called.Origin()])
				}
			}
			return true
		})
	}
	for object, fn := range p.decls {
		if hasBatch(object.Signature()) {
			visit(fn)
		}
	}
	for _, lit := range p.lits {
		visit(lit)
	}
	return found
}

// defers reports whether a node hands over what is done after the transaction.
func (p *source) defers(n ast.Node) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return false
	}
	s, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	fn, ok := p.info.Uses[s.Sel].(*types.Func)
	return ok && fn.Signature().Recv() != nil && typeName(fn.Signature().Recv().Type()) == "Tx" &&
		slices.Contains([]string{"Ahead", "After", "Adopt"}, fn.Name())
}

// hasBatch reports whether a function is given a batch.
func hasBatch(s *types.Signature) bool {
	if s.Recv() != nil && typeName(s.Recv().Type()) == "batch" {
		return true
	}
	for v := range s.Params().Variables() {
		if typeName(v.Type()) == "batch" {
			return true
		}
	}
	return false
}

// typeName returns the name of a type or of what it points to.
func typeName(t types.Type) string {
	if pointer, ok := t.Underlying().(*types.Pointer); ok {
		t = pointer.Elem()
	}
	if named, ok := types.Unalias(t).(*types.Named); ok {
		return named.Obj().Name()
	}
	return ""
}

// offences returns what a function does that one in a transaction may not.
func (p *source) offences(fn ast.Node) (found []string) {
	report := func(n ast.Node, format string, args ...any) {
		at := p.files.Position(n.Pos())
		found = append(found, fmt.Sprintf("%s:%d: %s ", filepath.Base(at.Filename), at.Line, p.name(fn))+fmt.Sprintf(format, args...))
	}
	change := func(e ast.Expr) {
		if p.outlives(fn, e) {
			report(e, "changes %s", types.ExprString(rootOf(e)))
		}
	}
	ast.Inspect(fn, func(n ast.Node) bool {
		if p.defers(n) {
			return false
		}
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, e := range n.Lhs {
				change(e)
			}
		case *ast.IncDecStmt:
			change(n.X)
		case *ast.GoStmt:
			report(n, "starts a goroutine")
		case *ast.SendStmt:
			report(n, "sends")
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && slices.Contains([]string{"delete", "clear", "copy"}, id.Name) {
				change(n.Args[0])
			}
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && p.acts(s) {
				report(n, "calls %s.%s", lastOf(s.X), s.Sel.Name)
			}
		}
		return true
	})
	return found
}

// outlives reports whether a changed expression is something that is there after
// the transaction.
func (p *source) outlives(fn ast.Node, e ast.Expr) bool {
	for {
		switch x := e.(type) {
		case *ast.SelectorExpr:
			if slices.Contains(longLived, typeName(p.info.Types[x.X].Type)) {
				return !p.made(fn, x.X)
			}
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.Ident:
			v, ok := p.info.ObjectOf(x).(*types.Var)
			if !ok {
				return false
			}
			_, lit := fn.(*ast.FuncLit)
			return v.Parent() == v.Pkg().Scope() || lit && (v.Pos() < fn.Pos() || v.Pos() >= fn.End())
		default:
			return false
		}
	}
}

// made reports whether a value was made by the very function that changes it.
func (p *source) made(fn ast.Node, e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	if !ok {
		return false
	}
	made := false
	ast.Inspect(fn, func(n ast.Node) bool {
		assign, ok := n.(*ast.AssignStmt)
		if !ok || assign.Tok != token.DEFINE || len(assign.Lhs) != len(assign.Rhs) {
			return true
		}
		for i, left := range assign.Lhs {
			if l, ok := left.(*ast.Ident); ok && p.info.ObjectOf(l) == p.info.ObjectOf(id) {
				address, ok := assign.Rhs[i].(*ast.UnaryExpr)
				made = ok && address.Op == token.AND
			}
		}
		return true
	})
	return made
}

// acts reports whether a method does something that cannot be undone.
func (p *source) acts(s *ast.SelectorExpr) bool {
	fn, ok := p.info.Uses[s.Sel].(*types.Func)
	if !ok || fn.Pkg() == nil {
		return false
	}
	switch fn.Pkg().Path() {
	case "log/slog":
		return fn.Name() != "DiscardHandler"
	case "sync", "sync/atomic":
		return fn.Name() != "Load"
	case "time":
		return slices.Contains([]string{"Sleep", "After", "AfterFunc", "NewTimer", "Now", "Since", "Until"}, fn.Name())
	}
	return false
}

// rootOf strips indexes off an expression.
func rootOf(e ast.Expr) ast.Expr {
	for {
		switch x := e.(type) {
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return e
		}
	}
}

// lastOf returns the last name of an expression.
func lastOf(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		return s.Sel.Name
	}
	return types.ExprString(e)
}
