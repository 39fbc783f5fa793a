package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"regexp"
	"time"
)

// Config is everything that `muster serve` can be told.
type Config struct {
	Data      string // the data folder; made when it does not exist
	API       string // address of the HTTP listener
	MQTTPlain string // address of the MQTT listener without TLS; empty for none
	Pprof     string // loopback address of the profiler; empty for none
	ReadyFile string // written once everything listens, removed on exit; empty for none

	Region  string // the one region this deployment answers as
	Account string // its account: 12 digits
	Auth    string // authKeys or authNone

	AllowInsecure     bool // plain listeners may leave the loopback interface
	StrictTransitions bool // refuse REJECTED from IN_PROGRESS
	RemovedInProgress bool // end the running execution of a thing that leaves its last target

	Drain     time.Duration // how long a stop waits for requests in flight
	LogLevel  slog.Level
	LogFormat string // logText or logJSON
}

const (
	authKeys = "keys" // requests carry a signature made with an access key
	authNone = "none" // requests carry nothing; loopback only (arbitration A20)

	logText = "text"
	logJSON = "json"
)

func defaultConfig() Config {
	return Config{
		API:       "127.0.0.1:8080",
		Region:    "us-east-1",
		Account:   "000000000000",
		Auth:      authKeys,
		Drain:     10 * time.Second,
		LogLevel:  slog.LevelInfo,
		LogFormat: logText,
	}
}

// register makes each field of c a flag whose default is what c holds.
func (c *Config) register(fs *flag.FlagSet) {
	fs.StringVar(&c.Data, "data", c.Data, "`folder` that holds everything; made on first start")
	fs.StringVar(&c.API, "api", c.API, "`address` of the HTTP listener: control plane, jobs data plane, /healthz, /readyz, /metrics")
	fs.StringVar(&c.MQTTPlain, "mqtt-plain", c.MQTTPlain, "`address` of an MQTT listener without TLS or identity; off by default")
	fs.StringVar(&c.Pprof, "pprof", c.Pprof, "loopback `address` of the Go profiler; off by default")
	fs.StringVar(&c.ReadyFile, "ready-file", c.ReadyFile, "`file` to write once everything listens: JSON with URLs, addresses and credentials file")
	fs.StringVar(&c.Region, "region", c.Region, "`region` this deployment answers as")
	fs.StringVar(&c.Account, "account", c.Account, "`account` this deployment answers as: 12 digits")
	fs.StringVar(&c.Auth, "auth", c.Auth, "keys: requests are signed; none: they need not be, on loopback only")
	fs.BoolVar(&c.AllowInsecure, "allow-insecure-listeners", c.AllowInsecure, "let listeners without TLS accept connections from other machines")
	fs.BoolVar(&c.StrictTransitions, "strict-transitions", c.StrictTransitions, "refuse REJECTED from a device that already reported IN_PROGRESS")
	fs.BoolVar(&c.RemovedInProgress, "removed-in-progress", c.RemovedInProgress, "end the running execution of a thing that leaves the last target of a continuous job")
	fs.DurationVar(&c.Drain, "drain", c.Drain, "`time` a stop waits for requests in flight")
	fs.TextVar(&c.LogLevel, "log-level", c.LogLevel, "debug, info, warn or error")
	fs.StringVar(&c.LogFormat, "log-format", c.LogFormat, "text or json")
}

var (
	regionForm  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$`)
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
)

// check reports the first thing in c that makes no sense.
func (c Config) check() error {
	switch {
	case c.Data == "":
		return usagef("serve needs --data, the folder that holds everything")
	case !regionForm.MatchString(c.Region):
		return usagef("--region %q does not look like a region, such as us-east-1", c.Region)
	case !accountForm.MatchString(c.Account):
		return usagef("--account %q is not 12 digits", c.Account)
	case c.Auth != authKeys && c.Auth != authNone:
		return usagef("--auth is %q; it must be %s or %s", c.Auth, authKeys, authNone)
	case c.LogFormat != logText && c.LogFormat != logJSON:
		return usagef("--log-format is %q; it must be %s or %s", c.LogFormat, logText, logJSON)
	case c.Drain < 0:
		return usagef("--drain is %s; it cannot be negative", c.Drain)
	}
	return c.checkListeners()
}

// checkListeners keeps what is not encrypted, or not authenticated, on this
// machine unless the operator says otherwise.
func (c Config) checkListeners() error {
	for _, l := range []struct {
		flag, address string
		always        bool // no flag opens it to others
	}{
		{"--api", c.API, c.Auth == authNone},
		{"--mqtt-plain", c.MQTTPlain, c.Auth == authNone},
		{"--pprof", c.Pprof, true},
	} {
		if l.address == "" && l.flag != "--api" {
			continue
		}
		loopback, err := isLoopback(l.address)
		switch {
		case err != nil:
			return usagef("%s: %v", l.flag, err)
		case loopback:
		case l.always && c.Auth == authNone && l.flag != "--pprof":
			return usagef("%s %s would serve other machines without any authentication: --auth=none needs loopback addresses", l.flag, l.address)
		case l.always:
			return usagef("%s %s is not a loopback address", l.flag, l.address)
		case !c.AllowInsecure:
			return usagef("%s %s would serve other machines without TLS: put a TLS proxy in front, or say --allow-insecure-listeners", l.flag, l.address)
		}
	}
	return nil
}

// isLoopback reports whether only this machine can reach a listener on address.
func isLoopback(address string) (bool, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false, fmt.Errorf("%q is not host:port", address)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return false, fmt.Errorf("%q has no valid port", address)
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback(), nil
}

// logger returns the log that c asks for.
func (c Config) logger(w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == logJSON {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
