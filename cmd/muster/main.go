// Command muster is the whole service in one binary: the server, the demo, the
// simulated fleet and the operator's tools. It reads flags, wires packages
// together and stops them in order; it holds no rule and no protocol.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, restore) // so that a second signal ends the process at once
	os.Exit(exitCode(run(ctx, os.Args[1:], os.Stdout, os.Stderr), os.Stderr))
}

func init() { cobra.EnableCommandSorting = false } // most wanted first, as in the code

// run is the program: main with its arguments and streams as parameters.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	root := rootCommand()
	root.SetOut(stdout)
	root.SetErr(stderr)
	args = twoDashes(root, args)
	if completing(args) {
		shortenDescriptions(root)
	} else if cmd, rest, err := root.Find(args); err != nil {
		return err
	} else if cmd.HasSubCommands() {
		// before cobra looks at flags of a command that does not exist
		if err := onlyCommands(cmd, rest); err != nil {
			return err
		}
	}
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// rootCommand returns a new tree of all commands.
func rootCommand() *cobra.Command {
	version := false
	root := &cobra.Command{
		Use:   "muster <command>",
		Short: "device jobs, self-hosted, byte for byte compatible with AWS IoT Jobs",
		Example: `  muster demo
  muster serve --data /var/lib/muster`,
		Args:          onlyCommands,
		SilenceErrors: true, // main reports an error, once
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if version {
				return runVersion(cmd, output{})
			}
			return needsCommand(cmd, args)
		},
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true}, // completionCommand takes its place
	}
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.Flags().BoolVar(&version, "version", version, "print the version")
	help := helpCommand()
	root.SetHelpCommand(help)
	root.SetHelpFunc(printHelp)
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(serveCommand(), demoCommand(), fleetCommand(), envCommand(), clockCommand(), nodesCommand(), auditCommand(), whyCommand(), limitsCommand(),
		adminCommand(), versionCommand(), completionCommand(), manCommand(), help)
	finish(root)
	return root
}

// finish gives cmd, and every command below it, what all commands have in common.
func finish(cmd *cobra.Command) {
	cmd.DisableFlagsInUseLine = true // it says so itself where there are any
	cmd.Flags().BoolP("help", "h", false, "show this page")
	completeValues(cmd)
	for _, below := range cmd.Commands() {
		finish(below)
	}
}

// group returns a command that only contains other commands.
func group(use, short, long string, of ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: onlyCommands, RunE: needsCommand}
	help := helpCommand()
	help.Hidden = true
	cmd.AddCommand(append(of, help)...)
	return cmd
}

// needsCommand is what such a command does when it is called by itself.
func needsCommand(cmd *cobra.Command, _ []string) error {
	printHelp(cmd, nil)
	return usagef("%s needs a command", cmd.CommandPath())
}

// exitCode prints an error and returns the exit code: 0 success, 1 failure, 2 a mistake in the
// command line.
func exitCode(err error, stderr io.Writer) int {
	var usage *usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "muster:", err)
		return 2
	default:
		fmt.Fprintln(stderr, "muster:", err)
		return 1
	}
}

// usageError is a mistake in the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}
