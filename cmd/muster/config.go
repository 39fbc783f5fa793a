package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/muster-iot/muster/cors"
	"github.com/muster-iot/muster/files/s3api"
	"github.com/muster-iot/muster/gateway/proxyproto"
	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/internal/loopback"
	"github.com/muster-iot/muster/limits"
)

// Config are the flags of `muster serve`.
type Config struct {
	Data       string // the data folder; made when it does not exist
	Store      storeConfig
	StoreLanes laneCount // transactions of devices at a time on a database; zero: one for all
	Bus        busConfig
	AcceptLoss bool   // use what is left of a damaged folder
	API        string // address of the HTTP listener
	MQTTS      string // address of the MQTT listener with client certificates; empty for none
	HTTPS      string // address of the data plane with client certificates; empty for none
	ALPN       string // address of one listener for everything, distinguished by ALPN; empty for none
	MQTTPlain  string // address of the MQTT listener without TLS; empty for none
	Metrics    string // for scrapers and probes; empty for none
	Pprof      string // loopback address of the profiler; empty for none
	Files      FilesConfig
	ReadyFile  string // written once everything listens, removed on exit; empty for none

	Region  string // the one region of this deployment
	Account string // its account: 12 digits
	Auth    string // authKeys or authNone
	Hosts   string // by which clients reach this server, separated by commas; the first is announced

	Origins []string // of pages in browsers that may call the API; none by default

	Balancers proxyproto.Networks // peers that say with the PROXY protocol whose connections they bring

	AllowInsecure     bool // plain listeners may leave the loopback interface
	AcceptAnyRegion   bool // requests may be signed for other regions than Region
	StrictTransitions bool // refuse REJECTED from IN_PROGRESS
	RemovedInProgress bool // end the running execution of a thing that leaves its last target
	SkipSucceeded     bool // do not give a thing that comes back a continuous job in which it SUCCEEDED
	RolloutPerMinute  int  // of jobs that set no maximumPerMinute; zero: as fast as the service goes
	TestClock         bool // time stands still until /muster/v1/clock moves it

	TypeDeletionWait time.Duration // between the deprecation of a thing type and its deletion

	DiskReserve reserveSize // kept free on the disk of the data folder

	SigningProfile string // for the code signatures of job documents; empty: nothing is signed

	TLSCertificate string // PEM file of the TLS listeners' certificate and its chain; empty: one that the CA of the folder issues
	TLSKey         string // PEM file of its key

	SessionExpiry    time.Duration // longest life of an MQTT session after its connection
	CertificateGrace time.Duration // how long a device certificate is accepted before and after its validity; negative: always
	SlimTLS          bool          // shrink TLS connections of devices after their handshake
	OldDevices       bool          // offer RSA key exchange to clients that support nothing newer

	ParentWildcard       bool // a subscription to "a/#" gets what is published to "a" too
	SilentRefusal        bool // a refused MQTT 3.1.1 connection is closed without a CONNACK
	CloseDeniedSubscribe bool // a SUBSCRIBE that policies do not allow ends the connection

	Webhook webhookConfig

	Audit auditConfig

	LimitProfile string   // default or aws
	LimitOrders  []string // name=value, on top of the profile

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

// sessionExpiryMax is a limit of the contract (mqtt-broker.md MQ-52).
const sessionExpiryMax = 7 * 24 * time.Hour

func defaultConfig() Config {
	return Config{
		API:     "127.0.0.1:8080",
		MQTTS:   "127.0.0.1:8883",
		HTTPS:   "127.0.0.1:8443",
		Metrics: "127.0.0.1:9464",
		Files:   FilesConfig{Address: "127.0.0.1:8444", LinkMax: s3api.DefaultLinkBytes},
		Region:  "us-east-1",
		Account: "000000000000",
		Auth:    authKeys,
		Hosts:   "localhost,127.0.0.1,::1",
		Drain:   10 * time.Second,

		Webhook: defaultWebhook(),

		Audit: defaultAudit(),

		LimitProfile: "default",

		SessionExpiry:    time.Hour,
		CertificateGrace: ca.DefaultGrace,
		SlimTLS:          true,

		LogLevel:  slog.LevelInfo,
		LogFormat: logText,
	}
}

// graceUsage is the usage text of --certificate-grace, of serve and of explain-policy.
const graceUsage = "`time` that a device certificate counts before its first and after its last instant; a negative one, such as -1s, takes it whatever its time is"

// register makes each field of c a flag, with the value in c as its default.
func (c *Config) register(fs *pflag.FlagSet) {
	fs.StringVar(&c.Data, "data", c.Data, "`folder` that holds everything; made on first start")
	c.Store.register(fs)
	fs.Var(&c.StoreLanes, "store-lanes", "`number` of transactions of devices that run on the database at the same time, for one that is far away or has cores to spare; 0, which is the default without --bus, has all work in one, in larger batches; with --bus 1 when not given")
	c.Bus.register(fs)
	fs.BoolVar(&c.AcceptLoss, "accept-loss", c.AcceptLoss, "go on with what is there of a damaged data folder, once a start has said what is lost; for one start")
	fs.StringVar(&c.API, "api", c.API, "`address` of the HTTP listener: control plane, jobs data plane, /healthz, /readyz, and /metrics for keys that may")
	fs.StringVar(&c.MQTTS, "mqtts", c.MQTTS, "`address` of the MQTT listener with TLS and client certificates; empty for none")
	fs.StringVar(&c.HTTPS, "https", c.HTTPS, "`address` of the jobs data plane with TLS and client certificates; empty for none")
	fs.StringVar(&c.ALPN, "alpn", c.ALPN, "`address` of one TLS listener for everything, told apart by ALPN as on port 443 of AWS; off by default")
	fs.StringVar(&c.MQTTPlain, "mqtt-plain", c.MQTTPlain, "`address` of an MQTT listener without TLS or identity; off by default")
	fs.StringVar(&c.Metrics, "metrics", c.Metrics, "`address` of the listener for scrapers and probes, without keys: /metrics, /healthz, /readyz; empty for none")
	fs.StringVar(&c.Pprof, "pprof", c.Pprof, "loopback `address` of the Go profiler; off by default")
	c.Files.register(fs)
	c.DiskReserve.register(fs)
	fs.StringVar(&c.ReadyFile, "ready-file", c.ReadyFile, "`file` to write once everything listens: JSON with URLs, addresses and credentials file")
	c.registerDeployment(fs)
	fs.BoolVar(&c.AcceptAnyRegion, "accept-any-region", c.AcceptAnyRegion, "take requests that are signed for another region than --region, for callers whose default region differs")
	fs.StringVar(&c.Auth, "auth", c.Auth, "how requests prove whose they are, `keys|none`: keys sign them; none is for loopback only")
	fs.Func("cors-origin", "`origin` of pages in browsers that may call the API with access keys, such as https://fleet.example.com, or * for all; separate several with commas, or give it again", func(origins string) error {
		c.Origins = append(c.Origins, strings.Split(origins, ",")...)
		return nil
	})
	fs.Func("proxy-protocol", "`network` of balancers, such as 10.0.7.0/24, that begin each connection with a PROXY header of version 1 or 2 to say which client it is from; separate several with commas, or give it again", func(networks string) (err error) {
		c.Balancers, err = c.Balancers.With(networks)
		return err
	})
	fs.BoolVar(&c.AllowInsecure, "allow-insecure-listeners", c.AllowInsecure, "let listeners without TLS accept connections from other machines")
	fs.BoolVar(&c.StrictTransitions, "strict-transitions", c.StrictTransitions, "refuse REJECTED from a device that already reported IN_PROGRESS")
	fs.BoolVar(&c.RemovedInProgress, "removed-in-progress", c.RemovedInProgress, "end the running execution of a thing that leaves the last target of a continuous job")
	fs.StringVar(&c.SigningProfile, "signing-profile", c.SigningProfile, "`name` of the signing profile for ${aws:iot:code-sign-signature:…} in job documents; without one they are refused")
	fs.DurationVar(&c.TypeDeletionWait, "type-deletion-wait", c.TypeDeletionWait, "`time` that must pass between the deprecation of a thing type and its deletion, 5m on AWS; none by default")
	fs.BoolVar(&c.ParentWildcard, "mqtt-parent-wildcard", c.ParentWildcard, "let a subscription to a/# also match a, as the MQTT standard says and AWS does not")
	fs.BoolVar(&c.SilentRefusal, "mqtt-silent-refusal", c.SilentRefusal, "close an MQTT 3.1.1 connection that is refused without a CONNACK, as AWS does")
	fs.BoolVar(&c.CloseDeniedSubscribe, "mqtt-close-denied-subscribe", c.CloseDeniedSubscribe, "disconnect a client that subscribes to what it may not, instead of refusing the one filter")
	fs.BoolVar(&c.SkipSucceeded, "skip-succeeded", c.SkipSucceeded, "spare a thing that comes back to a continuous job's group after it SUCCEEDED, instead of giving it the job again")
	fs.StringVar(&c.TLSCertificate, "tls-certificate", c.TLSCertificate, "PEM `file` of the TLS listeners' certificate and its chain; one of the folder's own CA when not given")
	fs.StringVar(&c.TLSKey, "tls-key", c.TLSKey, "PEM `file` of the key of --tls-certificate")
	fs.IntVar(&c.RolloutPerMinute, "rollout-default-per-minute", c.RolloutPerMinute, "`rate` of jobs that set none, such as AWS's 1000; 0: as fast as it goes")
	fs.BoolVar(&c.TestClock, "test-clock", c.TestClock, "for tests of users: time stands still until POST /muster/v1/clock moves it; loopback only")
	fs.DurationVar(&c.SessionExpiry, "session-expiry", c.SessionExpiry, "longest `time` an MQTT session is kept after its connection, up to 168h")
	fs.DurationVar(&c.CertificateGrace, "certificate-grace", c.CertificateGrace, graceUsage)
	fs.BoolVar(&c.SlimTLS, "slim-tls", c.SlimTLS, "free what TLS connections of devices keep of their handshake, if this build passes its self-test")
	fs.BoolVar(&c.OldDevices, "old-devices", c.OldDevices, "let TLS 1.2 clients exchange keys with RSA, for devices that know nothing newer; who records their traffic and gets the server's key reads it")
	c.Webhook.register(fs)
	c.Audit.register(fs)
	fs.StringVar(&c.LimitProfile, "limits", c.LimitProfile, "profile of limits, `default|aws`; muster limits lists both")
	fs.StringArrayVar(&c.LimitOrders, "limit", c.LimitOrders, "one `limit=value`, on top of the profile; may be given again for others")
	fs.DurationVar(&c.Drain, "drain", c.Drain, "`time` a stop waits for requests in flight")
	fs.TextVar(&c.LogLevel, "log-level", c.LogLevel, "least important lines in the log, `debug|info|warn|error`")
	fs.StringVar(&c.LogFormat, "log-format", c.LogFormat, "form of the log, `text|json`")
}

// registerDeployment makes flags of what the servers of one deployment have in common.
func (c *Config) registerDeployment(fs *pflag.FlagSet) {
	fs.StringVar(&c.Region, "region", c.Region, "`region` this deployment answers as")
	fs.StringVar(&c.Account, "account", c.Account, "`account` this deployment answers as: 12 digits")
	fs.StringVar(&c.Hosts, "hosts", c.Hosts, "`names` and addresses by which clients reach this server: in its certificate, and the first in DescribeEndpoint")
}

var (
	regionForm  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$`)
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
)

// check reports the first mistake in c.
func (c Config) check() error {
	switch {
	case c.Data == "":
		return usagef("serve needs --data, the folder that holds everything")
	case c.Auth != authKeys && c.Auth != authNone:
		return usagef("--auth is %q; it must be %s or %s", c.Auth, authKeys, authNone)
	case len(c.Balancers) > 0 && c.Auth == authNone:
		return usagef("--proxy-protocol is for balancers, which bring connections of other machines, and --auth=none serves this machine only: leave out one of them")
	case c.LogFormat != logText && c.LogFormat != logJSON:
		return usagef("--log-format is %q; it must be %s or %s", c.LogFormat, logText, logJSON)
	case c.Drain < 0:
		return usagef("--drain is %s; it cannot be negative", c.Drain)
	case (c.TLSCertificate == "") != (c.TLSKey == ""):
		return usagef("--tls-certificate and --tls-key go together")
	case c.RolloutPerMinute < 0:
		return usagef("--rollout-default-per-minute is %d; it cannot be negative", c.RolloutPerMinute)
	case c.TypeDeletionWait < 0:
		return usagef("--type-deletion-wait is %s; it cannot be negative", c.TypeDeletionWait)
	case c.SessionExpiry <= 0 || c.SessionExpiry > sessionExpiryMax:
		return usagef("--session-expiry is %s; it must be positive and at most %s", c.SessionExpiry, sessionExpiryMax)
	}
	if err := c.checkDeployment(); err != nil {
		return err
	}
	if _, err := c.limits(); err != nil {
		return err
	}
	if _, err := c.cors(); err != nil {
		return err
	}
	if _, err := c.Store.database(); err != nil {
		return err
	}
	if err := c.Files.check(); err != nil {
		return err
	}
	if err := c.Webhook.check(); err != nil {
		return err
	}
	if err := c.Audit.check(); err != nil {
		return err
	}
	if err := c.checkBus(); err != nil {
		return err
	}
	return c.checkListeners()
}

// checkDeployment reports the first mistake in the flags of registerDeployment.
func (c Config) checkDeployment() error {
	switch {
	case !regionForm.MatchString(c.Region):
		return usagef("--region %q does not look like a region, such as us-east-1", c.Region)
	case !accountForm.MatchString(c.Account):
		return usagef("--account %q is not 12 digits", c.Account)
	case slices.Contains(c.hosts(), ""):
		return usagef("--hosts %q holds an empty name", c.Hosts)
	}
	return nil
}

// limits returns the profile of limits with the single limits that c changes.
func (c Config) limits() (limits.Limits, error) {
	l, err := limits.Profile(c.LimitProfile)
	if err != nil {
		return l, usagef("--limits: %v", err)
	}
	for _, order := range c.LimitOrders {
		if l, err = l.With(order); err != nil {
			return l, usagef("--limit: %v", err)
		}
	}
	return l, nil
}

// cors returns the rules for pages in browsers.
func (c Config) cors() (cors.Rules, error) {
	rules, err := cors.Parse(c.Origins)
	switch {
	case err != nil:
		return rules, usagef("--cors-origin: %v", err)
	case !rules.Off() && c.Auth == authNone:
		return rules, usagef("--cors-origin lets in pages that sign their requests, and --auth=none asks for no signature: leave out one of them")
	}
	return rules, nil
}

// hosts returns the names by which clients reach this server, at least one.
func (c Config) hosts() []string { return strings.Split(c.Hosts, ",") }

// listenFlag is a flag with the address of a listener.
type listenFlag struct {
	flag, address string
	tls           bool   // and every client must authenticate
	local         bool   // no flag opens it to others
	instead       string // without TLS: what to use for other machines instead
}

// listenFlags returns those of the listeners that c asks for.
func (c Config) listenFlags() []listenFlag {
	all := []listenFlag{
		{flag: "--api", address: c.API, instead: "--alpn serves the same API with TLS; or put a TLS proxy in front"},
		{flag: "--mqtts", address: c.MQTTS, tls: true},
		{flag: "--https", address: c.HTTPS, tls: true},
		{flag: "--alpn", address: c.ALPN, tls: true},
		{flag: "--files", address: c.Files.Address, tls: true},
		{flag: "--mqtt-plain", address: c.MQTTPlain, instead: "--mqtts, or --alpn, serves MQTT with TLS; or put a TLS proxy in front"},
		{flag: "--metrics", address: c.Metrics, instead: "--alpn serves /metrics with TLS, to keys that may muster:ReadMetrics; or put a TLS proxy in front"},
		{flag: "--pprof", address: c.Pprof, local: true},
	}
	return slices.DeleteFunc(all, func(l listenFlag) bool { return l.address == "" && l.flag != "--api" })
}

// checkListeners refuses listeners that other machines can reach without encryption or
// authentication, unless the operator allows them.
func (c Config) checkListeners() error {
	for _, l := range c.listenFlags() {
		loopback, err := isLoopback(l.address)
		switch {
		case err != nil:
			return usagef("%s: %v", l.flag, err)
		case loopback:
		case l.local:
			return usagef("%s %s is not a loopback address: reach it from elsewhere through an SSH tunnel", l.flag, l.address)
		case c.TestClock:
			return usagef("%s %s is not a loopback address, and --test-clock is for tests on one machine", l.flag, l.address)
		case c.Auth == authNone:
			return usagef("%s %s would serve other machines without authentication: --auth=none needs loopback addresses", l.flag, l.address)
		case !l.tls && !c.AllowInsecure:
			return usagef("%s %s would serve other machines without TLS: %s, or say --allow-insecure-listeners", l.flag, l.address, l.instead)
		}
	}
	return nil
}

// warnings returns settings that are allowed but probably not intended, each with advice.
func (c Config) warnings() []string {
	var all []string
	if c.Auth == authNone {
		all = append(all, "requests need no signature: every program on this machine may do everything")
	}
	var open, secure []string
	for _, l := range c.listenFlags() {
		if loopback, err := isLoopback(l.address); err != nil || loopback || !l.tls && l.flag != "--api" {
			continue
		}
		open = append(open, l.flag)
		if l.tls {
			secure = append(secure, l.flag)
		}
	}
	const say = "say with --hosts by which names and addresses they reach this server, such as --hosts muster.example,192.0.2.7"
	switch {
	case len(open) == 0 || slices.ContainsFunc(c.hosts(), func(host string) bool { return !loopback.Names(host) }):
	case len(secure) > 0 && c.TLSCertificate == "":
		all = append(all, fmt.Sprintf("%s can be reached from other machines, which will refuse the certificate, since it is for %s only: %s",
			strings.Join(secure, ", "), strings.Join(c.hosts(), ", "), say))
	default:
		all = append(all, fmt.Sprintf("%s can be reached from other machines, which DescribeEndpoint and the URLs of job files send to %s: %s",
			strings.Join(open, ", "), c.hosts()[0], say))
	}
	return all
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
	return loopback.Names(host), nil
}

// logger returns the log that c asks for.
func (c Config) logger(w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == logJSON {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
