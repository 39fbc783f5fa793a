package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/loopback"
	"github.com/muster-iot/muster/internal/secretfile"
	"github.com/muster-iot/muster/metrics"
	"github.com/muster-iot/muster/webhook"
)

// webhookConfig are the flags of `muster serve` about the webhook.
type webhookConfig struct {
	URL        string        // empty: there is none
	SecretFile string        // readable for its owner only
	Events     string        // event types, separated by commas
	CAFile     string        // PEM; empty: the authorities of the system
	Batch      int           // events in a request
	Attempts   int           // after which an event becomes a dead letter
	MaxAge     time.Duration // after which an event becomes a dead letter
}

func defaultWebhook() webhookConfig {
	return webhookConfig{Events: "JOB,JOB_EXECUTION", Batch: 1, Attempts: 20, MaxAge: 24 * time.Hour}
}

func (c *webhookConfig) register(fs *pflag.FlagSet) {
	fs.StringVar(&c.URL, "webhook-url", c.URL, "`URL` that events are posted to as CloudEvents, https or on this machine; off by default")
	fs.StringVar(&c.SecretFile, "webhook-secret-file", c.SecretFile, "`file` with the secret that signs those requests, readable for its owner only")
	fs.StringVar(&c.Events, "webhook-events", c.Events, "event `types` for the webhook, separated by commas")
	fs.StringVar(&c.CAFile, "webhook-ca-file", c.CAFile, "PEM `file` of the authorities that may certify the webhook; those of the system when not given")
	fs.IntVar(&c.Batch, "webhook-batch", c.Batch, "`number` of events in a request: 1 is structured mode, more, up to 1000, is batched mode")
	fs.IntVar(&c.Attempts, "webhook-attempts", c.Attempts, "`number` of times that the webhook may refuse an event before it is a dead letter")
	fs.DurationVar(&c.MaxAge, "webhook-max-age", c.MaxAge, "`time` after which an event that cannot be delivered is a dead letter")
}

// check reports the first mistake in c.
func (c webhookConfig) check() error {
	if c.URL == "" {
		if c.SecretFile != "" || c.CAFile != "" {
			return usagef("--webhook-secret-file and --webhook-ca-file need --webhook-url")
		}
		return nil
	}
	if err := c.checkURL(); err != nil {
		return err
	}
	if _, err := c.types(); err != nil {
		return err
	}
	switch {
	case c.SecretFile == "":
		return usagef("--webhook-url needs --webhook-secret-file")
	case c.Batch < 1 || c.Batch > webhook.BatchMax:
		return usagef("--webhook-batch is %d; it must be 1 to %d", c.Batch, webhook.BatchMax)
	case c.Attempts < 1:
		return usagef("--webhook-attempts is %d; it must be positive", c.Attempts)
	case c.MaxAge <= 0:
		return usagef("--webhook-max-age is %s; it must be positive", c.MaxAge)
	}
	return nil
}

// checkURL allows URLs without TLS on this machine only. Its errors do not repeat the URL,
// which may contain a token.
func (c webhookConfig) checkURL() error {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "":
		return usagef("--webhook-url is no URL such as https://example.com/events")
	case u.User != nil:
		return usagef("--webhook-url has a user or password; requests are signed instead")
	case u.Scheme == "https":
		return nil
	case u.Scheme != "http":
		return usagef("--webhook-url has the scheme %q; it must be https, or http on this machine", u.Scheme)
	}
	if !loopback.Names(u.Hostname()) {
		return usagef("--webhook-url leaves this machine without TLS: it must be https")
	}
	return nil
}

// types returns the event types that the webhook wants.
func (c webhookConfig) types() (map[muster.EventType]bool, error) {
	// nothing is published of these (jobs-events.md names no payload)
	silent := []muster.EventType{muster.EventPolicy, muster.EventCertificate, muster.EventCACertificate}
	types := map[muster.EventType]bool{}
	if c.URL == "" {
		return types, nil
	}
	for word := range strings.SplitSeq(c.Events, ",") {
		t, ok := muster.ParseEventType(word)
		if !ok || slices.Contains(silent, t) {
			var known []string
			for _, t := range append(muster.EventTypes(), muster.EventAudit) {
				if !slices.Contains(silent, t) {
					known = append(known, t.String())
				}
			}
			return nil, usagef("--webhook-events: there are no events %q; there are %s", word, strings.Join(known, ", "))
		}
		types[t] = true
	}
	return types, nil
}

// options reads the files that c names.
func (c webhookConfig) options() (o webhook.Options, err error) {
	o = webhook.Options{URL: c.URL, Batch: c.Batch, Attempts: c.Attempts, MaxAge: c.MaxAge}
	if o.Secret, err = readSecret(c.SecretFile); err != nil {
		return o, fmt.Errorf("--webhook-secret-file: %w", err)
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return o, fmt.Errorf("--webhook-ca-file: %w", err)
		}
		o.Roots = x509.NewCertPool()
		if !o.Roots.AppendCertsFromPEM(pem) {
			return o, fmt.Errorf("--webhook-ca-file: %s holds no certificate", c.CAFile)
		}
	}
	return o, nil
}

// webhookSecretMax bounds the file of a secret, in bytes.
const webhookSecretMax = 64 << 10

// readSecret reads a secret from a file that only its owner may read. A line break at the end
// is not part of the secret.
func readSecret(file string) (webhook.Secret, error) {
	text, err := secretfile.Read(file, webhookSecretMax)
	if err != nil {
		return webhook.Secret{}, err
	}
	return webhook.NewSecret(bytes.TrimRight(text, "\r\n"))
}

// wireWebhook makes the webhook, if there is to be one.
func (s *server) wireWebhook() error {
	if s.c.Webhook.URL == "" {
		return nil
	}
	o, err := s.c.Webhook.options()
	if err != nil {
		return err
	}
	o.Events, o.Account, o.Now, o.Clock, o.Log = s.service.Events, s.account(), time.Now, s.time, s.log
	s.hook = webhook.New(o)
	s.figures.Webhook(func() metrics.Webhook {
		ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
		defer cancel()
		backlog, dead, _ := s.service.Events.WebhookBacklog(ctx) // zero when the store cannot be read
		return metrics.Webhook{Stats: s.hook.Stats(), Backlog: backlog, Dead: dead}
	})
	return nil
}

// recorded tells the parts that deliver events that there are more.
func (s *server) recorded() {
	s.events.Recorded()
	if s.hook != nil {
		s.hook.Recorded()
	}
}

// sinks are the parts that deliver events.
func (s *server) sinks() stage {
	if s.hook == nil {
		return stage{s.events.Run}
	}
	return stage{s.events.Run, func(ctx context.Context) error { return s.while(ctx, webhookLease, s.hook.Run) }}
}
