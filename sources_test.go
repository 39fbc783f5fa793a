package muster_test

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

// This file reads the source of the module for the tests that hold how it is
// built.

// listed is what `go list` says of a package: one that was asked for, or one that
// these import.
type listed struct {
	ImportPath, Export, Dir string
	GoFiles                 []string
	DepOnly                 bool
}

// listSource returns packages and what they import, each after its own imports.
func listSource(t *testing.T, patterns ...string) (all []listed) {
	t.Helper()
	args := append([]string{"list", "-export", "-deps", "-json=ImportPath,Export,Dir,GoFiles,DepOnly"}, patterns...)
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// exportsOf imports packages as they were built.
func exportsOf(files *token.FileSet, list []listed) types.Importer {
	exports := map[string]string{}
	for _, p := range list {
		exports[p.ImportPath] = p.Export
	}
	return importer.ForCompiler(files, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	})
}

// parsed returns the files of a package.
func parsed(t *testing.T, files *token.FileSet, p listed) (trees []*ast.File) {
	t.Helper()
	for _, name := range p.GoFiles {
		tree, err := parser.ParseFile(files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		trees = append(trees, tree)
	}
	return trees
}

// declaration is what a package declares, without its tests and without the bodies
// of functions.
type declaration struct {
	path  string // in the module
	trees []*ast.File
	types *types.Package
}

// declarations returns what each package of the module declares.
func declarations(t *testing.T) (all []declaration) {
	t.Helper()
	list, files := listSource(t, "./..."), token.NewFileSet()
	exported := exportsOf(files, list)
	for _, p := range list {
		if !p.DepOnly {
			all = append(all, declare(t, files, exported, p.ImportPath, parsed(t, files, p)))
		}
	}
	return all
}

func declare(t *testing.T, files *token.FileSet, exported types.Importer, path string, trees []*ast.File) declaration {
	t.Helper()
	config := types.Config{Importer: exported, IgnoreFuncBodies: true}
	checked, err := config.Check(path, files, trees, nil)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return declaration{placeOf(path), trees, checked}
}

// generated reports whether something is declared in a generated file.
func (d declaration) generated(at token.Pos) bool {
	return slices.ContainsFunc(d.trees, func(tree *ast.File) bool {
		return tree.FileStart <= at && at < tree.FileEnd && ast.IsGenerated(tree)
	})
}
