package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/device"
	"github.com/muster-iot/muster/fleet"
)

// fleetOptions are the flags of `muster fleet`.
type fleetOptions struct {
	readyFile  string
	data       string
	devices    int
	prefix     string
	group      string
	attributes map[string]string
	behavior   fleet.Behavior
	trust      string // file of certificates whose signatures devices accept
	signed     bool   // devices reject a job without a signed file
}

func fleetCommand() *cobra.Command {
	o := fleetOptions{
		devices: 25, prefix: "device-", group: "fleet", attributes: map[string]string{},
		behavior: fleet.Behavior{Seed: 1, Work: 3 * time.Second, Steps: 3, Fail: 0.05, Reject: 0.01, Pick: 0.2},
	}
	cmd := &cobra.Command{
		Use:   "fleet (--data DIR | --ready-file FILE) [flags]",
		Short: "run simulated devices against a server",
		Long: `Registers things, puts them into a thing group and plays their devices over
plain MQTT until it is interrupted: they take jobs, report progress, and some
fail or reject them. The server must run with --mqtt-plain.`,
		Example: `  muster fleet --data data --devices 100
  muster fleet --data data --attribute model=lamp --fail 0.2 --work 10s`,
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
			return o.run(cmd.Context(), cmd.OutOrStdout(), log)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&o.data, "data", o.data, "data `folder` of the server to work for")
	fs.StringVar(&o.readyFile, "ready-file", o.readyFile, "or the ready `file` of that server")
	fs.IntVar(&o.devices, "devices", o.devices, "how many simulated `devices`")
	fs.StringVar(&o.prefix, "prefix", o.prefix, "what the things' `names` begin with")
	fs.StringVar(&o.group, "group", o.group, "thing `group` to put them into")
	fs.Func("attribute", "an attribute of the things that are new, `name=value`; may be given again", o.attribute)
	fs.Uint64Var(&o.behavior.Seed, "seed", o.behavior.Seed, "plays another part of the devices")
	fs.DurationVar(&o.behavior.Work, "work", o.behavior.Work, "mean `time` a device works on a job")
	fs.IntVar(&o.behavior.Steps, "steps", o.behavior.Steps, "progress reports on the way")
	fs.Float64Var(&o.behavior.Fail, "fail", o.behavior.Fail, "share of jobs that fail, 0 to 1")
	fs.Float64Var(&o.behavior.Reject, "reject", o.behavior.Reject, "share of jobs that are rejected, 0 to 1")
	fs.Float64Var(&o.behavior.Hang, "hang", o.behavior.Hang, "share of jobs that are begun and never reported again, 0 to 1")
	fs.Float64Var(&o.behavior.Pick, "pick", o.behavior.Pick, "share of devices that pick their jobs, 0 to 1")
	fs.StringVar(&o.trust, "trust", o.trust, "PEM `file` of certificates: devices download the signed files of a job, and reject it unless one of these signed them")
	fs.BoolVar(&o.signed, "require-signature", o.signed, "devices also reject a job that brings no signed file")
	return cmd
}

func (o *fleetOptions) check() error {
	switch {
	case (o.data == "") == (o.readyFile == ""):
		return usagef("fleet needs --data or --ready-file, to find the server")
	case o.devices < 1 || o.devices > devicesMax:
		return usagef("--devices is %d; it must be 1 to %d", o.devices, devicesMax)
	case o.signed && o.trust == "":
		return usagef("--require-signature needs --trust, the certificates whose signatures count")
	case o.behavior.Steps < 0 || o.behavior.Work < 0:
		return usagef("--steps and --work cannot be negative")
	}
	b := o.behavior
	for _, share := range []float64{b.Fail, b.Reject, b.Hang, b.Fail + b.Reject + b.Hang, b.Pick} {
		if share < 0 || share > 1 {
			return usagef("--fail, --reject and --hang, their sum, and --pick must be 0 to 1")
		}
	}
	if o.data != "" {
		o.readyFile = datafolder.Folder(o.data).ReadyFile()
	}
	return nil
}

// attribute takes one --attribute.
func (o *fleetOptions) attribute(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return fmt.Errorf("%q is not name=value", text)
	}
	o.attributes[name] = value
	return nil
}

// run registers the things and plays their devices until ctx ends.
func (o *fleetOptions) run(ctx context.Context, stdout io.Writer, log *slog.Logger) error {
	ready, err := datafolder.ReadReady(o.readyFile)
	if err != nil {
		return err
	}
	if ready.MQTTAddr == "" {
		return fmt.Errorf("the server at %s has no plain MQTT listener; start it with --mqtt-plain", ready.APIURL)
	}
	api, err := clientOf(ready)
	if err != nil {
		return err
	}
	verifier, err := o.verifier(ready)
	if err != nil {
		return err
	}
	things := thingNames(o.prefix, o.devices)
	target, err := api.Register(ctx, o.group, things, o.attributes)
	if err != nil {
		return err
	}
	f := fleet.New(fleet.Options{Things: things, Dial: dialMQTT(ready.MQTTAddr, log), Behavior: o.behavior, Verifier: verifier, Log: log})
	go func() {
		<-f.Ready()
		if ctx.Err() == nil {
			fmt.Fprintf(stdout, "%d devices are connected to mqtt://%s; give them work:\n\n  aws iot create-job --job-id my-job --targets %s --document '{\"operation\":\"blink\"}'\n\n",
				len(things), ready.MQTTAddr, target)
		}
	}()
	return f.Run(ctx)
}

// verifier returns the verifier of job files, nil without --trust. It downloads from servers
// whose certificates the CA of the server has issued.
func (o *fleetOptions) verifier(ready datafolder.Ready) (*device.Verifier, error) {
	if o.trust == "" {
		return nil, nil
	}
	text, err := os.ReadFile(o.trust)
	if err != nil {
		return nil, fmt.Errorf("--trust: %w", err)
	}
	trusted, err := device.ParseCertificates(text)
	if err != nil {
		return nil, fmt.Errorf("--trust: %w", err)
	}
	roots := x509.NewCertPool()
	authority, err := os.ReadFile(ready.CAFile)
	if err != nil {
		return nil, err
	}
	roots.AppendCertsFromPEM(authority)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	return device.NewVerifier(device.VerifierOptions{Trusted: trusted, Required: o.signed, Client: client})
}

// dialMQTT returns how a simulated device connects to a plain MQTT listener.
func dialMQTT(address string, log *slog.Logger) func(context.Context, string) (*device.Client, error) {
	return func(ctx context.Context, thing string) (*device.Client, error) {
		return device.ConnectMQTT(ctx, device.MQTTOptions{Endpoint: "mqtt://" + address, Thing: thing, Log: log})
	}
}

// thingNames returns n names, numbered so that they sort.
func thingNames(prefix string, n int) []string {
	width := len(fmt.Sprint(n))
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s%0*d", prefix, width, i+1)
	}
	return names
}

// shuffled returns names in an order that follows from seed.
func shuffled(names []string, seed uint64) []string {
	order := make([]string, len(names))
	for to, from := range rand.New(rand.NewPCG(seed, 0)).Perm(len(names)) {
		order[to] = names[from]
	}
	return order
}
