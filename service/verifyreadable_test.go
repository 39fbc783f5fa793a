package service

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

// A record that cannot be read is a problem, wherever it is, and does not keep the
// others from being looked at.
func TestVerifyRecordsFindsWhatCannotBeRead(t *testing.T) {
	ctx, s := context.Background(), memstore.New()
	defer s.Close()
	err := store.Update(ctx, s, func(tx store.Tx) error {
		for _, table := range []store.Table{"thing", "policy", "setting"} {
			tx.Put(table, "a", []byte("\x01{"))
			tx.Put(table, "b", nil)
			tx.Put(table, "c", []byte("\x07{}"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	problems, err := VerifyRecords(ctx, s)
	if err != nil || len(problems) != 9 {
		t.Errorf("VerifyRecords() = %v, %v, want 9 problems", problems, err)
	}
}

// TestEveryTableIsVerified reads the source: each table that a package of the service
// declares is one of Tables, and no two tables of the module have the same name.
func TestEveryTableIsVerified(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{.Dir}}", ".").Output()
	noErr(t, "go list", err)
	own := strings.Fields(string(out)) // the packages that the service is made of
	module, err := filepath.Abs("..")
	noErr(t, "Abs", err)
	declared := map[store.Table]string{} // where
	var tables []store.Table
	noErr(t, "WalkDir", filepath.WalkDir(module, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		for _, table := range tablesIn(t, path) {
			if before, twice := declared[table]; twice {
				t.Errorf("table %s is declared in %s and in %s", table, before, path)
			}
			declared[table] = path
			if slices.Contains(own, filepath.Dir(path)) {
				tables = append(tables, table)
			}
		}
		return nil
	}))
	listed := append(tableNames(t), FormerTables()...)
	slices.Sort(tables)
	slices.Sort(listed)
	if !slices.Equal(tables, listed) {
		t.Errorf("the tables are %v, and Tables has %v", tables, listed)
	}
}

// tablesIn returns the tables that a file of source declares.
func tablesIn(t *testing.T, path string) (tables []store.Table) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	noErr(t, "ParseFile", err)
	ast.Inspect(file, func(n ast.Node) bool {
		literal, ok := n.(*ast.CompositeLit)
		if !ok || !isTable(literal.Type) {
			return true
		}
		for _, element := range literal.Elts {
			field, ok := element.(*ast.KeyValueExpr)
			name, isString := (*ast.BasicLit)(nil), false
			if ok {
				name, isString = field.Value.(*ast.BasicLit)
			}
			if !isString {
				t.Errorf("%s declares a table whose name is not plain to see", path)
				continue
			}
			table, err := strconv.Unquote(name.Value)
			noErr(t, "Unquote", err)
			tables = append(tables, store.Table(table))
		}
		return true
	})
	return tables
}

// isTable reports whether an expression is store.Of[…], or Of[…] in package store.
func isTable(e ast.Expr) bool {
	index, ok := e.(*ast.IndexExpr)
	if !ok {
		return false
	}
	switch of := index.X.(type) {
	case *ast.SelectorExpr:
		return of.Sel.Name == "Of"
	case *ast.Ident:
		return of.Name == "Of"
	}
	return false
}
