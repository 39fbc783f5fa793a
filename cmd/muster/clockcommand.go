package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster/operator"
)

// timeOfDay is the other form of a time that `muster clock set` takes.
const timeOfDay = "15:04"

func clockCommand() *cobra.Command {
	cmd := showClockCommand()
	cmd.AddCommand(advanceClockCommand(), setClockCommand())
	return cmd
}

const clockLong = `In a server with --test-clock time stands still until it is moved; then what is
due by the new time happens before the command returns. Without --data or
--ready-file the server is the one that the AWS CLI calls.`

func showClockCommand() *cobra.Command {
	var which whichServer
	var out output
	cmd := &cobra.Command{
		Use:   "clock [advance DURATION | set TIME] [flags]",
		Short: "show or move the clock of a server with --test-clock",
		Long:  clockLong,
		Example: `  muster clock --data data
  muster clock advance 90m --data data`,
		Args: onlyCommands,
		RunE: func(cmd *cobra.Command, _ []string) error { return which.moveClock(cmd, out, nil) },
	}
	which.register(cmd.Flags())
	out.register(cmd.Flags())
	return cmd
}

func advanceClockCommand() *cobra.Command {
	var which whichServer
	var out output
	cmd := &cobra.Command{
		Use:   "advance DURATION [flags]",
		Short: "move the clock on by a while",
		Long:  clockLong,
		Example: `  muster clock advance 90m
  muster clock advance 25h --data data`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 {
				return usagef("clock advance needs a duration such as 90m")
			}
			if _, err := time.ParseDuration(args[0]); err != nil {
				return usagef("clock advance: %q is no duration such as 90m", args[0])
			}
			return which.moveClock(cmd, out, func(time.Time) operator.ClockOrder { return operator.ClockOrder{Advance: args[0]} })
		},
	}
	which.register(cmd.Flags())
	out.register(cmd.Flags())
	return cmd
}

func setClockCommand() *cobra.Command {
	var which whichServer
	var out output
	cmd := &cobra.Command{
		Use:   "set TIME [flags]",
		Short: "move the clock on to a time, or to the next time of day in UTC",
		Long:  clockLong,
		Example: `  muster clock set 03:00
  muster clock set 2030-01-01T03:00:00Z --data data`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 {
				return usagef("clock set needs a time such as 2030-01-01T03:00:00Z or 03:00")
			}
			if at, err := time.Parse(time.RFC3339, args[0]); err == nil {
				return which.moveClock(cmd, out, func(time.Time) operator.ClockOrder { return operator.ClockOrder{Set: &at} })
			}
			at, err := time.Parse(timeOfDay, args[0])
			if err != nil {
				return usagef("clock set: %q is neither a time such as 2030-01-01T03:00:00Z nor a time of day, UTC, such as 03:00", args[0])
			}
			return which.moveClock(cmd, out, func(now time.Time) operator.ClockOrder {
				next := nextAt(now, at)
				return operator.ClockOrder{Set: &next}
			})
		},
	}
	which.register(cmd.Flags())
	out.register(cmd.Flags())
	return cmd
}

// moveClock reads the test clock, moves it as the order that move returns for that time
// says, unless move is nil, and prints its new time.
func (w whichServer) moveClock(cmd *cobra.Command, out output, move func(now time.Time) operator.ClockOrder) error {
	api, err := w.client(cmd.Context())
	if err != nil {
		return err
	}
	c := operator.Client{API: api}
	clock, err := c.ReadClock(cmd.Context())
	if err == nil && move != nil {
		clock, err = c.MoveClock(cmd.Context(), move(clock.Now.Time()))
	}
	if err != nil {
		return err
	}
	return out.said(cmd, clock, "%s", clock.Now.Time().Format(time.RFC3339Nano))
}

// nextAt returns the next instant after now that has the time of day of at, in
// UTC.
func nextAt(now, at time.Time) time.Time {
	now = now.UTC()
	next := time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), 0, 0, time.UTC)
	if !next.After(now) {
		next = next.AddDate(0, 0, 1)
	}
	return next
}
