package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/muster-iot/muster/limits"
)

// completionCommand returns the command that prints completion scripts for shells. The
// scripts ask the binary itself, so they fit every release.
func completionCommand() *cobra.Command {
	shells := []struct {
		name, long, example string
		script              func(root *cobra.Command, w io.Writer) error
	}{
		{
			"bash", "Needs the package bash-completion. A new shell knows what is kept in the folder of the second example.",
			"  source <(muster completion bash)\n  muster completion bash > ~/.local/share/bash-completion/completions/muster",
			func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		},
		{
			"zsh", "Needs \"autoload -U compinit; compinit\" in ~/.zshrc. A new shell knows what is kept in the folder of the second example.",
			"  source <(muster completion zsh)\n  muster completion zsh > \"${fpath[1]}/_muster\"",
			(*cobra.Command).GenZshCompletion,
		},
		{
			"fish", "A new shell knows what is kept in the folder of the second example.",
			"  muster completion fish | source\n  muster completion fish > ~/.config/fish/completions/muster.fish",
			func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
		},
		{
			"powershell", "For every new shell, put the line of the example into the file that $PROFILE names.",
			"  muster completion powershell | Out-String | Invoke-Expression",
			(*cobra.Command).GenPowerShellCompletionWithDesc,
		},
	}
	cmd := group("completion <command>", "print what makes a shell complete command lines",
		"The script that is printed asks this program for what may follow: commands, flags, files and folders, and the values of flags that have only a few.")
	for _, shell := range shells {
		cmd.AddCommand(&cobra.Command{
			Use:     shell.name,
			Short:   "print the script for " + shell.name,
			Long:    shell.long,
			Example: shell.example,
			Args:    atMost(0),
			RunE: func(cmd *cobra.Command, _ []string) error {
				return shell.script(cmd.Root(), cmd.OutOrStdout())
			},
		})
	}
	return cmd
}

// completing reports whether args come from one of those scripts.
func completing(args []string) bool {
	return len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
}

// completeValues has shells complete the arguments of cmd and the values of its flags by
// the names that they have in its help: FILE and `file` are files, DIR and `folder` are
// folders, and `text|json` is one of those words.
func completeValues(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		kind, _ := pflag.UnquoteUsage(f)
		if complete := completionOf(kind); f.NoOptDefVal == "" && complete != nil {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, complete) // fails only for a flag that does not exist
		}
	})
	if cmd.ValidArgsFunction != nil {
		return
	}
	words := strings.Fields(cmd.Use)[1:]
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if complete := completionOf(wordAt(words, len(args))); complete != nil {
			return complete(cmd, args, word)
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

func wordAt(words []string, i int) string {
	if i < len(words) {
		return words[i]
	}
	return ""
}

// completionOf returns the function that completes values of that name, or nil when nothing
// can be suggested.
func completionOf(kind string) cobra.CompletionFunc {
	switch {
	case kind == "FILE" || kind == "file":
		return directed(cobra.ShellCompDirectiveDefault)
	case kind == "DIR" || kind == "TO" || kind == "folder":
		return directed(cobra.ShellCompDirectiveFilterDirs)
	case kind == "limit=value":
		return directed(cobra.ShellCompDirectiveNoSpace|cobra.ShellCompDirectiveNoFileComp, limitCompletions()...)
	case strings.Contains(kind, "|"):
		return directed(cobra.ShellCompDirectiveNoFileComp, strings.Split(kind, "|")...)
	}
	return nil
}

func directed(d cobra.ShellCompDirective, choices ...cobra.Completion) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return choices, d
	}
}

func limitCompletions() []cobra.Completion {
	var all []cobra.Completion
	for _, row := range limits.Table() {
		all = append(all, cobra.CompletionWithDesc(row.Name+"=", row.Text))
	}
	return all
}

// commandCompletions returns the commands below cmd.
func commandCompletions(cmd *cobra.Command) []cobra.Completion {
	var all []cobra.Completion
	for _, below := range cmd.Commands() {
		if !below.Hidden {
			all = append(all, cobra.CompletionWithDesc(below.Name(), below.Short))
		}
	}
	return all
}

// shortenDescriptions cuts the descriptions of flags to their first clause, which fits
// beside a flag in a list.
func shortenDescriptions(root *cobra.Command) {
	for _, cmd := range everyCommand(root) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			_, text := pflag.UnquoteUsage(f)
			if end := strings.IndexAny(text, ";:"); end > 0 {
				text = text[:end]
			}
			f.Usage = text
		})
	}
}
