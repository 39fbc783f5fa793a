package wiregen

import (
	"regexp"
	"slices"
	"testing"
)

// samples gives, for each pattern that an input uses, values that it must match and
// values that it must not match, as in Java.
var samples = map[string]struct{ yes, no []string }{
	`(0x)?[a-fA-F0-9]+`:               {[]string{"0xAf09", "a", "0"}, []string{"", "0x", "g", "0Xa", "a\n"}},
	`([^\p{C}]|[\n\r\t])+`:            {[]string{"line 1\r\n\tline 2", "é", "\u00a0", "\u2028"}, []string{"", "\x00", "\x0b", "\x7f", "\u00ad", "\u200d", "\ue000", "\u0378", "\ufffe"}},
	`[$a-zA-Z0-9:_-]+`:                {[]string{"$aws-x:1_"}, []string{"", "a/b", "é", "%"}},
	`[0-9]+`:                          {[]string{"0", "0123456789"}, []string{"", "-1", "٣"}},
	`[A-Za-z0-9+/]+={0,2}`:            {[]string{"aGk=", "+/", "a=="}, []string{"", "=", "a===", "a-b", "a=b"}},
	`[\p{Graph}\x20]*`:                {[]string{"", "a b!~"}, []string{"\t", "é", "\x7f", "a\n"}},
	`[\p{Upper}\p{Digit}_]+`:          {[]string{"A_1"}, []string{"", "a", "É", "A-1", "A 1"}},
	`[\s\S]*`:                         {[]string{"", "a\nb\x00", "é\U0010ffff"}, nil},
	`[\w+=,.@-]+`:                     {[]string{"a_Z0+=,.@-"}, []string{"", "é", "a:b", "a b"}},
	`[^\p{C}]+`:                       {[]string{"a b", "é", "😀", "\u3000"}, []string{"", "\n", "\t", "\u0085", "\u200b", "\u0378", "\U000e0001"}},
	`[a-zA-Z0-9:$.]+`:                 {[]string{"a:Z$0.9"}, []string{"", "a-b"}},
	`[a-zA-Z0-9:.]+`:                  {[]string{"a:Z0.9"}, []string{"", "a$"}},
	`[a-zA-Z0-9-_.]+`:                 {[]string{"app-1.0_rc"}, []string{"", "a b", "a:b", "é", "a/b", "="}},
	`\S{36,64}`:                       {[]string{"6b6a0001-0000-4000-8000-000000000001"}, []string{"", "short", "6b6a0001 0000-4000-8000-000000000001"}},
	`[a-zA-Z0-9:_-]+`:                 {[]string{"Lamp-1:a_b"}, []string{"", "a b", "é", "a.b", "a\n"}},
	`[a-zA-Z0-9\-]+`:                  {[]string{"a-Z-9"}, []string{"", "a_b", `\`}},
	`[a-zA-Z0-9_-]+`:                  {[]string{"fw-12_b"}, []string{"", "a:b", "$next"}},
	`[a-zA-Z0-9_.,@/:#-]+`:            {[]string{"a_.,@/:#-Z9"}, []string{"", "a b", "="}},
	`[a-zA-Z0-9_.,@/:#=\[\]-]*`:       {[]string{"", "a_.,@/:#=[]-Z9"}, []string{"a b", "é", "{", `\`}},
	`^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$`: {[]string{"", "größe 1", "a_.:/=+-@", "٣", "\u2028"}, []string{"a*", "a\n", "a,b", "\u0301"}},
	`^[0-9A-Za-z_-]+$`:                {[]string{"aZ_-9"}, []string{"", "a.b", "a\n"}},
	`^[1-9]+.[0-9]+`:                  {[]string{"1.0", "12-34"}, []string{"", "10", "0.1", "1\n0", "1.", "1\u20280"}},
	`^[^$].*`:                         {[]string{"a", "a$", "\n", "é$"}, []string{"", "$a", "a\nb", "a\u0085"}},
	`^arn:[!-~]+$`:                    {[]string{"arn:a", "arn:aws:iot:eu-west-1:111122223333:thing/lamp"}, []string{"", "arn:", "arn:a b", "Arn:a", "arn:é"}},
}

func TestEveryPatternInUseIsTranslated(t *testing.T) {
	p, err := newPlan()
	if err != nil {
		t.Fatal(err)
	}
	for pattern := range samples {
		if !slices.Contains(p.patterns, pattern) {
			t.Errorf("pattern %s has samples but no user", pattern)
		}
	}
	for _, pattern := range p.patterns {
		sample, ok := samples[pattern]
		if !ok {
			t.Errorf("pattern %s has no samples", pattern)
		}
		expr, err := Expression(pattern)
		if err != nil {
			t.Errorf("Expression(%s): %v", pattern, err)
			continue
		}
		re := regexp.MustCompile(expr)
		for _, s := range sample.yes {
			if !re.MatchString(s) {
				t.Errorf("%s, translated to %s, must match %q", pattern, expr, s)
			}
		}
		for _, s := range sample.no {
			if re.MatchString(s) {
				t.Errorf("%s, translated to %s, must not match %q", pattern, expr, s)
			}
		}
	}
}

// The patterns of all operations can be translated, also of those without types yet.
func TestEveryPatternOfTheModelsIsTranslated(t *testing.T) {
	p, err := newPlan()
	if err != nil {
		t.Fatal(err)
	}
	for _, svc := range p.services {
		for name, shape := range svc.Shapes {
			if _, err := Expression(shape.Pattern); err != nil {
				t.Errorf("shape %s: %v", name, err)
			}
		}
	}
}

func TestTranslate(t *testing.T) {
	for pattern, want := range map[string]string{
		`[^\p{Cntrl}]*`: `[^\x00-\x1F\x7F]*`,
		`\S{36,64}`:     `[\x00-\x08\x0E-\x1F\x21-\x{10FFFF}]{36,64}`,
		`[\s]`:          `[\x09-\x0D\x20]`,
		`a.b`:           `a[^\n\r\x{85}\x{2028}\x{2029}]b`,
		`[.]\.`:         `[.]\.`,
	} {
		got, err := Expression(pattern)
		if want = `\A(?:` + want + `)\z`; err != nil || got != want {
			t.Errorf("Expression(%s) = %s, %v, want %s", pattern, got, err, want)
		}
	}
}

// A class must agree with its expression on every single character, and so on every
// string.
func TestClassAgreesWithItsExpression(t *testing.T) {
	p, err := newPlan()
	if err != nil {
		t.Fatal(err)
	}
	classes := 0
	for _, pattern := range p.patterns {
		expr, err := Expression(pattern)
		if err != nil {
			t.Fatal(err)
		}
		c, ok := classOf(expr)
		if !ok {
			continue
		}
		classes++
		re := regexp.MustCompile(expr)
		if got := re.MatchString(""); got == c.nonEmpty {
			t.Errorf("%s: empty text matches: %v, but nonEmpty is %v", pattern, got, c.nonEmpty)
		}
		for r := range rune(0x80) {
			if got, want := c.ascii[r>>6]&(1<<(r&63)) != 0, re.MatchString(string(r)); got != want {
				t.Errorf("%s: class holds %q: %v, want %v", pattern, r, got, want)
			}
		}
		for r := rune(0x80); r < 0x3000; r++ {
			switch match := re.MatchString(string(r)); {
			case c.beyond == "none" && match, c.beyond == "all" && !match:
				t.Errorf("%s: %U matches: %v, but the class holds %s beyond ASCII", pattern, r, match, c.beyond)
			}
		}
	}
	if classes < len(p.patterns)/2 {
		t.Errorf("only %d of %d patterns are classes", classes, len(p.patterns))
	}
}

func TestTranslateRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, pattern := range []string{
		`\p{Alpha}+`, `[\p{Lu}]`, `[^\p{C}a]`, `[a[b]]`, `[a-z&&[^b]]`, `\bword`, `a\Z`, `(?=a)b`, `a\`, `\x4`, `(`, `\Qa\E`,
	} {
		if expr, err := Expression(pattern); err == nil {
			t.Errorf("Expression(%s) = %s, want an error", pattern, expr)
		}
	}
}
