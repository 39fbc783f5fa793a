// Package citations resolves what the texts of the repository cite: sections and
// rows of the contract (docs/contract), decisions by their numbers, files of the
// documentation, and links between documents. docs/contract/README.md says in
// which forms they are cited.
package citations

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

const (
	contractDir  = "docs/contract"
	decisionsDir = "docs/decisions"
)

// Problem is a citation or a link that does not lead to exactly one place.
type Problem struct {
	File  string // slash-separated, from the root of the repository
	Line  int    // from 1
	Text  string // the citation
	Wrong string
}

func (p Problem) String() string {
	return fmt.Sprintf("%s:%d: %q: %s", p.File, p.Line, p.Text, p.Wrong)
}

// Report is what Check found out.
type Report struct {
	Problems []Problem
	Pages    map[string]int // of the contract, by file name, and how often Go files cite them
}

// Check reads every text of a repository: the comments and strings of Go files,
// and documents, scripts and programs in other languages as they stand.
func Check(repo fs.FS) (Report, error) {
	files, err := readFiles(repo)
	if err != nil {
		return Report{}, err
	}
	c := checker{places: readPlaces(files), files: files, report: Report{Pages: map[string]int{}}}
	for name, page := range c.places.pages {
		c.report.Pages[name] = 0
		c.once(name, page)
	}
	for name, text := range files {
		blocks, err := blocksOf(name, text)
		if err != nil {
			return Report{}, err
		}
		for _, b := range blocks {
			c.resolve(name, b)
		}
		if path.Ext(name) == ".md" {
			c.follow(name, text)
		}
	}
	slices.SortFunc(c.report.Problems, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, strings.Compare(a.Text, b.Text))
	})
	return c.report, nil
}

// checker collects the report while it goes through the files.
type checker struct {
	places places
	files  map[string]string // their texts by their names, "" for what is no text
	report Report
}

func (c *checker) wrong(file string, line int, text, wrong string) {
	c.report.Problems = append(c.report.Problems, Problem{file, line, strings.Join(strings.Fields(text), " "), wrong})
}

// once reports sections and rows of a page that have one name.
func (c *checker) once(name string, p page) {
	for place, lines := range p {
		if len(lines) > 1 && !strings.Contains(place, ", ") {
			c.wrong(contractDir+"/"+name, lines[1], place, "the page has another place of this name")
		}
	}
}

// resolve reports the citations of a block that do not resolve.
func (c *checker) resolve(file string, b block) {
	for _, cite := range c.places.citations(b) {
		if cite.wrong != "" {
			c.wrong(file, cite.line, cite.text, cite.wrong)
		}
		if cite.page != "" && path.Ext(file) == ".go" {
			c.report.Pages[cite.page]++
		}
	}
	for _, p := range pathsIn(b) {
		if !c.exists(file, p.text) {
			c.wrong(file, p.line, p.text, "no such file")
		}
	}
}
