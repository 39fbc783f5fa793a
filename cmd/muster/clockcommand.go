package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// timeOfDay is the other form that `muster clock set` takes.
const timeOfDay = "15:04"

// runClock shows or moves the test clock of a server.
func runClock(ctx context.Context, args []string, stdout, _ io.Writer) error {
	var which whichServer
	fs := flagSet("clock", "[advance DURATION | set TIME] [flags]", stdout)
	fs.StringVar(&which.data, "data", which.data, "data `folder` of the server; without it the one that the AWS CLI calls")
	fs.StringVar(&which.readyFile, "ready-file", which.readyFile, "or the ready `file` of that server")
	args, err := parseFlags(fs, args, 2)
	if err != nil {
		return err
	}
	move, err := parseClock(args)
	if err != nil {
		return err
	}
	c, err := which.control()
	if err != nil {
		return err
	}
	now, err := c.clock(ctx, nil)
	if err == nil && move != nil {
		now, err = c.clock(ctx, move(now))
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, now.Format(time.RFC3339Nano))
	return err
}

// parseClock returns what makes an order of the time that the clock shows, or
// nil when it is only to be shown.
func parseClock(args []string) (func(now time.Time) object, error) {
	if len(args) == 0 {
		return nil, nil
	}
	if len(args) == 2 && args[0] == "advance" {
		if _, err := time.ParseDuration(args[1]); err != nil {
			return nil, usagef("clock advance: %q is no duration such as 90m", args[1])
		}
		return func(time.Time) object { return object{"advance": args[1]} }, nil
	}
	if len(args) == 2 && args[0] == "set" {
		if at, err := time.Parse(time.RFC3339, args[1]); err == nil {
			return func(time.Time) object { return object{"set": at} }, nil
		}
		if at, err := time.Parse(timeOfDay, args[1]); err == nil {
			return func(now time.Time) object { return object{"set": nextAt(now, at)} }, nil
		}
		return nil, usagef("clock set: %q is neither a time such as 2030-01-01T03:00:00Z nor a time of day, UTC, such as 03:00", args[1])
	}
	return nil, usagef("clock takes advance DURATION, set TIME, or nothing")
}

// nextAt returns the next instant behind now that has the time of day of at, in
// UTC.
func nextAt(now, at time.Time) time.Time {
	now = now.UTC()
	next := time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), 0, 0, time.UTC)
	if !next.After(now) {
		next = next.AddDate(0, 0, 1)
	}
	return next
}

// clock moves the test clock, unless order is nil, and returns what it shows.
func (c *control) clock(ctx context.Context, order object) (time.Time, error) {
	var answer struct{ Now time.Time }
	method := http.MethodPost
	if order == nil {
		method = http.MethodGet
	}
	err := c.call(ctx, method, clockPath, order, &answer)
	return answer.Now, err
}
