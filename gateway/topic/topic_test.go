package topic

import (
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		filter, name string
		aws, parent  bool // as AWS has it, and with "a/#" matching "a"
	}{
		{"a", "a", true, true},
		{"a", "b", false, false},
		{"a", "a/b", false, false},
		{"a/b", "a", false, false},
		{"a/b", "a/b", true, true},
		{"+", "a", true, true},
		{"+", "a/b", false, false},
		{"+/+", "a/b", true, true},
		{"+/+", "/b", true, true},
		{"/+", "/b", true, true},
		{"+", "/b", false, false},
		{"a/+", "a/", true, true},
		{"a/+/c", "a/b/c", true, true},
		{"a/+/c", "a/b/d", false, false},
		{"#", "a", true, true},
		{"#", "a/b/c", true, true},
		{"a/#", "a/b/c", true, true},
		{"a/#", "a/", true, true},
		{"a/#", "a", false, true},
		{"a/+/#", "a/b", false, true},
		{"a/+/#", "a", false, false},
		{"a/#", "ab", false, false},
		{"#", "$aws/things/t/jobs/notify", false, false},
		{"+/things/t/jobs/notify", "$aws/things/t/jobs/notify", false, false},
		{"$aws/#", "$aws/things/t/jobs/notify", true, true},
		{"$aws/things/+/jobs/+", "$aws/things/t/jobs/notify", true, true},
		{"$aws/things/t/jobs/#", "$aws/things/t/jobs/j/get/accepted", true, true},
	} {
		if got := Match(c.filter, c.name, false); got != c.aws {
			t.Errorf("Match(%q, %q, false) = %v", c.filter, c.name, got)
		}
		if got := Match(c.filter, c.name, true); got != c.parent {
			t.Errorf("Match(%q, %q, true) = %v", c.filter, c.name, got)
		}
	}
}

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"":                               false,
		"a":                              true,
		"/":                              true,
		"a/+":                            false,
		"a#":                             false,
		"a\x00":                          false,
		strings.Repeat("a", 256):         true,
		strings.Repeat("a", 257):         false,
		"1/2/3/4/5/6/7/8":                true,
		"1/2/3/4/5/6/7/8/9":              false,
		"$aws/rules/r/1/2/3/4/5/6/7/8":   true,
		"$aws/rules/r/1/2/3/4/5/6/7/8/9": false,
		"$aws/commands/things/lamp/executions/e/response/rejected/json":   true,
		"$aws/commands/things/lamp/executions/e/response/rejected/json/x": false,
		"$aws/things/T/jobs/$next/namespace-x/get/accepted":               true,
		"$aws/things/T/jobs/$next/namespace-x/get/accepted/":              false,
	} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("CheckName(%q) = %v, want ok %v", name, err, ok)
		}
	}
}

func TestCheckFilter(t *testing.T) {
	for filter, ok := range map[string]bool{
		"":                           false,
		"#":                          true,
		"+":                          true,
		"a/#":                        true,
		"a/#/b":                      false,
		"a#":                         false,
		"a+/b":                       false,
		"a/+/b":                      true,
		"##":                         false,
		"a\x00":                      false,
		"1/2/3/4/5/6/7/#":            true,
		"1/2/3/4/5/6/7/8/#":          false,
		strings.Repeat("a", 257):     false,
		"$share/g/1/2/3/4/5/6/7/8":   true,
		"$share/g/1/2/3/4/5/6/7/8/9": false,
		"$share/g":                   false,
		"$share/g/":                  false,
		"$share//a":                  false,
		"$share/g+/a":                false,
		"$share/" + strings.Repeat("g", 129) + "/a": false,
	} {
		if err := CheckFilter(filter); (err == nil) != ok {
			t.Errorf("CheckFilter(%q) = %v, want ok %v", filter, err, ok)
		}
	}
}

// FuzzMatch compares Match with a recursive reading of the standard, and checks that nothing panics.
func FuzzMatch(f *testing.F) {
	f.Add("a/+/#", "a/b/c")
	f.Add("$aws/#", "$aws/things")
	f.Add("+/b", "/b")
	f.Fuzz(func(t *testing.T, filter, name string) {
		if CheckFilter(filter) != nil || CheckName(name) != nil {
			return
		}
		if _, _, shared := Share(filter); shared {
			return
		}
		for _, parent := range []bool{false, true} {
			want := !(name[0] == '$' && filter[0] != '$') && matchLevels(strings.Split(filter, "/"), strings.Split(name, "/"), parent)
			if got := Match(filter, name, parent); got != want {
				t.Errorf("Match(%q, %q, %v) = %v, want %v", filter, name, parent, got, want)
			}
		}
	})
}

func matchLevels(filter, name []string, parent bool) bool {
	switch {
	case len(filter) == 0:
		return len(name) == 0
	case filter[0] == "#":
		return len(name) > 0 || parent
	case len(name) == 0:
		return false
	}
	return (filter[0] == "+" || filter[0] == name[0]) && matchLevels(filter[1:], name[1:], parent)
}
