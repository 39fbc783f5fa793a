package service

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
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

func TestEveryTableIsVerified(t *testing.T) {
	var tables, listed []string
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			value, ok := spec.Values[0].(*ast.CompositeLit)
			switch {
			case !ok:
			case spec.Names[0].Name == "recordTables":
				for _, e := range value.Elts {
					listed = append(listed, e.(*ast.Ident).Name)
				}
			case isTable(value.Type):
				tables = append(tables, spec.Names[0].Name)
			}
			return true
		})
	}
	slices.Sort(tables)
	slices.Sort(listed)
	if len(tables) == 0 || !slices.Equal(tables, listed) {
		t.Errorf("the tables are %v, and recordTables has %v", tables, listed)
	}
}

// isTable reports whether an expression is store.Of[…].
func isTable(e ast.Expr) bool {
	index, ok := e.(*ast.IndexExpr)
	if !ok {
		return false
	}
	of, ok := index.X.(*ast.SelectorExpr)
	return ok && of.Sel.Name == "Of"
}
