package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/fleet"
	"github.com/muster-iot/muster/internal/apiclient"
)

// demoOptions are the flags of `muster demo`.
type demoOptions struct {
	devices int
	keep    bool
	seed    uint64
	work    time.Duration
}

const (
	demoGroup    = "demo"
	demoDocument = `{"operation":"install","package":"lamp-firmware","version":"2.1.0"}`
	// demoTimeout bounds the whole demo, which takes seconds unless something is wrong.
	demoTimeout = 2 * time.Minute
	devicesMax  = 10_000
)

func demoCommand() *cobra.Command {
	o := demoOptions{devices: 25, seed: 1, work: 3 * time.Second}
	cmd := &cobra.Command{
		Use:   "demo [flags]",
		Short: "show a job from its creation to the last device",
		Long: `Starts a server on free ports and a temporary folder, connects simulated devices
over MQTT, creates a job for all of them and shows how it goes. At the end it
prints how to do the same with the AWS CLI, and removes the folder.`,
		Example: `  muster demo
  muster demo --devices 200 --keep`,
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.devices < 1 || o.devices > devicesMax {
				return usagef("--devices is %d; it must be 1 to %d", o.devices, devicesMax)
			}
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := cmd.Flags()
	fs.IntVar(&o.devices, "devices", o.devices, "how many simulated `devices`")
	fs.BoolVar(&o.keep, "keep", o.keep, "stay up afterwards, to be tried with the AWS CLI, until interrupted")
	fs.Uint64Var(&o.seed, "seed", o.seed, "plays another part of the devices")
	fs.DurationVar(&o.work, "work", o.work, "mean `time` a device works on its job")
	return cmd
}

// run runs the demo on a server of its own in a temporary folder.
func (o demoOptions) run(ctx context.Context, stdout, stderr io.Writer) error {
	dir, err := os.MkdirTemp("", "muster-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	c := defaultConfig()
	c.Data = filepath.Join(dir, "data")
	for _, address := range []*string{&c.API, &c.MQTTS, &c.HTTPS, &c.Files.Address, &c.MQTTPlain, &c.Metrics} {
		*address = "127.0.0.1:0"
	}
	c.LogLevel = slog.LevelWarn
	log := c.logger(stderr)

	serving, stop := context.WithCancel(ctx)
	defer stop()
	up := make(chan datafolder.Ready, 1)
	served := make(chan error, 1)
	go func() { served <- serve(serving, c, log, func(r datafolder.Ready) { up <- r }) }()
	var ready datafolder.Ready
	select {
	case ready = <-up:
	case err := <-served:
		return err
	}

	err = o.play(ctx, ready, stdout, log)
	if err == nil && o.keep {
		fmt.Fprintf(stdout, "\nStill serving on %s and mqtt://%s. Interrupt to end.\n", ready.APIURL, ready.MQTTAddr)
		select {
		case <-ctx.Done():
		case err := <-served:
			return err
		}
	}
	stop()
	return errors.Join(err, <-served)
}

// play shows one job from its creation to the last device.
func (o demoOptions) play(ctx context.Context, ready datafolder.Ready, stdout io.Writer, log *slog.Logger) error {
	ctx, cancel := context.WithTimeoutCause(ctx, demoTimeout, errors.New("the demo did not end in time"))
	defer cancel()
	api, err := clientOf(ready)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "Muster %s serves on %s and mqtt://%s\n", versionText(), ready.APIURL, ready.MQTTAddr)

	things := thingNames("lamp-", o.devices)
	target, err := api.Register(ctx, demoGroup, things, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "Registered %d things in the thing group %q\n", len(things), demoGroup)

	cast := castOf(things, o.seed)
	devices := fleet.New(fleet.Options{
		Things:   things,
		Dial:     dialMQTT(ready.MQTTAddr, log),
		Behavior: fleet.Behavior{Seed: o.seed, Work: o.work, Steps: 3, Pick: 0.2},
		Outcome:  func(thing, _ string, _ int64) fleet.Outcome { return cast[thing] },
		Log:      log,
	})
	working, dismiss := context.WithCancel(ctx)
	defer dismiss()
	ended := make(chan error, 1)
	go func() { ended <- devices.Run(working) }()
	select {
	case <-devices.Ready():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	fmt.Fprintf(stdout, "Connected %d simulated devices over MQTT\n", len(things))

	job := fmt.Sprintf("demo-%s", time.Now().UTC().Format("20060102-150405"))
	if err := api.CreateJob(ctx, job, target, demoDocument); err != nil {
		return fmt.Errorf("create job: %w", err)
	}
	fmt.Fprintf(stdout, "Created job %s for the group\n\n", job)

	last, err := follow(ctx, api, job, newBoard(screenOf(stdout), o.devices))
	if err != nil {
		return err
	}
	dismiss()
	if err := <-ended; err != nil {
		return err
	}
	printCommandsTried(stdout, ready, job, target, things[0], o.keep)
	return cast.check(last)
}

// follow shows the job on the board until it is complete.
func follow(ctx context.Context, api *apiclient.Client, job string, b *board) (apiclient.Job, error) {
	beat := time.NewTicker(b.every)
	defer beat.Stop()
	for {
		now, err := api.DescribeJob(ctx, job)
		if err != nil {
			return now, fmt.Errorf("describe job: %w", err)
		}
		b.show(now)
		if now.Status == "COMPLETED" {
			b.done(now)
			return now, nil
		}
		select {
		case <-beat.C:
		case <-ctx.Done():
			return now, context.Cause(ctx)
		}
	}
}

// cast says which thing plays which part.
type cast map[string]fleet.Outcome

// castOf has most things succeed, one in eight fail, and one reject the job. A single
// device succeeds.
func castOf(things []string, seed uint64) cast {
	parts := cast{}
	order := shuffled(things, seed)
	failing := (len(things) + 4) / 8
	for i, thing := range order {
		switch {
		case i == 0 && len(things) > 1:
			parts[thing] = fleet.Reject
		case i > 0 && i <= failing:
			parts[thing] = fleet.Fail
		default:
			parts[thing] = fleet.Succeed
		}
	}
	return parts
}

// check compares the counters of the job with the outcomes that the devices played.
func (c cast) check(j apiclient.Job) error {
	want := map[fleet.Outcome]int{}
	for _, outcome := range c {
		want[outcome]++
	}
	for outcome, name := range map[fleet.Outcome]string{fleet.Succeed: "Succeeded", fleet.Fail: "Failed", fleet.Reject: "Rejected"} {
		if got := j.Count(name); got != want[outcome] {
			return fmt.Errorf("the job counts %d things as %s, but %d played that part", got, name, want[outcome])
		}
	}
	return nil
}

// printCommandsTried prints how to look at the same job with the stock AWS CLI.
func printCommandsTried(w io.Writer, r datafolder.Ready, job, target, thing string, stays bool) {
	if stays {
		fmt.Fprint(w, "\nLook at it with the stock AWS CLI:\n\n", exports(r))
	} else {
		fmt.Fprint(w, "\nThe same with the stock AWS CLI (run the demo with --keep to try it):\n\n")
	}
	fmt.Fprintf(w, `  aws iot create-thing --thing-name another-lamp
  aws iot add-thing-to-thing-group --thing-group-name %[1]s --thing-name another-lamp
  aws iot create-job --job-id my-job --targets %[2]s --document '{"operation":"blink"}'
  aws iot describe-job --job-id %[3]s
  aws iot list-job-executions-for-job --job-id %[3]s --status FAILED
  aws iot describe-job-execution --job-id %[3]s --thing-name %[4]s
  aws iot-jobs-data start-next-pending-job-execution --thing-name another-lamp
  aws iot-jobs-data update-job-execution --job-id my-job --thing-name another-lamp --status SUCCEEDED
`, demoGroup, target, job, thing)
}
