package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/limits"
)

func limitsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "limits",
		Short: "list what can be limited, with the defaults and AWS's numbers",
		Long: `Prints a table of all limits: the name, the number of the profile "default", that
of the profile "aws", and what is limited.`,
		Example: `  muster limits
  muster serve --data data --limits aws --limit active-jobs=5`,
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return printLimits(cmd.OutOrStdout()) },
	}
}

func printLimits(stdout io.Writer) error {
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "name\tdefault\taws\twhat is limited\n")
	for _, row := range limits.Table() {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", row.Name, orNone(row.Default), orNone(row.AWS), row.Text)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprint(stdout, "\nmuster serve --limits aws takes the third column; --limit name=value changes one limit, and none lifts it.\n")
	return err
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
