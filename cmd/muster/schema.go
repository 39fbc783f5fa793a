package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster/store/pgstore"
)

func schemaCommand() *cobra.Command {
	var o pgstore.SchemaOptions
	cmd := &cobra.Command{
		Use:   "schema [flags]",
		Short: "print the statements that make the tables of a database",
		Long: `Prints the statements that make Muster's tables in an empty PostgreSQL database, for
psql. A server makes them by itself where its user may; this is for databases in
which it may not, and for Citus. With --from it prints what the tables of an earlier
version lack: stop the servers first that made those.`,
		Example: `  muster admin schema --user muster | psql -v ON_ERROR_STOP=1 fleet
  muster admin schema --citus | psql -v ON_ERROR_STOP=1 fleet`,
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			statements, err := pgstore.Schema(o)
			if err == nil {
				_, err = fmt.Fprint(cmd.OutOrStdout(), statements)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&o.Distributed, "citus", false, "have Citus distribute what belongs to things over its workers, by their names")
	cmd.Flags().IntVar(&o.From, "from", 0, "the `version` of the tables that are there, as a server of this release says it")
	cmd.Flags().StringVar(&o.User, "user", "", "`role` of the servers, if it is not the one that makes the tables; it gets the rights that they need")
	return cmd
}
