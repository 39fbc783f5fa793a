package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// nameOf returns the name of a command in messages: its words after "muster".
func nameOf(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}

// atMost refuses more than n arguments. Flags may come before or after them.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return usagef("%s: unexpected argument %q; try %s --help", nameOf(cmd), args[n], cmd.CommandPath())
		}
		return nil
	}
}

// onlyCommands refuses words that name no command below cmd.
func onlyCommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return nil
	}
	word, names, elsewhere := args[0], []string{}, []string{}
	for _, c := range everyCommand(cmd.Root()) {
		switch {
		case c.Hidden:
		case c.Parent() == cmd:
			names = append(names, c.Name())
		case c.Name() == word:
			elsewhere = append(elsewhere, c.CommandPath())
		}
	}
	hint := "try " + cmd.CommandPath() + " --help"
	if near := nearest(word, names); len(near) > 0 {
		hint = "did you mean " + orList(cmd.CommandPath()+" ", near) + "?"
	} else if len(elsewhere) > 0 {
		hint = "did you mean " + orList("", elsewhere) + "?"
	}
	return usagef("%s has no command %q; %s", cmd.CommandPath(), word, hint)
}

// everyCommand returns cmd and all commands below it.
func everyCommand(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, below := range cmd.Commands() {
		all = append(all, everyCommand(below)...)
	}
	return all
}

// flagError says what is wrong with a flag of cmd.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var valueless *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		dashes, name, names := "--", unknown.GetSpecifiedName(), []string{}
		if group := unknown.GetSpecifiedShortnames(); group != "" {
			dashes, name = "-", group
		}
		name, _, _ = strings.Cut(name, "=")
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		hint := cmd.CommandPath() + " --help lists its flags"
		if near := nearest(name, names); len(near) > 0 {
			hint = "did you mean " + orList("--", near) + "?"
		}
		return usagef("%s has no flag %s%s; %s", cmd.CommandPath(), dashes, name, hint)
	case errors.As(err, &valueless):
		kind, _ := pflag.UnquoteUsage(valueless.GetFlag())
		return usagef("%s: --%s needs a value: --%s %s", nameOf(cmd), valueless.GetFlag().Name, valueless.GetFlag().Name, kind)
	case errors.As(err, &invalid):
		cause := invalid.Unwrap().Error()
		kind, _ := pflag.UnquoteUsage(invalid.GetFlag())
		if form, ok := valueForms[invalid.GetFlag().Value.Type()]; ok {
			cause = "it must be " + form
		} else if words := strings.Split(kind, "|"); len(words) > 1 {
			cause = "it must be " + orList("", words)
		}
		return usagef("%s: --%s cannot be %q: %s", nameOf(cmd), invalid.GetFlag().Name, invalid.GetValue(), cause)
	default:
		return usagef("%s: %v; try %s --help", nameOf(cmd), err, cmd.CommandPath())
	}
}

// valueForms describe what the types of package pflag parse.
var valueForms = map[string]string{
	"bool":     "true or false",
	"duration": "a time such as 500ms, 30s or 1h30m",
	"float64":  "a number",
	"int":      "a whole number",
	"uint64":   "a whole number that is not negative",
}

// twoDashes adds the second dash to flags that are written with one. Releases before 0.1.0
// accepted both, so scripts and service files may have either.
func twoDashes(root *cobra.Command, args []string) []string {
	known := map[string]*pflag.Flag{} // flags of one name take a value in all commands or in none
	for _, cmd := range everyCommand(root) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known[f.Name] = f })
	}
	args = append(make([]string, 0, len(args)), args...)
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		word, dashed := strings.CutPrefix(args[i], "-")
		name, _, hasValue := strings.Cut(strings.TrimPrefix(word, "-"), "=")
		f := known[name]
		if !dashed || f == nil {
			continue
		}
		if !strings.HasPrefix(word, "-") {
			args[i] = "-" + args[i]
		}
		if !hasValue && f.NoOptDefVal == "" {
			i++ // the next word is its value, whatever it looks like
		}
	}
	return args
}

// nearest returns the names that were probably meant by word: those that begin with
// it, or else those that the fewest typing slips turn into it.
func nearest(word string, names []string) []string {
	best, limit := []string{}, 1+len(word)/5
	for _, name := range names {
		if len(word) > 1 && strings.HasPrefix(name, word) {
			best = append(best, name)
		}
	}
	if len(best) > 0 {
		return best
	}
	for _, name := range names {
		d := slips(word, name)
		if d < limit {
			best, limit = nil, d
		}
		if d == limit {
			best = append(best, name)
		}
	}
	return best
}

// slips counts the letters to insert, remove or replace, and the neighbours to
// swap, that make b of a (the optimal string alignment distance).
func slips(a, b string) int {
	above, row := []int(nil), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := slices.Clone(row)
		next[0] = i + 1
		for j := range len(b) {
			replace := row[j]
			if a[i] != b[j] {
				replace++
			}
			next[j+1] = min(row[j+1]+1, next[j]+1, replace)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], above[j-1]+1)
			}
		}
		above, row = row, next
	}
	return row[len(b)]
}

// orList returns "a, b or c", each after prefix.
func orList(prefix string, names []string) string {
	var text strings.Builder
	for i, name := range names {
		switch {
		case i > 0 && i == len(names)-1:
			text.WriteString(" or ")
		case i > 0:
			text.WriteString(", ")
		}
		text.WriteString(prefix + name)
	}
	return text.String()
}
