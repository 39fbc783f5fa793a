package main

import (
	"fmt"
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
	var out output
	cmd := &cobra.Command{
		Use:   "nodes [drain NAME] [flags]",
		Short: "list the servers that share a database, or drain one",
		Long:  nodesLong,
		Example: `  muster nodes --data /var/lib/muster
  muster nodes drain node-2`,
		Args: onlyCommands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := which.client(cmd.Context())
			if err != nil {
				return err
			}
			list, err := operator.Client{API: api}.ListNodes(cmd.Context())
			if err != nil {
				return err
			}
			return out.show(cmd, list, func(s screen) error { return printNodes(s, list) })
		},
	}
	which.register(cmd.Flags())
	out.register(cmd.Flags())
	cmd.AddCommand(drainNodeCommand())
	return cmd
}

func drainNodeCommand() *cobra.Command {
	var which whichServer
	var undo bool
	var out output
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
			api, err := which.client(cmd.Context())
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
			return out.said(cmd, nodeState{args[0], state}, "%s: %s", args[0], state)
		},
	}
	which.register(cmd.Flags())
	out.register(cmd.Flags())
	cmd.Flags().BoolVar(&undo, "undo", undo, "let it work again")
	return cmd
}

// nodeState is a node after it was told to drain, or to work again.
type nodeState struct {
	Name  string             `json:"name"`
	State operator.NodeState `json:"state"`
}

func printNodes(s screen, list operator.NodeList) error {
	columns := []column{{name: "name"}, {name: "state"}, {name: "host", aside: true}, {name: "version", aside: true}, {name: "started", aside: true},
		{name: "connections"}, {name: "operations/s"}, {name: "leases"}}
	var rows [][]string
	for _, n := range list.Nodes {
		rows = append(rows, []string{n.Name, string(n.State), n.Host, n.Version, n.Started.Time().Format(time.RFC3339),
			fmt.Sprint(n.Connections), fmt.Sprintf("%.1f", n.Operations), fmt.Sprint(len(n.Leases))})
	}
	return s.table(columns, rows)
}
