package iotpolicy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/muster-iot/muster/iotpolicy"
)

func TestASpanIsAllowedAsAWholeAndDeniedInPart(t *testing.T) {
	const upload = "arn:aws:s3:::lab/*/log-*.gz"
	for name, test := range map[string]struct {
		statements string
		want       iotpolicy.Outcome
	}{
		"everything":                  {`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`, iotpolicy.Allowed},
		"the bucket":                  {`{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::lab/*"}`, iotpolicy.Allowed},
		"the same parts":              {`{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::lab/*/log-*.gz"}`, iotpolicy.Allowed},
		"a wider end":                 {`{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::lab/*/log-*"}`, iotpolicy.Allowed},
		"one folder":                  {`{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::lab/pump/*"}`, iotpolicy.ImplicitDeny},
		"one character each":          {`{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::lab/?/log-?.gz"}`, iotpolicy.ImplicitDeny},
		"a narrower end":              {`{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::lab/*/log-*1.gz"}`, iotpolicy.ImplicitDeny},
		"all but a folder":            {`{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Deny","Action":"s3:PutObject","Resource":"arn:aws:s3:::lab/firmware/*"}`, iotpolicy.ExplicitDeny},
		"all but one object":          {`{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Deny","Action":"s3:PutObject","Resource":"arn:aws:s3:::lab/a/b/log-1.gz"}`, iotpolicy.ExplicitDeny},
		"all but what it cannot be":   {`{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Deny","Action":"s3:PutObject","Resource":"arn:aws:s3:::lab/a/log-1.zip"}`, iotpolicy.Allowed},
		"allowed by a NotResource":    {`{"Effect":"Allow","Action":"s3:*","NotResource":"arn:aws:s3:::secret/*"}`, iotpolicy.Allowed},
		"not by one that it can meet": {`{"Effect":"Allow","Action":"s3:*","NotResource":"arn:aws:s3:::lab/firmware/*"}`, iotpolicy.ImplicitDeny},
		"denied outside of a folder":  {`{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Deny","Action":"s3:*","NotResource":"arn:aws:s3:::lab/pump/*"}`, iotpolicy.ExplicitDeny},
		"denied outside of the bucket": {
			`{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Deny","Action":"s3:*","NotResource":"arn:aws:s3:::lab/*"}`, iotpolicy.Allowed,
		},
		"a variable without a value": {`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${iot:ClientId}*"}`, iotpolicy.ImplicitDeny},
	} {
		p, err := iotpolicy.Parse("test", `{"Version":"2012-10-17","Statement":[`+test.statements+`]}`)
		if err != nil {
			t.Fatal(err)
		}
		got := iotpolicy.Set{p}.Decide(iotpolicy.Request{Action: "s3:PutObject", Resource: upload, Span: true})
		if got.Outcome != test.want {
			t.Errorf("%s: %s, want %s", name, got.Outcome, test.want)
		}
	}
}

// The decision about a span agrees with those about the texts that match it.
func TestASpanAgreesWithItsTexts(t *testing.T) {
	const letters = "ab*?"
	texts := words("ab", 4)
	for _, pattern := range words(letters, 3) {
		for _, span := range words("ab*", 3) {
			for _, deny := range []bool{false, true} {
				all, some := true, false
				p := spanPolicy(t, pattern, deny)
				refused := func(d iotpolicy.Decision) bool { return d.Outcome == iotpolicy.ExplicitDeny }
				for _, text := range texts {
					if !meaning(span, text) {
						continue
					}
					d := p.Decide(iotpolicy.Request{Action: "s3:X", Resource: "arn:" + text})
					all, some = all && d.Allowed(), some || refused(d)
				}
				d := p.Decide(iotpolicy.Request{Action: "s3:X", Resource: "arn:" + span, Span: true})
				if !deny && d.Allowed() && !all {
					t.Errorf("Resource %s allows the span %s, but not each of its texts", pattern, span)
				}
				if deny && some && !refused(d) {
					t.Errorf("Resource %s denies a text of the span %s, but not the span", pattern, span)
				}
			}
		}
	}
}

func spanPolicy(t *testing.T, pattern string, deny bool) iotpolicy.Set {
	t.Helper()
	effect := "Allow"
	if deny {
		effect = "Deny"
	}
	p, err := iotpolicy.Parse("test", fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":%q,"Action":"s3:X","Resource":"arn:%s"}}`, effect, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return iotpolicy.Set{p}
}

// words returns all words of up to n letters.
func words(letters string, n int) []string {
	all := []string{""}
	for last := all; n > 0; n-- {
		var next []string
		for _, word := range last {
			for _, letter := range letters {
				next = append(next, word+string(letter))
			}
		}
		all, last = append(all, next...), next
	}
	return all
}

// meaning reports whether text matches span.
func meaning(span, text string) bool {
	first, rest, wild := strings.Cut(span, "*")
	if !wild {
		return span == text
	}
	if !strings.HasPrefix(text, first) {
		return false
	}
	for i := len(first); i <= len(text); i++ {
		if meaning(rest, text[i:]) {
			return true
		}
	}
	return false
}
