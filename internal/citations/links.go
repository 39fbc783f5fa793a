package citations

import (
	"path"
	"regexp"
	"strings"
	"unicode"
)

// found is a piece of a text with its line.
type found struct {
	text string
	line int
}

// docs matches the path of a document from the root, or of a folder of them.
var docs = regexp.MustCompile("(?:^|[\\s(\"'`=])((?:\\.\\./)*docs/(?:[\\w./-]+\\.md|contract|decisions|guide)\\b)")

func pathsIn(b block) (paths []found) {
	if !strings.Contains(b.text, "docs/") {
		return nil
	}
	for _, m := range docs.FindAllStringSubmatchIndex(b.text, -1) {
		paths = append(paths, found{b.text[m[2]:m[3]], b.line + strings.Count(b.text[:m[2]], "\n")})
	}
	return paths
}

// exists reports whether a text names a file or a folder of the repository: from
// its root, or from the folder of the text.
func (c *checker) exists(from, name string) bool {
	for _, name := range []string{path.Clean(name), path.Join(path.Dir(from), name)} {
		if _, ok := c.files[name]; ok || c.isFolder(name) {
			return true
		}
	}
	return false
}

func (c *checker) isFolder(name string) bool {
	for file := range c.files {
		if strings.HasPrefix(file, name+"/") {
			return true
		}
	}
	return false
}

var link = regexp.MustCompile(`\]\(([^()\s]+)\)`)

// follow reports the links of a document that lead to no file, or to no heading.
func (c *checker) follow(file, text string) {
	for _, m := range link.FindAllStringSubmatchIndex(text, -1) {
		to := text[m[2]:m[3]]
		if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
			continue
		}
		name, anchor, _ := strings.Cut(to, "#")
		target := path.Join(path.Dir(file), name)
		if name == "" {
			target = file
		}
		line := 1 + strings.Count(text[:m[0]], "\n")
		switch {
		case !c.exists(file, target):
			c.wrong(file, line, to, "no such file")
		case anchor != "" && !anchors(c.files[target])[anchor]:
			c.wrong(file, line, to, "no such heading")
		}
	}
}

var title = regexp.MustCompile(`(?m)^#+ (.*)$`)

// anchors returns the names by which links reach the headings of a document.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	for _, m := range title.FindAllStringSubmatch(text, -1) {
		all[anchor(m[1])] = true
	}
	return all
}

// anchor spells a heading as GitHub's links do: letters, digits, hyphens and
// underscores stay, in lower case, and a blank becomes a hyphen.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}
