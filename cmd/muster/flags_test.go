package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// twoDashes reads a command line without knowing its command.
func TestAFlagOfOneNameTakesAValueEverywhereOrNowhere(t *testing.T) {
	switches := map[string]bool{}
	for _, cmd := range everyCommand(rootCommand()) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			isSwitch := f.NoOptDefVal != ""
			if was, known := switches[f.Name]; known && was != isSwitch {
				t.Errorf("--%s of %s takes a value, or takes none, otherwise than elsewhere", f.Name, cmd.CommandPath())
			}
			switches[f.Name] = isSwitch
		})
	}
}

func TestTwoDashes(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"serve -data d -check", "serve --data d --check"},
		{"serve -data=-x", "serve --data=-x"},
		{"fleet --prefix -data -data d", "fleet --prefix -data --data d"}, // a value may look like a flag
		{"fleet -prefix -data", "fleet --prefix -data"},
		{"serve -check -data d", "serve --check --data d"},
		{"serve -dta d", "serve -dta d"},
		{"serve -h", "serve -h"},
		{"serve -help", "serve --help"},
		{"admin sign d -", "admin sign d -"},
		{"admin sign -- -data", "admin sign -- -data"},
		{"-version", "--version"},
	} {
		got := twoDashes(rootCommand(), strings.Fields(test.args))
		if want := strings.Fields(test.want); !slices.Equal(got, want) {
			t.Errorf("%s becomes %s, want %s", test.args, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"data", "mqtt-plain", "mqtts", "log-level", "log-format", "limit", "limits", "drain"}
	for word, want := range map[string]string{
		"mqtt-plian": "mqtt-plain", // swapped
		"mqttplain":  "mqtt-plain",
		"dta":        "data",
		"dataa":      "data",
		"log":        "log-level log-format",
		"limi":       "limit limits",
		"limtis":     "limits", // one slip, where limit is two away
		"d":          "",       // anything
		"verbose":    "",
		"":           "",
	} {
		if got := strings.Join(nearest(word, names), " "); got != want {
			t.Errorf("nearest to %q is %q, want %q", word, got, want)
		}
	}
}

func TestSlips(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "acb", 1},
		{"abc", "ab", 1}, {"abc", "xbc", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3},
	} {
		if got := slips(test.a, test.b); got != test.want {
			t.Errorf("slips(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
