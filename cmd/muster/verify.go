package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func verifyCommand() *cobra.Command {
	var c storeConfig
	cmd := &cobra.Command{
		Use:   "verify DIR [flags]",
		Short: "check that everything in a data folder holds together",
		Long: `Reads a whole data folder that no server uses, or a backup, and prints what is
damaged or missing. It changes nothing. It fails when there is any problem. With
--store or --store-file it also reads the database that the folder is served with,
while a server works on it or not.`,
		Example: `  muster admin verify /backup/monday
  muster admin verify /var/lib/muster --store postgres://ann@db.example/muster`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runVerify(cmd, args, c) },
	}
	c.register(cmd.Flags())
	return cmd
}

func runVerify(cmd *cobra.Command, args []string, c storeConfig) error {
	data, err := existing(cmd, args)
	if err != nil {
		return err
	}
	database, err := c.database()
	if err != nil {
		return err
	}
	problems := 0
	err = data.Verify(cmd.Context(), database, func(p string) {
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
