package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// pageWidth is how many columns a help page has at most, also on a terminal that has more.
const pageWidth = 80

// helpCommand returns the command that shows the pages of its parent and of the
// commands below that.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND …]",
		Short:   "show the page of a command",
		Long:    "Shows the page that --help shows, of muster itself when no command is named.",
		Example: "  muster help serve\n  muster help admin keys add",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Parent().Find(args)
			if err == nil {
				err = onlyCommands(about, rest)
			}
			if err != nil {
				return err
			}
			printHelp(about, nil)
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			about, _, err := cmd.Parent().Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return commandCompletions(about), cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// printHelp prints the page of a command.
func printHelp(cmd *cobra.Command, _ []string) {
	w, width := cmd.OutOrStdout(), pageWidth
	if s := screenOf(w); s.width > 0 {
		width = min(width, s.width)
	}
	fmt.Fprintf(w, "%s\nusage:\n%s", indented(sentence(cmd.Short), 0, width), indented(cmd.UseLine(), 2, width))
	for _, paragraph := range paragraphs(cmd.Long) {
		fmt.Fprintf(w, "\n%s", indented(paragraph, 0, width))
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprint(w, "\ncommands:\n")
		for _, c := range cmd.Commands() {
			if !c.Hidden {
				short := indented(c.Short, 2+c.NamePadding()+2, width)
				fmt.Fprintf(w, "  %-*s  %s", c.NamePadding(), c.Name(), strings.TrimLeft(short, " "))
			}
		}
	}
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nexamples:\n%s\n", cmd.Example)
	}
	fmt.Fprint(w, "\nflags:\n")
	cmd.Flags().VisitAll(func(f *pflag.Flag) { printFlag(w, f, width) })
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\n%s <command> --help shows the page of one.\n", cmd.CommandPath())
	}
}

// printFlag prints the lines of a flag.
func printFlag(w io.Writer, f *pflag.Flag, width int) {
	kind, text := pflag.UnquoteUsage(f)
	name := "--" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	fmt.Fprintf(w, "  %s\n%s", strings.TrimSpace(name+" "+kind), indented(text+shownDefault(f), 8, width))
}

// shownDefault returns the default of a flag in parentheses, or "" for the zero value.
func shownDefault(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "false", "0", "[]":
		return ""
	}
	return " (default " + f.DefValue + ")"
}

// paragraphs splits a text at its empty lines.
func paragraphs(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n\n")
}

// sentence turns a summary into a sentence.
func sentence(summary string) string {
	return strings.ToUpper(summary[:1]) + summary[1:] + "."
}

// indented returns text in lines of at most width columns, each after indent
// spaces. Only a word that is longer makes a line longer.
func indented(text string, indent, width int) string {
	var page strings.Builder
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && indent+utf8.RuneCountInString(line+" "+word) > width {
			fmt.Fprintf(&page, "%*s%s\n", indent, "", line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	fmt.Fprintf(&page, "%*s%s\n", indent, "", line)
	return page.String()
}
