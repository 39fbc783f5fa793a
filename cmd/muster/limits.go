package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/limits"
)

func limitsCommand() *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "limits [flags]",
		Short: "list what can be limited, with the defaults and AWS's numbers",
		Long: `Prints a table of all limits: the name, the number of the profile "default", that
of the profile "aws", and what is limited.`,
		Example: `  muster limits
  muster serve --data data --limits aws --limit active-jobs=5`,
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return out.show(cmd, limitList(), printLimits) },
	}
	out.register(cmd.Flags())
	return cmd
}

// limitShown is a row of the table of limits. What has no limit has no number.
type limitShown struct {
	Name    string `json:"name"`
	Default int    `json:"default,omitempty"`
	AWS     int    `json:"aws,omitempty"`
	Text    string `json:"limited"`
}

func limitList() map[string][]limitShown {
	list := []limitShown{}
	for _, row := range limits.Table() {
		list = append(list, limitShown{row.Name, row.Default, row.AWS, row.Text})
	}
	return map[string][]limitShown{"limits": list}
}

func printLimits(s screen) error {
	columns := []column{{name: "name"}, {name: "default"}, {name: "aws"}, {name: "what is limited"}}
	var rows [][]string
	for _, row := range limits.Table() {
		rows = append(rows, []string{row.Name, orNone(row.Default), orNone(row.AWS), row.Text})
	}
	if err := s.table(columns, rows); err != nil {
		return err
	}
	fmt.Fprintln(s.w)
	return s.paragraph(0, "muster serve --limits aws takes the third column; --limit name=value changes one limit, and none lifts it.")
}

func orNone(n int) string {
	if n == 0 {
		return "none"
	}
	return strconv.Itoa(n)
}

// jobLimits are the limits of jobs.
func jobLimits(l limits.Limits) jobs.Limits {
	return jobs.Limits{
		ActiveJobs: l.ActiveJobs, ConcurrentJobs: l.ConcurrentJobs, DeletingJobs: l.DeletingJobs,
		JobTemplates: l.JobTemplates, RetentionDays: l.RetentionDays,
	}
}

// gatewayLimits are those of the device gateway.
func (c Config) gatewayLimits(l limits.Limits) gateway.Limits {
	return gateway.Limits{
		SessionExpiry: c.SessionExpiry, Subscriptions: l.Subscriptions, InFlight: l.InFlight,
		PublishRate: l.PublishRate, QueueMessages: l.QueuedMessages, Retained: l.Retained,
		ParentWildcard: c.ParentWildcard, SilentRefusal: c.SilentRefusal, CloseOnDeniedSubscribe: c.CloseDeniedSubscribe,
	}
}
