package citations

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// citation is a place that a text cites, with what is wrong with it.
type citation struct {
	text  string
	line  int
	page  string // of the contract
	wrong string // "" for nothing
}

// listOf matches one or several of a kind: "2", "2 and 3", "1.2, 3.1 or 4",
// "1 to 3".
func listOf(one string) string {
	return one + `\b(?:(?:,\s+and\s+|,?\s+or\s+|\s+and\s+|\s+to\s+|,\s+|-|–)` + one + `\b)*`
}

const number = `(?:\d+(?:\.\d+)*|[A-E](?:\.\d+)?)`

// vague matches citations in a form that cannot be resolved, or not safely.
const vague = `\x{a7}` +
	`|[\w-]+\.md,?\s+(?:\d+\b|[A-E],)` + // a section without the word
	`|\b(?:[A-Z]{2,4}-\d+|[A-Z]\d{1,2})(?:\s?–\s?|/)\d+\b` + // a row without its letters
	`|\b[AJ]\d{1,2}/[AJ]\d{1,2}\b` + // rows with nothing between them
	`|\b(?:REG|MQ|AUTH|DC|PROV)\d+\b` + // a row without its hyphen
	`|\b(?:data[- ]plane|control[- ]plane|lifecycle|events|mqtt-broker|identity-and-auth|device-clients|registry)` + // a page without .md
	`\s+(?:(?:file|page)\s+)?(?:[A-Z]+-?\d+|\d+\.\d{1,2}|[A-E]\.\d|(?:sections?|parts?)\s+[\dA-E])\b`

// cites matches whatever may be a citation. The name of a group is the kind.
var cites = regexp.MustCompile(strings.Join([]string{
	`(?P<foreign>\b(?:RFC\s+\d+|MQTT\s+(?:5|3\.1\.1)),?\s+sections?\s+` + listOf(`[0-9.]*[0-9]`) + `)`,
	`(?P<vague>` + vague + `)`,
	`(?:@rows\(|\b(?:check|everywhere)\(.*, \[)(?P<requirements>\d+(?:, \d+)*)[\])]`, // as conformance tests name them
	`(?P<page>[\w./-]*[\w-]\.md\b)`,
	`\b(?:[Ss]ections?|[Pp]arts?)\s+(?P<sections>` + listOf(number) + `)(?:,\s+(?:checks?|steps?|lines?)\s+(?P<items>` + listOf(`\d+`) + `))?`,
	`\b(?P<row>[A-Z]{2,4}-\d+|[A-Z][1-9]\d?|[A-E]\.\d)\b`,
	`\b(?P<decision>(?:[Dd]ecisions?\s+)?00(?:0[1-9]|[1-9]\d)(?:-[a-z][a-z-]*[a-z])?)\b`,
}, "|"))

// citations finds and resolves the citations of b.
func (p places) citations(b block) []citation {
	if !strings.ContainsAny(b.text, "0123456789\u00a7") && !strings.Contains(b.text, ".md") && !strings.Contains(b.text, "art ") {
		return nil // cheaper than to look for each form
	}
	s := scan{places: p, block: b, page: b.home}
	for _, m := range cites.FindAllStringSubmatchIndex(b.text, -1) {
		s.from, s.to = m[0], m[1]
		for i, kind := range cites.SubexpNames() {
			if kind != "" && m[2*i] >= 0 {
				s.visit(kind, b.text[m[2*i]:m[2*i+1]])
			}
		}
		s.last = m[1]
	}
	return s.found
}

// scan is one walk through a block. The page that is named last is meant by the
// sections and rows after it.
type scan struct {
	places
	block

	page     string // "" while none is named
	section  string // that items belong to
	named    int    // where the name of the page ended
	last     int    // where the match before ended
	from, to int    // of this match
	found    []citation
}

func (s *scan) visit(kind, text string) {
	switch kind {
	case "page":
		if strings.HasPrefix(text, "//") {
			return // of another site
		}
		s.named, s.page = s.to, path.Base(text)
		if !s.code && !s.documents[s.page] {
			s.report("", "no such document")
		}
	case "sections":
		s.ofPage()
		for _, place := range split(text) {
			s.report(s.page, s.inPage(place))
			s.section = place
		}
	case "items":
		for _, item := range split(text) {
			s.report(s.page, s.inPage(s.section+", "+item))
		}
	case "requirements":
		for _, number := range split(text) {
			s.report(s.row("DC-"+number, false))
		}
	case "row":
		oneLetter := len(strings.TrimRight(text, "0123456789")) == 1
		if s.series(text) && (!oneLetter || s.stands()) {
			s.report(s.row(text, s.ofPage() || s.follows()))
		}
	case "decision":
		bare := len(text) == len("0000")
		if s.stands() && (!bare || !s.code) {
			s.report("", s.decision(text))
		}
	case "vague":
		s.report("", "write the page with .md, the word section, and every number whole")
	}
}

var ofPage = regexp.MustCompile(`^\s+of\s+([\w./-]*[\w-]\.md)\b`)

// ofPage reads the page after this match and reports whether one is named there:
// "part D of identity-and-auth.md".
func (s *scan) ofPage() bool {
	m := ofPage.FindStringSubmatch(s.text[s.to:])
	if m != nil {
		s.page = path.Base(m[1])
	}
	return m != nil
}

var joint = regexp.MustCompile(`^,?\s+$`)

// follows reports whether this match comes right after the name of its page.
func (s *scan) follows() bool {
	return s.named > 0 && s.named == s.last && joint.MatchString(s.text[s.named:s.from])
}

func (s *scan) report(page, wrong string) {
	line := s.line + strings.Count(s.text[:s.from], "\n")
	s.found = append(s.found, citation{s.text[s.from:s.to], line, page, wrong})
}

var separators = regexp.MustCompile(`[\s,–-]+(?:(?:and|or|to)\s+)?`)

func split(list string) []string { return separators.Split(list, -1) }

var (
	joins  = regexp.MustCompile(`[-%\\/+=_.#&$@]`)
	goesOn = regexp.MustCompile(`^(?:[%\\/+=_#&$@]|:\d)`)
)

// stands reports whether this match is no part of a longer name, such as an
// escape in a URL or a key in code.
func (s *scan) stands() bool {
	return !joins.MatchString(s.text[max(0, s.from-1):s.from]) && !goesOn.MatchString(s.text[s.to:min(len(s.text), s.to+2)])
}

// inPage says what is wrong with a place of the page named last.
func (s *scan) inPage(place string) string {
	switch page, ok := s.pages[s.page]; {
	case s.page == "":
		return "name the page of the contract before it"
	case !ok:
		return s.page + " is no page of the contract"
	case len(page[place]) == 0:
		return s.page + " has no " + place
	case len(page[place]) > 1:
		return s.page + " has several places called " + place
	}
	return ""
}

// row resolves a row, which may stand without its page where only one has it.
func (s *scan) row(place string, named bool) (page, wrong string) {
	pages := s.with(place)
	switch {
	case named || slices.Contains(pages, s.page):
		return s.page, s.inPage(place)
	case len(pages) == 0:
		return "", "no page of the contract has it"
	case len(pages) > 1:
		return "", "several pages have it: name the page before it"
	}
	return pages[0], ""
}

// decision resolves the number of a decision, or its whole name.
func (s *scan) decision(name string) string {
	name = name[strings.IndexByte(name, '0'):]
	names := s.decisions[name[:4]]
	switch {
	case len(names) == 0:
		return "no such decision"
	case len(names) > 1:
		return "several decisions have this number"
	case len(name) > 4 && name != names[0]:
		return "the decision is called " + names[0]
	}
	return ""
}
