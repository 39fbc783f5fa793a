package citations

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// repository is one with nothing wrong: a small contract, a decision, a document.
var repository = map[string]string{
	"docs/contract/README.md": "# The contract\n",
	"docs/contract/jobs-lifecycle.md": `# Lifecycle

## 1. Objects

See section 2, J4 and jobs-events.md section 1.

### 1.1 Keys

## 2. Judgement

| Id | Question |
|---|---|
| J4 | limits |
| J9 | rejoining |
`,
	"docs/contract/jobs-events.md":       "# Events\n\n## 1. Enabling\n\n| # | Check |\n|---|---|\n| 1 | first |\n| 2 | second |\n\n1. a\n2. b\n\n## 3. Choices\n\n| J4 | time |\n| J5 | units |\n",
	"docs/contract/mqtt-broker.md":       "# MQTT\n\n## 1. Rows\n\n| MQ-28 | M | reserved |\n| MQ-71 | M | families |\n- MQ-90: names\n\nSee MQ-28 and section 1.\n",
	"docs/contract/device-clients.md":    "# Clients\n\n## 1. All\n\n| DC-1 (M) | topics |\nDC-2: tokens\n",
	"docs/contract/identity-and-auth.md": "# Identity\n\n## A. TLS\n\n### A.1 Versions\n\n## B. Policies\n",
	"docs/decisions/README.md":           "# Decisions\n\n| [0001](0001-one-writer.md) | one writer |\n",
	"docs/decisions/0001-one-writer.md":  "# One writer\n",
	"docs/guide.md":                      "# A guide\n\n## What *you* need, first\n",
}

// check returns the problems of the repository with some files changed or added.
func check(t *testing.T, changed map[string]string) []string {
	t.Helper()
	repo := fstest.MapFS{}
	for _, files := range []map[string]string{repository, changed} {
		for name, text := range files {
			repo[name] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	report, err := Check(repo)
	if err != nil {
		t.Fatal(err)
	}
	var problems []string
	for _, p := range report.Problems {
		problems = append(problems, p.String())
	}
	return problems
}

func TestWhatResolves(t *testing.T) {
	for name, text := range map[string]string{
		"a section":              "// as jobs-lifecycle.md section 1.1 says",
		"in the next line":       "// as jobs-lifecycle.md\n// section 1.1, and as jobs-lifecycle.md section\n// 2 says",
		"several":                "// (jobs-lifecycle.md sections 1, 1.1 and 2)",
		"a part":                 "// identity-and-auth.md parts A and B, and A.1",
		"before its page":        "// part A of identity-and-auth.md, and J4\n// of jobs-lifecycle.md",
		"its checks":             "// (jobs-events.md section 3, jobs-lifecycle.md J9)",
		"a row of its page":      "// (jobs-lifecycle.md J4, jobs-events.md J4)",
		"a row of the page last": "// Payloads are jobs-events.md section 1. Times are in seconds (J4).",
		"a row that is unique":   "// (MQ-28), MQ-71 and MQ-90, A.1, J9",
		"with its page":          "// (mqtt-broker.md MQ-28 and DC-2)",
		"in a test's name":       "func TestMQ28And71To90TheRest() {}",
		"in a string":            `var _ = "a gap (MQ-90)"`,
		"another standard":       "// RFC 9110 section 13.2.2, MQTT 5, sections 3.4.2.1 and 3.14, RFC\n// 1 section 9",
		"a decision":             "// decision 0001, 0001-one-writer, docs/decisions/0001-one-writer.md",
		"a folder":               "// docs/contract",
		"a number in a program":  `var _ = "0042"`,
		"not one":                `var _ = "%C3%A9 A4 S3 T12:00 UTF-8 0000 page.md, %J9"`,
	} {
		if got := check(t, map[string]string{"a.go": "package a\n\n" + text + "\n"}); got != nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Each planted mistake is found, in its line.
func TestWhatDoesNotResolve(t *testing.T) {
	for name, test := range map[string]struct{ text, problem string }{
		"a section that is not there":   {"// jobs-lifecycle.md section 3", `"section 3": jobs-lifecycle.md has no 3`},
		"one of several":                {"// jobs-lifecycle.md sections 1, 1.2 and 2", `"sections 1, 1.2 and 2": jobs-lifecycle.md has no 1.2`},
		"the end of a range":            {"// jobs-lifecycle.md sections 1 to 4", `"sections 1 to 4": jobs-lifecycle.md has no 4`},
		"a part that is not there":      {"// identity-and-auth.md part E", `"part E": identity-and-auth.md has no E`},
		"a section below it":            {"// identity-and-auth.md A.2", `"A.2": identity-and-auth.md has no A.2`},
		"a check that is not there":     {"// jobs-events.md section 1, check 3", `"section 1, check 3": jobs-events.md has no 1, 3`},
		"a check that is there twice":   {"// jobs-events.md section 1, check 2", `"section 1, check 2": jobs-events.md has several places called 1, 2`},
		"a section without a page":      {"// see section 1", `"section 1": name the page of the contract before it`},
		"of another document":           {"// docs/guide.md section 1", `"section 1": guide.md is no page of the contract`},
		"before its page":               {"// section 3 of jobs-lifecycle.md", `"section 3": jobs-lifecycle.md has no 3`},
		"a row before its page":         {"// J5 of jobs-lifecycle.md", `"J5": jobs-lifecycle.md has no J5`},
		"a misspelled page":             {"// job-lifecycle.md, which says so", `"job-lifecycle.md": no such document`},
		"in code, with a section":       {`var _ = "job-lifecycle.md section 1"`, `"section 1": job-lifecycle.md is no page of the contract`},
		"in code, with a row":           {`var _ = "job-lifecycle.md J9"`, `"J9": job-lifecycle.md is no page of the contract`},
		"a row that several pages have": {"// at once (J4)", `"J4": several pages have it: name the page before it`},
		"in a test":                     {`var _ = "at once (J4)"`, `"J4": several pages have it: name the page before it`},
		"a row of no page":              {"// (MQ-29)", `"MQ-29": no page of the contract has it`},
		"a row of another page":         {"// (jobs-events.md J9)", `"J9": jobs-events.md has no J9`},
		"in a test's name":              {"func TestMQ28And72() {}", `"MQ-72": no page of the contract has it`},
		"without its hyphen":            {`var _ = "MQ28 a reserved topic"`, `"MQ28": write the page with .md, the word section, and every number whole`},
		"without its letters":           {"// MQ-28/71", `"MQ-28/71": write the page with .md, the word section, and every number whole`},
		"without the word section":      {"// jobs-lifecycle.md 1.1", `"jobs-lifecycle.md 1": write the page with .md, the word section, and every number whole`},
		"without .md":                   {"// lifecycle section 1", `"lifecycle section 1": write the page with .md, the word section, and every number whole`},
		"with a slash":                  {"// J4/J9", `"J4/J9": write the page with .md, the word section, and every number whole`},
		"after a dash":                  {"// MQ-28–MQ-30", `"MQ-30": no page of the contract has it`},
		"before a sign":                 {"// MQ-30/2 and MQ-30=", `"MQ-30": no page of the contract has it`},
		"with a sign":                   {"// jobs-lifecycle.md §1", `"§": write the page with .md, the word section, and every number whole`},
		"a decision that is not there":  {"// decision 0002", `"decision 0002": no such decision`},
		"a number alone":                {"// (0002)", `"0002": no such decision`},
		"in a string":                   {`var _ = "as decision 0002 says"`, `"decision 0002": no such decision`},
		"under another name":            {"// 0001-two-writers", `"0001-two-writers": the decision is called 0001-one-writer`},
		"a path":                        {"// docs/other.md", `"docs/other.md": no such file`},
	} {
		got := check(t, map[string]string{"a.go": "package a\n\n// A comment\n" + test.text + "\n"})
		if !slices.Contains(got, "a.go:4: "+test.problem) {
			t.Errorf("%s: %q, want a.go:4: %s", name, got, test.problem)
		}
	}
}

func TestOtherTexts(t *testing.T) {
	for name, test := range map[string]struct{ file, text, problem string }{
		"a paragraph":                    {"README.md", "# Muster\n\nAs MQ-30 says.\n", `README.md:3: "MQ-30": no page of the contract has it`},
		"a row of a table":               {"README.md", "| a |\n|---|\n| MQ-28 |\n| MQ-30 |\n", `README.md:4: "MQ-30": no page of the contract has it`},
		"a script":                       {"conformance/run", "#!/bin/sh\n# (MQ-30)\n", `conformance/run:2: "MQ-30": no page of the contract has it`},
		"a Python test":                  {"a.py", "@rows(1, 3)\ndef test():\n", `a.py:1: "@rows(1, 3)": no page of the contract has it`},
		"a JavaScript test":              {"a.js", "\ncheck(\"idle\", [2, 3], async () => {\n", `a.js:2: "check(\"idle\", [2, 3]": no page of the contract has it`},
		"a link to no file":              {"docs/a.md", "[a](b.md)\n", `docs/a.md:1: "b.md": no such file`},
		"a link to no heading":           {"docs/a.md", "\n[a](guide.md#what-you-need)\n", `docs/a.md:2: "guide.md#what-you-need": no such heading`},
		"a link to none of its own":      {"docs/a.md", "# B\n[a](#a)\n", `docs/a.md:2: "#a": no such heading`},
		"a section twice":                {"docs/contract/mqtt-broker.md", "# MQTT\n\n## 1. a\n\n## 1. b\n\n| MQ-28 | MQ-71 |\n", `docs/contract/mqtt-broker.md:5: "1": the page has another place of this name`},
		"a row twice":                    {"docs/contract/mqtt-broker.md", "| MQ-28 | a |\n| MQ-28 | b |\n", `docs/contract/mqtt-broker.md:2: "MQ-28": the page has another place of this name`},
		"a page that cites itself":       {"docs/contract/mqtt-broker.md", "| MQ-28 | section 2 |\n", `docs/contract/mqtt-broker.md:1: "section 2": mqtt-broker.md has no 2`},
		"two decisions with one number":  {"docs/decisions/0001-two-writers.md", "# Two writers\n", `docs/decisions/README.md:3: "0001": several decisions have this number`},
		"a heading that was reworded":    {"docs/contract/jobs-lifecycle.md", "# L\n\n## 5. Objects\n\n(jobs-lifecycle.md section 1)\n", `docs/contract/jobs-lifecycle.md:5: "section 1": jobs-lifecycle.md has no 1`},
		"a row that was taken away":      {"docs/contract/device-clients.md", "# Clients\n\nDC-1: all\n\nAs in DC-2.\n", `docs/contract/device-clients.md:5: "DC-2": no page of the contract has it`},
		"the manual's own Go code block": {"docs/a.md", "```go\n// MQ-30\n```\n", `docs/a.md:2: "MQ-30": no page of the contract has it`},
	} {
		if got := check(t, map[string]string{test.file: test.text}); !slices.Contains(got, test.problem) {
			t.Errorf("%s: %q, want %s", name, got, test.problem)
		}
	}
	fine := "```\n# 0042: a form\n```\n\n" +
		"[a](guide.md#what-you-need-first), [b](../docs), [c](contract/jobs-lifecycle.md), [d](https://x.example/y.md), [e](../a.bin)\n"
	if got := check(t, map[string]string{"docs/a.md": fine, "a.bin": "\x00"}); got != nil {
		t.Errorf("links that lead somewhere: %q", got)
	}
}

func TestWhatWasFetchedIsNotRead(t *testing.T) {
	for _, folder := range notOurs {
		if got := check(t, map[string]string{"conformance/" + folder + "/a.md": "MQ-30"}); got != nil {
			t.Errorf("%s: %q", folder, got)
		}
	}
}

func TestGoFilesCite(t *testing.T) {
	repo := fstest.MapFS{"a.go": {Data: []byte("package a\n\n// MQ-28, jobs-lifecycle.md sections 1 and 2\n")}, "b.md": {Data: []byte("DC-1")}}
	for name, text := range repository {
		repo[name] = &fstest.MapFile{Data: []byte(text)}
	}
	report, err := Check(repo)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"jobs-lifecycle.md": 2, "mqtt-broker.md": 1, "jobs-events.md": 0, "device-clients.md": 0, "identity-and-auth.md": 0}
	if !maps.Equal(report.Pages, want) {
		t.Errorf("cited %v, want %v", report.Pages, want)
	}
	if _, err := Check(fstest.MapFS{"a.go": {Data: []byte("no Go")}}); err == nil || !strings.Contains(err.Error(), "a.go") {
		t.Errorf("a Go file that cannot be read: %v", err)
	}
}
