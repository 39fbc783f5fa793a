package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func verifyCommand() *cobra.Command {
	var c storeConfig
	var out output
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
		RunE: func(cmd *cobra.Command, args []string) error { return runVerify(cmd, args, c, out) },
	}
	c.register(cmd.Flags())
	out.register(cmd.Flags())
	return cmd
}

func runVerify(cmd *cobra.Command, args []string, c storeConfig, out output) error {
	data, err := existing(cmd, args)
	if err != nil {
		return err
	}
	database, err := c.database()
	if err != nil {
		return err
	}
	v := verdict{Folder: string(data), Problems: []string{}}
	err = data.Verify(cmd.Context(), database, func(p string) {
		v.Problems = append(v.Problems, p)
		if !out.json { // each when it is found: a large folder takes its time
			fmt.Fprintln(cmd.OutOrStdout(), p)
		}
	})
	if err != nil {
		return err
	}
	err = out.show(cmd, v, func(s screen) error {
		if len(v.Problems) > 0 {
			return nil // they are printed
		}
		_, err := fmt.Fprintf(s.w, "%s holds together\n", v.Folder)
		return err
	})
	if err == nil && len(v.Problems) > 0 {
		err = fmt.Errorf("%s has %d problems", v.Folder, len(v.Problems))
	}
	return err
}

// verdict is what is wrong with a data folder.
type verdict struct {
	Folder   string   `json:"folder"`
	Problems []string `json:"problems"`
}
