package muster_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A transaction may run again, be undone, or be lost in a crash. So what runs in
// one changes nothing but its commit.Tx: it writes to nothing that outlives it, and
// to nothing that its caller may look at; it does not log, send, wait or start
// anything. This test reads the source of the rooms: every function that is given a
// commit.Tx, and all functions of the rooms that such a one calls.

// rooms are the packages whose functions run in transactions, and those that these
// share. Only commit starts goroutines for them.
var rooms = []string{"listing", "integrity", "tags", "eventlog", "audit", "diary", "rights", "catalog", "registry", "jobs", "service"}

// transactions are the types by which a function is known to run in one.
var transactions = []string{"commit.Tx", "jobs.transaction"}

// longLived are the types whose values serve many transactions.
var longLived = []string{
	"commit.Committer", "listing.Pager", "tags.Tags", "diary.Recorder", "diary.Options", "diary.shard", "diary.refusals", "audit.Log", "audit.Options", "audit.attempts", "eventlog.Log", "eventlog.Options", "eventlog.places", "eventlog.moments", "rights.Rights", "rights.Options", "catalog.Catalog",
	"registry.Registry", "registry.Options", "registry.index", "registry.indexView", "registry.connections", "registry.teller", "jobs.Jobs", "jobs.Options",
	"jobs.waiters", "jobs.undecided", "jobs.decodedCache", "service.Service", "service.Options",
}

// pureBut are the functions to which the rule does not apply, and why.
var pureBut = map[string]string{
	"jobs.decodedCache.get": "what it remembers is what the same bytes decode to, whatever becomes of the transaction",
	"jobs.decodedCache.put": "the same",
	"eventlog.moments.take": "the same as places.next",
	"eventlog.places.next":  "a place that is taken must not be taken again, whatever becomes of the transaction",
	"eventlog.places.hold":  "it holds readers back until the transaction ends, and that is noted whatever becomes of it",
}

func TestTransactionsLeaveNothingBehind(t *testing.T) {
	p := loadRooms(t, listRooms(t), nil)
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
	for _, name := range slices.Concat(transactions, longLived) {
		if !p.hasType(name) {
			t.Errorf("there is no type %s", name)
		}
	}
}

func TestOnlyCommitStartsGoroutines(t *testing.T) {
	p := loadRooms(t, listRooms(t), nil)
	for _, started := range p.goroutines() {
		t.Error(started)
	}
}

// mayHoldFunctions are variables of packages that hold functions, and why.
var mayHoldFunctions = map[string]string{
	"internal/contract.tooLarge": "it is a row of a table, and is named because it is looked for",
}

// A function in a variable of a package could be changed by anybody. Tables are
// allowed: lists and maps whose rows have functions.
func TestNoVariableHoldsAFunction(t *testing.T) {
	var held []string
	for _, p := range declarations(t) {
		for _, name := range functionsIn(p.types) {
			name = p.path + "." + name
			if held = append(held, name); mayHoldFunctions[name] == "" {
				t.Errorf("variable %s holds a function", name)
			}
		}
	}
	for name := range mayHoldFunctions {
		if !slices.Contains(held, name) {
			t.Errorf("%s needs no exception", name)
		}
	}
}

func TestVariablesThatHoldFunctionsAreFound(t *testing.T) {
	const code = `package rooms
		type hooks struct { n int; done func() }
		var (
			plain     = func() {}
			declared  func(int) error
			pointed   *func()
			literal   struct { f func() }
			structure hooks
			inside    struct { h *hooks }
			table     = []hooks{}
			byName    = map[string]func(){}
			number    int
			self      *node
		)
		type node struct { next *node }`
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, "code.go", code, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	checked, err := new(types.Config).Check(module+"/rooms", files, []*ast.File{tree}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"declared", "inside", "literal", "plain", "pointed", "structure"}
	if got := functionsIn(checked); !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

// functionsIn returns the variables of a package that hold a function, by name.
func functionsIn(p *types.Package) (names []string) {
	for _, name := range p.Scope().Names() {
		if v, ok := p.Scope().Lookup(name).(*types.Var); ok && holdsFunction(v.Type(), nil) {
			names = append(names, name)
		}
	}
	return names
}

// holdsFunction reports whether a value of a type is a function, points to one, or
// is a struct that has one; of types of other modules only the first two count.
// within are the structs that it is a part of.
func holdsFunction(t types.Type, within []types.Type) bool {
	switch of := t.Underlying().(type) {
	case *types.Signature:
		return true
	case *types.Pointer:
		return holdsFunction(of.Elem(), within)
	case *types.Struct:
		named, _ := types.Unalias(t).(*types.Named)
		if named != nil && !inModule(named.Obj().Pkg().Path()) || slices.ContainsFunc(within, func(w types.Type) bool { return types.Identical(w, t) }) {
			return false
		}
		for field := range of.Fields() {
			if holdsFunction(field.Type(), append(within, t)) {
				return true
			}
		}
	}
	return false
}

// The tests find what they are for.
func TestImpureTransactionsAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and one goroutine")
	}
	list := listRooms(t)
	for name, test := range map[string]struct {
		code map[string]string // for some rooms
		want string            // empty: nothing is wrong
	}{
		"a captured variable": {map[string]string{"registry": `func (s *Registry) bad() (n int, err error) {
			err = s.commits.Do(nil, func(tx *commit.Tx) error { n = 1; return nil })
			return n, err
		}`}, "changes n"},
		"a captured map": {map[string]string{"registry": `func (s *Registry) bad() {
			m := map[string]int{}
			_ = s.commits.Do(nil, func(tx *commit.Tx) error { m["k"]++; delete(m, "x"); return nil })
		}`}, "changes m"},
		"a captured variable, among jobs": {map[string]string{"jobs": `func (s *Jobs) bad() (n int) {
			_ = s.do(nil, func(tx *transaction) error { n = 1; return nil })
			return n
		}`}, "changes n"},
		"a field of a room":  {map[string]string{"registry": `func (s *Registry) bad(tx *commit.Tx) { s.newID = nil }`}, "changes s.newID"},
		"a field among jobs": {map[string]string{"jobs": `func (tx *transaction) bad() { tx.s.limits.JobTemplates = 1 }`}, "changes tx.s.limits.JobTemplates"},
		"a variable of the package": {map[string]string{"registry": `var last int
		func bad(tx *commit.Tx) { last++ }`}, "changes last"},
		"a view that others read": {map[string]string{"registry": `func (ix *index) bad(tx *commit.Tx) error {
			x, err := ix.view(tx)
			x.bare = nil
			return err
		}`}, "changes x.bare"},
		"by a call": {map[string]string{"registry": `func (s *Registry) worse() { s.index = nil }; func (s *Registry) bad(tx *commit.Tx) { s.worse() }`}, "changes s.index"},
		"by a call of another room": {map[string]string{
			"registry": `func (s *Registry) Worse() { s.index = nil }`,
			"jobs":     `func (tx *transaction) bad() { tx.s.registry.Worse() }`,
		}, "changes s.index"},
		"by an interface": {map[string]string{
			"registry": `type worse interface { Worse(store.Reader) }; func bad(tx *commit.Tx, w worse) { w.Worse(tx) }`,
			"jobs":     `func (s *Jobs) Worse(store.Reader) { s.audience = nil }`,
		}, "changes s.audience"},
		"a log":          {map[string]string{"registry": `func (s *Registry) bad(tx *commit.Tx) { s.commits.Log().Error("x") }`}, "calls s.commits.Log().Error"},
		"a lock":         {map[string]string{"jobs": `func (tx *transaction) bad() { tx.s.waiters.mu.Lock() }`}, "calls mu.Lock"},
		"in a seal":      {map[string]string{"registry": `func (s *Registry) bad(tx *commit.Tx) { tx.Before(1, func() error { s.newID = nil; return nil }) }`}, "changes s.newID"},
		"at the close":   {map[string]string{"registry": `func (s *Registry) bad(tx *commit.Tx) { tx.Close(func() error { s.newID = nil; return nil }) }`}, "changes s.newID"},
		"after it":       {map[string]string{"registry": `func (s *Registry) good(tx *commit.Tx) { tx.After(func() { s.newID = nil }) }`}, ""},
		"ahead of it":    {map[string]string{"registry": `func (s *Registry) good(tx *commit.Tx) { tx.Ahead(func() { s.newID = nil }) }`}, ""},
		"once it stands": {map[string]string{"registry": `func (s *Registry) good(tx *commit.Tx) { tx.Adopt(func() { s.newID = nil }) }`}, ""},
		"a goroutine":    {map[string]string{"registry": `func bad(tx *commit.Tx) { go func() {}() }`}, "starts a goroutine"},
		"a message":      {map[string]string{"registry": `func bad(tx *commit.Tx) { make(chan struct{}) <- struct{}{} }`}, "sends"},
	} {
		t.Run(name, func(t *testing.T) {
			p := loadRooms(t, list, test.code)
			var found []string
			for _, fn := range p.reachable() {
				if pureBut[p.name(fn)] == "" {
					found = append(found, p.offences(fn)...)
				}
			}
			switch {
			case test.want == "" && len(found) > 0:
				t.Errorf("found %q, want nothing", found)
			case test.want != "" && !slices.ContainsFunc(found, func(s string) bool { return strings.HasSuffix(s, test.want) }):
				t.Errorf("found %q, want one that ends with %q", found, test.want)
			}
		})
	}
}

func TestGoroutinesOfRoomsAreFound(t *testing.T) {
	list := listRooms(t)
	for name, code := range map[string]string{
		"a go statement": `func bad() { go func() {}() }`,
		"a wait group":   `func bad() { var g sync.WaitGroup; g.Go(func() {}) }`,
		"a timer":        `func bad() { time.AfterFunc(1, func() {}) }`,
	} {
		t.Run(name, func(t *testing.T) {
			p := loadRooms(t, list, map[string]string{"tags": code})
			if found := p.goroutines(); len(found) != 1 {
				t.Errorf("found %q, want one", found)
			}
		})
	}
}

// source is the source of all rooms with its types.
type source struct {
	files    *token.FileSet
	info     types.Info
	packages map[string]*types.Package // by import path: the rooms
	exported types.Importer            // of all others
	trees    []*ast.File
	decls    map[*types.Func]*ast.FuncDecl
	lits     []*ast.FuncLit // that are given a transaction
	names    map[ast.Node]string
}

// listRooms returns the rooms and what they import, each after its own imports.
func listRooms(t *testing.T) []listed {
	t.Helper()
	var patterns []string
	for _, room := range rooms {
		patterns = append(patterns, "./"+room)
	}
	return listSource(t, patterns...)
}

// loadRooms reads the rooms as they are built, and more code for some of them.
func loadRooms(t *testing.T, list []listed, more map[string]string) *source {
	t.Helper()
	p := &source{
		files: token.NewFileSet(), packages: map[string]*types.Package{}, decls: map[*types.Func]*ast.FuncDecl{}, names: map[ast.Node]string{},
		info: types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}},
	}
	p.exported = exportsOf(p.files, list)
	for _, room := range list {
		if !room.DepOnly {
			p.load(t, room, more[placeOf(room.ImportPath)])
		}
	}
	return p
}

// Import implements types.Importer: what is known of a room is its source, so that
// a function is the same wherever it is called.
func (p *source) Import(path string) (*types.Package, error) {
	if room := p.packages[path]; room != nil {
		return room, nil
	}
	return p.exported.Import(path)
}

// load reads one room, and more code for it.
func (p *source) load(t *testing.T, room listed, more string) {
	t.Helper()
	trees := parsed(t, p.files, room)
	if more != "" {
		head := "package " + placeOf(room.ImportPath) + "\n"
		for name, path := range map[string]string{"commit": module + "/commit", "store": module + "/store", "sync": "sync", "time": "time"} {
			if strings.Contains(more, name+".") {
				head += fmt.Sprintf("import %q\n", path)
			}
		}
		tree, err := parser.ParseFile(p.files, "more.go", head+more, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		trees = append(trees, tree)
	}
	config := types.Config{Importer: p}
	checked, err := config.Check(room.ImportPath, p.files, trees, &p.info)
	if err != nil {
		t.Fatal(err)
	}
	p.packages[room.ImportPath] = checked
	p.trees = append(p.trees, trees...)
	for _, tree := range trees {
		for _, decl := range tree.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
				p.add(fn)
			}
		}
	}
}

// hasType reports whether there is a type of a name such as "commit.Tx".
func (p *source) hasType(name string) bool {
	at, typ, _ := strings.Cut(name, ".")
	found, err := p.Import(module + "/" + at)
	if err != nil {
		return false
	}
	_, ok := found.Scope().Lookup(typ).(*types.TypeName)
	return ok
}

// goroutines returns where the rooms start some.
func (p *source) goroutines() (found []string) {
	starters := []string{"sync.WaitGroup.Go", "time.AfterFunc", "context.AfterFunc"}
	for _, tree := range p.trees {
		ast.Inspect(tree, func(n ast.Node) bool {
			started := false
			switch n := n.(type) {
			case *ast.GoStmt:
				started = true
			case *ast.SelectorExpr:
				fn, ok := p.info.Uses[n.Sel].(*types.Func)
				started = ok && slices.Contains(starters, funcName(fn))
			}
			if started {
				found = append(found, fmt.Sprintf("%s starts a goroutine", p.files.Position(n.Pos())))
			}
			return true
		})
	}
	return found
}

// funcName returns the name of a function such as "jobs.Jobs.Due".
func funcName(fn *types.Func) string {
	if receiver := fn.Signature().Recv(); receiver != nil {
		return typeName(receiver.Type()) + "." + fn.Name()
	}
	if fn.Pkg() == nil {
		return fn.Name()
	}
	return fn.Pkg().Name() + "." + fn.Name()
}

// add takes in a function, and the ones within it that are given a transaction.
func (p *source) add(fn *ast.FuncDecl) {
	object := p.info.Defs[fn.Name].(*types.Func)
	p.decls[object] = fn
	name := funcName(object)
	p.names[fn] = name
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		if lit, ok := n.(*ast.FuncLit); ok && inTransaction(p.info.Types[lit].Type.(*types.Signature)) {
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
				if called, ok := p.info.Uses[id].(*types.Func); ok {
					for _, decl := range p.meant(called.Origin()) {
						visit(decl)
					}
				}
			}
			return true
		})
	}
	for object, fn := range p.decls {
		if inTransaction(object.Signature()) {
			visit(fn)
		}
	}
	for _, lit := range p.lits {
		visit(lit)
	}
	return found
}

// meant returns the functions of the rooms that a call of a function may run: itself,
// or the methods that implement it.
func (p *source) meant(called *types.Func) []*ast.FuncDecl {
	if fn := p.decls[called]; fn != nil {
		return []*ast.FuncDecl{fn}
	}
	receiver := called.Signature().Recv()
	if receiver == nil || called.Pkg() == nil || p.packages[called.Pkg().Path()] == nil {
		return nil
	}
	of, ok := receiver.Type().Underlying().(*types.Interface)
	if !ok {
		return nil
	}
	var all []*ast.FuncDecl
	for object, fn := range p.decls {
		if own := object.Signature().Recv(); own != nil && object.Name() == called.Name() && types.Implements(own.Type(), of) {
			all = append(all, fn)
		}
	}
	return all
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
	return ok && fn.Signature().Recv() != nil && typeName(fn.Signature().Recv().Type()) == "commit.Tx" &&
		slices.Contains([]string{"Ahead", "After", "Adopt", "Look", "Over"}, fn.Name())
}

// inTransaction reports whether a function is given a transaction.
func inTransaction(s *types.Signature) bool {
	if s.Recv() != nil && slices.Contains(transactions, typeName(s.Recv().Type())) {
		return true
	}
	for v := range s.Params().Variables() {
		if slices.Contains(transactions, typeName(v.Type())) {
			return true
		}
	}
	return false
}

// typeName returns the name of a type or of what it points to, with that of its
// package.
func typeName(t types.Type) string {
	if pointer, ok := t.Underlying().(*types.Pointer); ok {
		t = pointer.Elem()
	}
	if named, ok := types.Unalias(t).(*types.Named); ok {
		if pkg := named.Obj().Pkg(); pkg != nil {
			return pkg.Name() + "." + named.Obj().Name()
		}
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
