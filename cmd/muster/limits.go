package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/muster-iot/muster/engine"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/limits"
)

// runLimits shows the table of limits.
func runLimits(_ context.Context, args []string, stdout, _ io.Writer) error {
	if _, err := parseFlags(flagSet("limits", "", stdout), args, 0); err != nil {
		return err
	}
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

// engineLimits are the limits that the engine keeps.
func engineLimits(l limits.Limits) engine.Limits {
	return engine.Limits{
		ActiveJobs: l.ActiveJobs, ConcurrentJobs: l.ConcurrentJobs, DeletingJobs: l.DeletingJobs,
		JobTemplates: l.JobTemplates, RetentionDays: l.RetentionDays, DynamicGroups: l.DynamicGroups,
	}
}

// gatewayLimits are those of the device gateway.
func (c Config) gatewayLimits(l limits.Limits) gateway.Limits {
	return gateway.Limits{
		SessionExpiry: c.SessionExpiry, Subscriptions: l.Subscriptions, InFlight: l.InFlight,
		PublishRate: l.PublishRate, QueueMessages: l.QueuedMessages, Retained: l.Retained,
	}
}
