package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster/operator"
)

const nodesLong = `Several servers on one database are its nodes. Any of them can be asked. A node
that drains is not ready any more, so that balancers send it no devices; those
that it has are sent to the others within half a minute, and it takes no work.
It still answers operators. Without --data or --ready-file the server that is
asked is the one that the AWS CLI calls.`

func nodesCommand() *cobra.Command {
	var which whichServer
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "nodes [drain NAME] [flags]",
		Short: "list the servers that share a database, or drain one",
		Long:  nodesLong,
		Example: `  muster nodes --data /var/lib/muster
  muster nodes drain node-2`,
		Args: onlyCommands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := which.client()
			if err != nil {
				return err
			}
			list, err := operator.Client{API: api}.ListNodes(cmd.Context())
			if err != nil {
				return err
			}
			return printNodes(cmd.OutOrStdout(), list, asJSON)
		},
	}
	which.register(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", asJSON, "print JSON")
	cmd.AddCommand(drainNodeCommand())
	return cmd
}

func drainNodeCommand() *cobra.Command {
	var which whichServer
	var undo bool
	cmd := &cobra.Command{
		Use:   "drain NAME [--undo] [flags]",
		Short: "send the devices of a server to the others, before it is stopped",
		Long:  nodesLong,
		Example: `  muster nodes drain node-2
  muster nodes drain node-2 --undo`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 {
				return usagef("nodes drain needs the name of a node, which muster nodes shows")
			}
			api, err := which.client()
			if err != nil {
				return err
			}
			if err := (operator.Client{API: api}).DrainNode(cmd.Context(), operator.DrainOrder{Node: args[0], Drain: !undo}); err != nil {
				return err
			}
			state := operator.NodeDrains
			if undo {
				state = operator.NodeWorks
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", args[0], state)
			return err
		},
	}
	which.register(cmd.Flags())
	cmd.Flags().BoolVar(&undo, "undo", undo, "let it work again")
	return cmd
}

func printNodes(stdout io.Writer, list operator.NodeList, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(stdout).Encode(list)
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "name\tstate\thost\tversion\tstarted\tconnections\toperations/s\tleases\n")
	for _, n := range list.Nodes {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%.1f\t%d\n", n.Name, n.State, n.Host, n.Version, n.Started.Format(time.RFC3339), n.Connections, n.Operations, len(n.Leases))
	}
	return table.Flush()
}
