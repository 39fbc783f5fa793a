package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/authority"
	"github.com/muster-iot/muster/awsiot"
	"github.com/muster-iot/muster/dataplane"
	"github.com/muster-iot/muster/engine"
	"github.com/muster-iot/muster/events"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/door"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/metrics"
	"github.com/muster-iot/muster/scheduler"
	"github.com/muster-iot/muster/sessionstore"
	"github.com/muster-iot/muster/sigv4"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pebblestore"
)

// server is every part of a running Muster, wired.
type server struct {
	c       Config
	log     *slog.Logger
	data    folder
	store   *pebblestore.Store
	doors   *listeners
	engine  *engine.Engine
	timer   *scheduler.Scheduler
	news    *dataplane.Notifier
	events  *events.Publisher
	rights  *authority.Authorizer
	gateway *gateway.Server
	tls     *door.Door
	https   *door.Queue // connections that the TLS listeners found to be HTTPS
	plane   *dataplane.HTTP
	api     http.Handler
	devices http.Handler
	serving atomic.Bool
}

// certificateGrace is how long a device certificate counts before and after its
// time (arbitration A5).
const certificateGrace = 24 * time.Hour

// newServer takes the data folder, opens the listeners and wires the parts.
// Nothing runs yet. The caller closes it.
func newServer(c Config, log *slog.Logger) (s *server, err error) {
	s = &server{c: c, log: log}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.data, err = makeFolder(c.Data); err != nil {
		return s, err
	}
	if s.store, err = s.data.openStore(pebblestore.Options{Logger: log}); err != nil {
		return s, err
	}
	keys, err := s.data.openKeys(c, log)
	if err != nil {
		return s, err
	}
	issuer, err := identity.OpenAuthority(s.data.ca(), time.Now())
	if err != nil {
		return s, err
	}
	certificate, err := identity.OpenServer(issuer, s.data.server(), c.hosts(), time.Now())
	if err != nil {
		return s, err
	}
	if s.doors, err = c.listen(); err != nil {
		return s, err
	}

	account := muster.Account{ID: c.Account, Region: c.Region}
	now := func() muster.Instant { return muster.At(time.Now()) }
	figures := metrics.New(versionText())
	s.timer = scheduler.New(now, log)
	pages, err := engine.PageKey(context.Background(), s.store)
	if err != nil {
		return s, err
	}
	s.engine = engine.New(engine.Options{
		Store: s.store, Account: account, Now: now, Log: log, PageKey: pages,
		Notify:            func(n []engine.Notification) { s.news.Notify(n) },
		Keep:              func(key store.QueueKey, change muster.Change) bool { return s.news.Keep(key, change) },
		Happened:          func(all []engine.Happening) { s.events.Happened(all) },
		Due:               s.timer.Due,
		Access:            func(change engine.AccessChange) { s.rights.Changed(change) },
		Observe:           figures.Commit,
		StrictTransitions: c.StrictTransitions,
		RemovedInProgress: c.RemovedInProgress,
	})
	jobs := dataplane.New(dataplane.Options{
		Engine: s.engine, Account: account, Now: time.Now, Log: log,
		Observe: func(o dataplane.Observation) {
			figures.Request(strings.ToLower(o.Protocol), o.Operation, o.Code, o.Took)
		},
	})
	s.plane = jobs.HTTP()
	s.rights = authority.New(authority.Options{
		Registry: s.engine, Account: account, Now: now, Log: log,
		Grace:      certificateGrace,
		Keys:       keys.Caller,
		Anonymous:  c.MQTTPlain != "",
		Revoked:    func(principal string) { s.gateway.DisconnectPrincipal(principal, gateway.AuthError) },
		Registered: func(c muster.Certificate) { s.events.Registered(c) },
	})
	s.gateway, err = gateway.New(context.Background(), gateway.Options{
		Authorizer: s.rights, Reserved: jobs.MQTT(), Sessions: sessionstore.On(s.store), Log: log,
		Presence: func(p gateway.Presence) { s.events.Presence(p) },
		Interest: func(i gateway.Interest) { s.events.Interest(i) },
	})
	if err != nil {
		return s, err
	}
	s.https = door.NewQueue(s.doors.api.Addr())
	s.devices = figures.InFlight(s.plane.Devices(s.identify))
	s.tls, err = door.New(door.Options{
		Certificates: func() []tls.Certificate { return []tls.Certificate{certificate} },
		MQTT:         func(conn *tls.Conn) { s.gateway.ServeConn(conn, peerOf(conn)) },
		HTTPS:        s.https.Put,
		Log:          log,
	})
	if err != nil {
		return s, err
	}
	s.events = events.New(events.Options{Broker: s.gateway, Account: account, Log: log})
	s.news = dataplane.NewNotifier(dataplane.NotifierOptions{Publisher: s.gateway, Delivered: s.engine.Delivered, Log: log})
	control, err := awsiot.New(awsiot.Options{
		Engine: s.engine, Account: account, Now: time.Now, Keys: keys, Log: log,
		DataPlane: s.plane,
		Endpoints: awsiot.Endpoints{Data: c.hosts()[0]},
		Issuer:    issuer,
		AuthNone:  c.Auth == authNone,
		Observe: func(plane, operation, code string, took time.Duration) {
			if plane == "control" { // the data plane counts its own
				figures.Request("control", operation, code, took)
			}
		},
	})
	if err != nil {
		return s, err
	}
	figures.Gateway(s.gateway.Stats)
	figures.Door(s.tls.Stats)
	figures.Executions(s.engine.Totals)
	s.api = figures.InFlight(&api{
		contract:  control,
		websocket: &websocketAPI{verifier: sigv4.Verifier{Lookup: keys.Lookup, Region: c.Region}, gateway: s.gateway, log: log},
		metrics:   figures.Handler(),
		ready:     s.ready,
		backup:    &backupAPI{store: s.store, data: s.data, keys: keys, region: c.Region},
		explain:   &explainAPI{rights: s.rights, keys: keys, region: c.Region},
	})
	return s, nil
}

// run serves until ctx ends, then lets go in order: first nobody new comes in,
// then what is under way is answered and told, then connections end. up is told
// once everything listens.
func (s *server) run(ctx context.Context, up func(Ready)) error {
	outside := stage{
		func(ctx context.Context) error { return s.serveHTTP(ctx, s.api, s.doors.api) },
		func(ctx context.Context) error {
			return s.serveHTTP(ctx, tellTLS(http.HandlerFunc(s.serveTLS)), overTLS{s.https})
		},
		s.background,
		func(ctx context.Context) error { s.rights.Run(ctx); return nil },
	}
	for kind, l := range map[door.Kind]net.Listener{door.MQTTS: s.doors.mqtts, door.HTTPS: s.doors.https, door.Shared: s.doors.alpn} {
		if l != nil {
			outside = append(outside, func(ctx context.Context) error { return s.tls.Serve(ctx, l, kind) })
		}
	}
	if l := s.doors.mqtt; l != nil {
		outside = append(outside, func(ctx context.Context) error { return s.gateway.Serve(ctx, l) })
	}
	if l := s.doors.pprof; l != nil {
		outside = append(outside, func(ctx context.Context) error { return serveHTTP(ctx, profiler(), l, 0) })
	}
	return runStages(ctx,
		stage{func(ctx context.Context) error { return s.announce(ctx, up) }},
		outside,
		stage{s.engine.Run},
		stage{s.news.Run, s.events.Run},
		stage{s.gateway.Run},
	)
}

// background does what nobody asks for: first it tells again what was owed when
// the process stopped last.
func (s *server) background(ctx context.Context) error {
	if err := s.engine.Redeliver(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	s.timer.Run(ctx, s.engine)
	return nil
}

// serveHTTP serves requests from l until ctx ends; long polls end at once then.
func (s *server) serveHTTP(ctx context.Context, h http.Handler, l net.Listener) error {
	server := awsiot.NewHTTPServer(h, s.log)
	server.ConnContext = withTLS
	server.RegisterOnShutdown(s.plane.Drain)
	return serveHTTP(ctx, server, l, s.c.Drain)
}

// serveTLS answers a request on a TLS listener: of a device, when that listener
// asked for a certificate, and else like the API listener.
func (s *server) serveTLS(w http.ResponseWriter, r *http.Request) {
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		s.devices.ServeHTTP(w, r)
		return
	}
	s.api.ServeHTTP(w, r)
}

// identify finds the device of a client certificate.
func (s *server) identify(ctx context.Context, certificate []byte, addr string) (dataplane.Device, error) {
	return s.rights.Device(ctx, certificate, addr)
}

// announce tells the world that the server can be used, and, when ctx ends,
// that it no longer can.
func (s *server) announce(ctx context.Context, up func(Ready)) error {
	r := s.doors.ready()
	r.CAFile = s.data.ca().Certificate
	r.CredentialsFile, r.Region, r.Account, r.PID = s.data.credentials(), s.c.Region, s.c.Account, os.Getpid()
	files := []string{s.data.ready()}
	if s.c.ReadyFile != "" {
		files = append(files, s.c.ReadyFile)
	}
	s.serving.Store(true)
	defer s.serving.Store(false)
	for _, file := range files {
		if err := r.write(file); err != nil {
			return err
		}
		defer os.Remove(file)
	}
	s.log.Info("serving", "api", r.APIURL, "mqtts", r.MQTTSAddr, "https", r.HTTPSURL, "alpn", r.ALPNAddr, "mqtt", r.MQTTAddr, "data", string(s.data), "version", versionText())
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
	return s.engine.Ready(ctx)
}

// close frees what newServer took, as far as it came.
func (s *server) close() error {
	if s.doors != nil {
		s.doors.close()
	}
	if s.store == nil {
		return nil
	}
	return s.store.Close()
}
