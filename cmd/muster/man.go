package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "write the manual pages into a folder",
		Long: `Writes a manual page for each command into the folder DIR, which is made when it
is missing, over pages that are there. The same program always writes the same.`,
		Example: "  muster man /usr/local/share/man/man1\n  man muster-serve",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 {
				return usagef("man needs the folder to write to")
			}
			n, err := writePages(cmd.Root(), args[0])
			if err == nil {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "wrote %d pages to %s\n", n, args[0])
			}
			return err
		},
	}
}

// writePages writes the page of each command of a tree, and returns how many.
func writePages(root *cobra.Command, dir string) (n int, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	for _, cmd := range everyCommand(root) {
		if cmd.Hidden {
			continue
		}
		var page strings.Builder
		writePage(&page, cmd)
		if err := os.WriteFile(filepath.Join(dir, pageName(cmd)+".1"), []byte(page.String()), 0o644); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// pageName returns the name of a command's page, such as muster-admin-keys.
func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// writePage writes a page in the macros that man(7) describes.
func writePage(w io.Writer, cmd *cobra.Command) {
	name, called := roff(pageName(cmd)), roff(cmd.CommandPath())
	fmt.Fprintf(w, ".TH %s 1 \"\" \"Muster %s\" \"Muster\"\n", strings.ToUpper(name), roff(versionText()))
	fmt.Fprintf(w, ".SH NAME\n%s \\- %s\n", name, roff(cmd.Short))
	fmt.Fprintf(w, ".SH SYNOPSIS\n\\fB%s\\fR%s\n", called, strings.TrimPrefix(roff(cmd.UseLine()), called))
	fmt.Fprint(w, ".SH DESCRIPTION\n")
	for _, paragraph := range append([]string{sentence(cmd.Short)}, paragraphs(cmd.Long)...) {
		fmt.Fprintf(w, ".PP\n%s\n", roff(strings.Join(strings.Fields(paragraph), " ")))
	}
	related := []string{}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprint(w, ".SH COMMANDS\n")
	}
	for _, below := range cmd.Commands() {
		if !below.Hidden {
			fmt.Fprintf(w, ".TP\n\\fB%s\\fR\n%s\n", roff(below.Name()), roff(sentence(below.Short)))
			related = append(related, reference(below))
		}
	}
	fmt.Fprint(w, ".SH OPTIONS\n")
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		kind, text := pflag.UnquoteUsage(f)
		names := "\\fB\\-\\-" + roff(f.Name) + "\\fR"
		if f.Shorthand != "" {
			names = "\\fB\\-" + f.Shorthand + "\\fR, " + names
		}
		if kind != "" {
			names += " \\fI" + roff(kind) + "\\fR"
		}
		fmt.Fprintf(w, ".TP\n%s\n%s\n", names, roff(text+shownDefault(f)))
	})
	if cmd.Example != "" {
		fmt.Fprintf(w, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(cmd.Example))
	}
	fmt.Fprint(w, ".SH EXIT STATUS\n0 when all is well, 1 when it failed, 2 when it was asked for something that makes no sense.\n")
	if cmd.HasParent() {
		related = append([]string{reference(cmd.Parent())}, related...)
	}
	if len(related) > 0 {
		fmt.Fprintf(w, ".SH SEE ALSO\n%s\n", strings.Join(related, ",\n"))
	}
}

// reference returns a reference to another page.
func reference(cmd *cobra.Command) string { return "\\fB" + roff(pageName(cmd)) + "\\fR(1)" }

var roffEscapes = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "~", `\(ti`, "^", `\(ha`)

// roff escapes text so that it appears literally and can be copied into a shell. A line that
// begins like a request gets an empty character in front.
func roff(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if lines[i] = roffEscapes.Replace(line); strings.HasPrefix(line, ".") {
			lines[i] = `\&` + lines[i]
		}
	}
	return strings.Join(lines, "\n")
}
