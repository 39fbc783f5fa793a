package citations

import (
	"path"
	"regexp"
	"strings"
)

// places is what can be cited: the pages of the contract by their file names,
// and the decisions by their numbers.
type places struct {
	pages     map[string]page
	decisions map[string][]string // file names without .md
	documents map[string]bool     // the file names of all documents, wherever they are
}

// page is a page of the contract: the lines of the places that have a name. A
// section is called "3.1" or "B.6", a row "REG-62" or "MQ-28", and a numbered
// item of a section "3.1, 14".
type page map[string][]int

func readPlaces(files map[string]string) places {
	p := places{map[string]page{}, map[string][]string{}, map[string]bool{}}
	for file, text := range files {
		dir, name := path.Split(file)
		if path.Ext(name) == ".md" {
			p.documents[name] = true
		}
		switch {
		case name == "README.md" || path.Ext(name) != ".md":
		case dir == contractDir+"/":
			p.pages[name] = readPage(text)
		case dir == decisionsDir+"/" && len(name) > 4:
			p.decisions[name[:4]] = append(p.decisions[name[:4]], strings.TrimSuffix(name, ".md"))
		}
	}
	return p
}

var (
	headings = regexp.MustCompile(`^#+ (\d+(?:\.\d+)*|[A-Z](?:\.\d+)?)\.? `)
	rows     = regexp.MustCompile(`^(?:\| |- )?\**([A-Z]+-\d+|[A-Z]\d+)\b\**(?: \([MSL–]+\))?(?: \||:)`)
	items    = regexp.MustCompile(`^(?:\| )?(\d+)(?:\. | \|)`)
)

func readPage(text string) page {
	p := page{}
	section, line := "", 0
	for text := range strings.Lines(text) {
		line++
		place := ""
		if m := headings.FindStringSubmatch(text); m != nil {
			place, section = m[1], m[1]
		} else if m := rows.FindStringSubmatch(text); m != nil {
			place = m[1]
		} else if m := items.FindStringSubmatch(text); m != nil {
			place = section + ", " + m[1]
		} else {
			continue
		}
		p[place] = append(p[place], line)
	}
	return p
}

// with returns the pages that have a place of this name.
func (p places) with(place string) (names []string) {
	for name, page := range p.pages {
		if page[place] != nil {
			names = append(names, name)
		}
	}
	return names
}

// series reports whether any page has places called like this one but for its
// number: "MQ-9" is like MQ-28, and "S3" like nothing.
func (p places) series(place string) bool {
	letters := strings.TrimRight(place, "0123456789")
	for _, page := range p.pages {
		for name := range page {
			if name != letters && strings.TrimRight(name, "0123456789") == letters {
				return true
			}
		}
	}
	return false
}
