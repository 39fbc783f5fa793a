package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify DIR",
		Short: "check that everything in a data folder holds together",
		Long: `Reads a whole data folder that no server uses, or a backup, and prints what is
damaged or missing. It changes nothing. It fails when there is any problem.`,
		Example: "  muster admin verify /backup/monday",
		Args:    atMost(1),
		RunE:    runVerify,
	}
}

func runVerify(cmd *cobra.Command, args []string) error {
	data, err := existing(cmd, args)
	if err != nil {
		return err
	}
	problems := 0
	err = data.Verify(cmd.Context(), func(p string) {
		problems++
		fmt.Fprintln(cmd.OutOrStdout(), p)
	})
	if err != nil {
		return err
	}
	if problems > 0 {
		return fmt.Errorf("%s has %d problems", string(data), problems)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s holds together\n", string(data))
	return err
}
