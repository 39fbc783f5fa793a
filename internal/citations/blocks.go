package citations

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// notOurs are folders with what tools made or fetched.
var notOurs = []string{".git", ".venv", ".pytest_cache", "__pycache__", "node_modules", "target", "bin", "dist"}

// planted is the file whose citations are wrong on purpose.
const planted = "internal/citations/citations_test.go"

// extensions are those of texts in which people cite.
var extensions = []string{".go", ".md", ".py", ".js", ".java", ".rs", ".sh", ".yml", ".toml", ".txtar", ".html"}

// readFiles returns the files of a repository by their names, each with its text
// or, if it is none, "".
func readFiles(repo fs.FS) (map[string]string, error) {
	files := map[string]string{}
	return files, fs.WalkDir(repo, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && slices.Contains(notOurs, e.Name()):
			return fs.SkipDir
		case !e.Type().IsRegular() || name == planted:
			return nil
		}
		text, err := fs.ReadFile(repo, name)
		if files[name] = ""; isText(name, text) {
			files[name] = string(text)
		}
		return err
	})
}

func isText(name string, text []byte) bool {
	return slices.Contains(extensions, path.Ext(name)) || path.Base(name) == "Makefile" || bytes.HasPrefix(text, []byte("#!"))
}

// block is a piece of text whose citations may lean on each other: a comment, a
// string, a paragraph, an item of a list, a row of a table.
type block struct {
	text string
	line int    // of its beginning, from 1
	home string // the page of the contract that it is in
	code bool   // it may have names and numbers that are no citations
}

func blocksOf(name, text string) ([]block, error) {
	switch path.Ext(name) {
	case ".go":
		return goBlocks(name, text)
	case ".md":
		home := ""
		if path.Dir(name) == contractDir && path.Base(name) != "README.md" {
			home = path.Base(name)
		}
		return paragraphs(block{text, 1, home, false}, paragraph), nil
	default:
		return paragraphs(block{text, 1, "", true}, emptyLine), nil // a program, not told from its comments
	}
}

// goBlocks returns the comments and strings of a Go file.
func goBlocks(name, text string) (blocks []block, err error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, text, parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("read the comments: %w", err)
	}
	add := func(n ast.Node, code bool) {
		from, to := files.Position(n.Pos()), files.Position(n.End())
		blocks = append(blocks, block{text: text[from.Offset:to.Offset], line: from.Line, code: code})
	}
	for _, group := range file.Comments {
		add(group, false)
		blocks[len(blocks)-1].text = uncomment(blocks[len(blocks)-1].text)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				add(n, true)
			}
		case *ast.FuncDecl:
			blocks = append(blocks, block{text: rowsIn(n.Name.Name), line: files.Position(n.Pos()).Line})
		}
		return true
	})
	return blocks, nil
}

var inName = regexp.MustCompile(`([A-Z]{2,4}|And|To)(\d+)`)

// rowsIn returns the rows that the name of a test has, as texts write them:
// "MQ-11 MQ-51" for TestMQ11And51APersistentSessionIsResumed.
func rowsIn(name string) string {
	var rows []string
	letters, end := "", 0
	for _, m := range inName.FindAllStringSubmatchIndex(name, -1) {
		word := name[m[2]:m[3]]
		goesOn := word == "And" || word == "To"
		if !goesOn {
			letters = word
		}
		if !goesOn || m[0] == end {
			rows = append(rows, letters+"-"+name[m[4]:m[5]])
		}
		end = m[1]
	}
	return strings.Join(rows, " ")
}

var (
	markers   = regexp.MustCompile(`(?m)^[ \t]*(//|#+|\*)`)
	emptyLine = regexp.MustCompile(`\n[ \t]*\n`)
	paragraph = regexp.MustCompile(`\n[ \t]*\n|\n(?:\||[ \t]*(?:[-*]|\d+\.) |#)`) // or a row, an item, a heading
)

// uncomment takes the signs away that begin the lines of a comment, so that a
// citation may go on in the next line.
func uncomment(text string) string {
	return markers.ReplaceAllStringFunc(text, func(m string) string { return strings.Repeat(" ", len(m)) })
}

// paragraphs cuts a file into blocks wherever end matches. What stands between
// two lines of ``` is code.
func paragraphs(file block, end *regexp.Regexp) (blocks []block) {
	fenced := false
	for rest := file; rest.text != ""; {
		to := len(rest.text)
		if m := end.FindStringIndex(rest.text); m != nil {
			to = m[0] + 1
		}
		piece := rest
		piece.text = uncomment(rest.text[:to])
		fences := strings.Count(piece.text, "```")
		piece.code = file.code || fenced || fences > 0
		fenced = fenced != (fences%2 == 1)
		blocks = append(blocks, piece)
		rest.text, rest.line = rest.text[to:], rest.line+strings.Count(rest.text[:to], "\n")
	}
	return blocks
}
