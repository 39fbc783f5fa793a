package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/muster-iot/muster/authz"
	"github.com/muster-iot/muster/awsiot"
	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/dataplane"
	"github.com/muster-iot/muster/events"
	"github.com/muster-iot/muster/files"
	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/files/s3api"
	"github.com/muster-iot/muster/flood"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/door"
	"github.com/muster-iot/muster/gateway/proxyproto"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/intake"
	"github.com/muster-iot/muster/iotdata"
	"github.com/muster-iot/muster/limits"
	"github.com/muster-iot/muster/metrics"
	"github.com/muster-iot/muster/presence"
	"github.com/muster-iot/muster/scheduler"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/turns"
	"github.com/muster-iot/muster/watch"
	"github.com/muster-iot/muster/webhook"
)

// server is every part of a running Muster. wire.go puts them together; this file runs them.
type server struct {
	c       Config
	log     *slog.Logger
	figures *metrics.Metrics
	limits  limits.Limits
	resets  *resets // which outlive it
	flood   *flood.Guard
	turns   *turns.Turns // of background work

	data   datafolder.Folder
	disks  disks
	store  *datafolder.Store
	keys   *identity.Keys
	issuer *ca.Authority

	doors        *listeners
	certificates *datafolder.Certificates
	tls          *door.Door
	https        *door.Queue // connections that the TLS listeners found to be HTTPS
	fetch        *door.Queue // likewise, for job files
	// intake bounds the memory that all HTTP listeners give to unknown clients.
	intake *intake.Intake

	service  *service.Service
	watch    *watch.Watch
	timer    *scheduler.Scheduler
	clock    *scheduler.TestClock // nil: real time
	disk     *diskstore.Store     // nil: job files are elsewhere
	files    *files.Store
	fileAPI  http.Handler // nil like disk
	jobs     *dataplane.Service
	plane    *dataplane.HTTP
	notifier *dataplane.Notifier
	events   *events.Publisher
	hook     *webhook.Hook // nil: none
	nodes    *nodes        // nil: this server is the only one on its store
	contract *awsiot.Server
	presence *presence.Recorder
	authz    *authz.Authorizer
	gateway  *gateway.Server
	api      http.Handler
	apiTLS   http.Handler // without probes
	devices  http.Handler
	serving  atomic.Bool
}

// run serves until ctx ends, and then stops in order: first new requests are refused, then those
// in flight are answered and their notifications sent, then connections end. It calls up once
// everything listens.
func (s *server) run(ctx context.Context, up func(datafolder.Ready)) error {
	announced := make(chan struct{})
	front := proxyproto.New(proxyproto.Options{Balancers: s.c.Balancers, Log: s.log}) // of all listeners but those for scrapers and profilers
	outside := stage{
		func(ctx context.Context) error { return s.serveHTTP(ctx, s.api, front.Listen(s.doors.api)) },
		func(ctx context.Context) error {
			return s.serveHTTP(ctx, tellTLS(http.HandlerFunc(s.serveTLS)), overTLS{s.https})
		},
		s.background,
		s.disks.run,
		s.runFiles,
		s.awaitReset,
		func(ctx context.Context) error { s.completeCertificates(ctx, announced); return nil },
		func(ctx context.Context) error { s.authz.Run(ctx); return nil },
		func(ctx context.Context) error { takeAudit(ctx, s.data, s.service.Audit, s.log); return nil },
		func(ctx context.Context) error { s.keys.Run(ctx, func() { s.gateway.DisconnectOver() }); return nil },
	}
	for kind, l := range map[door.Kind]net.Listener{
		door.MQTTS: s.doors.mqtts, door.HTTPS: s.doors.https, door.Shared: s.doors.alpn, door.Files: s.doors.files,
	} {
		if l != nil {
			outside = append(outside, func(ctx context.Context) error { return s.tls.Serve(ctx, front.Listen(l), kind) })
		}
	}
	if l := s.doors.mqtt; l != nil {
		outside = append(outside, func(ctx context.Context) error { return s.gateway.Serve(ctx, front.Listen(l)) })
	}
	if s.doors.files != nil {
		outside = append(outside, s.serveFiles)
	}
	if l := s.doors.watch; l != nil {
		outside = append(outside, func(ctx context.Context) error {
			server := awsiot.NewHTTPServer(s.watching(), s.log)
			return serveHTTP(ctx, s.log, server, s.intake.Guard(server, l), 0)
		})
	}
	if l := s.doors.pprof; l != nil {
		outside = append(outside, func(ctx context.Context) error {
			server := profiler()
			return serveHTTP(ctx, s.log, server, s.intake.Guard(server, l), 0)
		})
	}
	return runStages(ctx,
		s.joined(stage{func(ctx context.Context) error {
			return s.announce(ctx, func(r datafolder.Ready) {
				up(r)
				close(announced)
			})
		}}),
		s.joined(outside),
		append(s.sinks(), s.presence.Run, s.service.Diary.Run), // they report to the service what they delivered and what was seen of devices
		stage{s.service.Run},
		stage{s.notifier.Run},
		stage{s.gateway.Run},
		s.telling(),
		s.beating(),
	)
}

// background runs the work that no request asks for. First it delivers the notifications that
// were pending when the process stopped.
func (s *server) background(ctx context.Context) error {
	if err := s.service.Jobs.Redeliver(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	work := s.work()
	if s.clock != nil {
		work = s.clock.Hold(s.service)
	}
	s.timer.Run(ctx, work)
	return nil
}

// serveHTTP serves requests from l until ctx ends; long polls end at once then.
func (s *server) serveHTTP(ctx context.Context, h http.Handler, l net.Listener) error {
	server := awsiot.NewHTTPServer(h, s.log)
	server.ConnContext = withTLS
	server.RegisterOnShutdown(s.plane.Drain)
	return serveHTTP(ctx, s.log, server, s.intake.Guard(server, l), s.c.Drain)
}

// serveTLS serves a request on a TLS listener: a device's, when the client presented a
// certificate, and otherwise like the API listener, but without probes, because TLS listeners
// answer nothing to unauthenticated callers.
func (s *server) serveTLS(w http.ResponseWriter, r *http.Request) {
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 && !s3api.Claims(r) {
		s.devices.ServeHTTP(w, r)
		return
	}
	s.apiTLS.ServeHTTP(w, r)
}

// completeCertificates makes the certificate with an RSA key, if it is missing, after the
// server is announced, so that the start does not wait for it. It returns when ctx ends.
func (s *server) completeCertificates(ctx context.Context, announced <-chan struct{}) {
	select {
	case <-announced:
	case <-ctx.Done():
	}
	if err := s.certificates.Complete(ctx, s.keepParts); err != nil && ctx.Err() == nil {
		s.log.Warn("the certificate for devices that can check RSA signatures only cannot be made; the next start tries again", "error", err)
	}
	<-ctx.Done()
}

// identifyForJobs and identifyForMessages find the device of a client certificate.
func (s *server) identifyForJobs(ctx context.Context, certificate []byte, addr string) (dataplane.Device, error) {
	return s.authz.Device(ctx, certificate, addr)
}

func (s *server) identifyForMessages(ctx context.Context, certificate []byte, addr string) (iotdata.Device, error) {
	return s.authz.Device(ctx, certificate, addr)
}

// announce writes the ready files and calls up. When ctx ends it removes the files.
func (s *server) announce(ctx context.Context, up func(datafolder.Ready)) error {
	r := s.doors.ready()
	r.CAFile = s.data.CA().Certificate
	if s.disk != nil || !s.c.Files.builtIn() {
		r.FilesURL = s.files.URL.String()
	}
	r.CredentialsFile, r.Region, r.Account, r.PID = s.data.Credentials(), s.c.Region, s.c.Account, os.Getpid()
	if r.ALPNAddr != "" && s.c.TLSCertificate == "" {
		r.CABundle = r.CAFile
	}
	var files []string
	if !datafolder.ReadOnly(s.data) {
		files = append(files, s.data.ReadyFile())
	}
	if s.c.ReadyFile != "" {
		files = append(files, s.c.ReadyFile)
	}
	s.serving.Store(true)
	defer s.serving.Store(false)
	for _, file := range files {
		if err := r.Write(file); err != nil {
			return err
		}
		defer os.Remove(file)
	}
	s.log.Info("serving", "api", r.APIURL, "metrics", r.MetricsURL, "mqtts", r.MQTTSAddr, "https", r.HTTPSURL, "alpn", r.ALPNAddr, "files", r.FilesURL, "mqtt", r.MQTTAddr, "data", string(s.data), "version", versionText())
	up(r)
	<-ctx.Done()
	s.log.Info("stopping", "drain", s.c.Drain)
	return nil
}

// ready returns nil when the server can answer requests.
func (s *server) ready(ctx context.Context) error {
	if !s.serving.Load() {
		return errors.New("the server is starting or stopping")
	}
	if err := s.fit(); err != nil {
		return err
	}
	err := s.service.Ready(ctx)
	if errors.Is(err, store.ErrUnavailable) {
		return store.ErrUnavailable // where the database is concerns no stranger; the log has it
	}
	return err
}

// close releases what newServer opened, also when it failed halfway.
func (s *server) close() error {
	if s.doors != nil {
		s.doors.close()
		s.doors.giveBack()
	}
	if s.nodes != nil {
		s.nodes.bus.Close()
	}
	if s.store == nil {
		return nil
	}
	return s.store.Close()
}
