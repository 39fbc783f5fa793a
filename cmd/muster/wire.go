package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/authz"
	"github.com/muster-iot/muster/awsiot"
	"github.com/muster-iot/muster/cors"
	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/dataplane"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/events"
	"github.com/muster-iot/muster/flood"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/door"
	"github.com/muster-iot/muster/intake"
	"github.com/muster-iot/muster/iotdata"
	"github.com/muster-iot/muster/keyuse"
	"github.com/muster-iot/muster/landing"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/metrics"
	"github.com/muster-iot/muster/operator"
	"github.com/muster-iot/muster/presence"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/scheduler"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/sigv4"
	"github.com/muster-iot/muster/turns"
	"github.com/muster-iot/muster/unserved"
	"github.com/muster-iot/muster/watch"
)

// newServer opens the data folder and the listeners and wires the parts. Nothing runs yet. The
// caller closes it.
func newServer(c Config, log *slog.Logger, r *resets) (*server, error) {
	s := &server{
		c: c, log: log, resets: r, figures: metrics.New(versionText()),
		flood: flood.New(time.Now), intake: intake.New(intake.Limits{}),
		turns: turns.New(turns.Options{Processors: runtime.GOMAXPROCS(0), Now: time.Now}),
	}
	s.figures.Intake(s.intake.Stats)
	var err error
	if s.limits, err = c.limits(); err != nil {
		return nil, err
	}
	for _, step := range []func() error{s.openFolder, s.openDoors, s.openFiles, s.keepParts, s.joinNodes, s.wireService, s.wireWebhook, s.wireGateway, s.wireAPI} {
		if err := step(); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// account is the account and region of the deployment.
func (s *server) account() muster.Account { return muster.Account{ID: s.c.Account, Region: s.c.Region} }

func instant() muster.Instant { return muster.At(time.Now()) }

// time returns the time for jobs: now, that of the test clock, or of the database that several
// servers share.
func (s *server) time() muster.Instant {
	switch {
	case s.clock != nil:
		return s.clock.Now()
	case s.nodes != nil:
		return muster.At(s.nodes.node.Now())
	}
	return instant()
}

// openFolder opens the data folder, its store first: once that is open, no other process
// writes there.
func (s *server) openFolder() error {
	var err error
	if s.data, err = datafolder.Make(s.c.Data); err != nil {
		return err
	}
	database, err := s.c.Store.database()
	if err != nil {
		return err
	}
	if database == "" {
		err = s.data.Adopt(context.Background(), s.c.AcceptLoss, s.log)
	}
	if err != nil {
		return err
	}
	if datafolder.ReadOnly(s.data) {
		if err = s.openReadOnly(); err != nil {
			return err
		}
	}
	if s.disks, err = openDisks(s.data, s.c.DiskReserve, database == "", s.c.Files.builtIn() && !s.c.Bus.on(), s.log); err != nil {
		return err
	}
	s.figures.Disks(s.disks.all())
	options, err := s.storeOptions(database)
	if err != nil {
		return err
	}
	if s.store, err = s.data.OpenMigrated(context.Background(), options); err != nil {
		return err
	}
	if err = s.data.Clear(); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if err = s.data.CheckParts(context.Background(), s.store, s.c.AcceptLoss, s.log); err != nil {
		return err
	}
	if err = s.data.CheckSecrets(); err != nil {
		return err
	}
	if s.keys, err = s.data.OpenKeys(keysOptions(s.data, s.c.Account, keyuse.On(s.store), s.log), s.c.Region); err != nil {
		return err
	}
	if err := s.data.CheckCredentials(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("the credentials file cannot be used", "error", err)
	}
	if s.issuer, err = s.data.OpenAuthority(time.Now(), s.log); err != nil {
		return err
	}
	if err := s.keepParts(); err != nil { // before there is a server's certificate, which stands for a folder that was served
		return err
	}
	if datafolder.ReadOnly(s.data) && datafolder.BeginsEmpty(s.data) {
		s.log.Warn("the secrets say that their database may be empty: remove the file begins-empty from them, and an empty database is refused from now on", "data", string(s.data))
	}
	return nil
}

// openReadOnly refuses a data folder in which nothing can be written and something must be.
func (s *server) openReadOnly() error {
	if !s.c.Bus.on() {
		return fmt.Errorf("the data folder %s cannot be written: only a server with --bus, which is one of several, has nothing to write there", string(s.data))
	}
	s.log.Info("the data folder is read-only: the secrets are read from it, and nothing is written there", "data", string(s.data))
	return datafolder.CheckReadOnly(s.data)
}

// storeOptions sizes the memory of a store in the folder so that flushing it fits into the
// reserve of the disk.
func (s *server) storeOptions(database string) (datafolder.StoreOptions, error) {
	o := datafolder.StoreOptions{Database: database, Lanes: s.c.lanes(), Shared: s.c.Bus.on(), Version: versionText(), Turns: s.turns, Log: s.log, Fatal: fatal(s.data), AcceptLoss: s.c.AcceptLoss}
	if database != "" {
		o.OnTrips = s.figures.Database()
	}
	if s.c.Bus.on() {
		var err error
		if o.Node, err = s.c.Bus.name(); err != nil {
			return o, err
		}
	}
	if s.disks.store == nil {
		return o, nil
	}
	if kept := s.disks.store.State().Reserve; kept > 0 {
		o.MemTableBytes = reserve.TableBytes(kept)
	}
	return o, nil
}

// keepParts records in the store which files the folder has.
func (s *server) keepParts() error { return s.data.KeepParts(context.Background(), s.store) }

// openDoors opens the listeners. Connections wait in their backlog until run.
func (s *server) openDoors() error {
	given, err := s.c.certificates()
	if err != nil {
		return err
	}
	if s.certificates, err = s.data.OpenCertificates(given, s.issuer, s.c.hosts(), time.Now, s.log); err != nil {
		return err
	}
	if s.doors, err = s.resets.open(s.c); err != nil {
		return err
	}
	s.https = door.NewQueue(s.doors.api.Addr())
	if s.doors.files != nil {
		s.fetch = door.NewQueue(s.doors.files.Addr())
	}
	s.tls, err = door.New(door.Options{
		Certificates: s.certificates.All,
		MQTT:         func(conn *tls.Conn) { s.gateway.ServeTLS(conn) },
		Wrap:         func(conn net.Conn) net.Conn { return s.gateway.Wrap(conn) },
		HTTPS:        s.https.Put,
		Files:        func(conn *tls.Conn) { s.fetch.Put(conn) },
		Refused:      func(kind door.Kind, why string) { writer{s.service.Diary}.handshake(kind, why) },
		OldDevices:   s.c.OldDevices,
		Log:          s.log,
	})
	return err
}

// wireService makes the service and what drives it, and the data plane on it.
func (s *server) wireService() error {
	pages, err := listing.Key(context.Background(), s.store)
	if err != nil {
		return err
	}
	hooked, err := s.c.Webhook.types()
	if err != nil {
		return err
	}
	files, err := s.filesForJobs()
	if err != nil {
		return err
	}
	if s.c.TestClock {
		s.clock = scheduler.NewTestClock(instant())
	}
	s.timer = scheduler.New(s.time, s.log)
	s.service = service.New(service.Options{
		Store:   s.store.Formatted, // itself, with what else it can do, such as lanes
		Account: s.account(), Now: s.time, Log: s.log, PageKey: pages,
		Audience: audience{s}, Watcher: watcher{s}, Turns: s.turns,
		Process: s.process(), Gone: s.gone(),
		Objects:           files,
		Room:              s.disks.room,
		Sinks:             eventlog.Sinks{Subscribers: true, Webhook: hooked},
		StrictTransitions: s.c.StrictTransitions,
		RemovedInProgress: s.c.RemovedInProgress,
		SkipSucceeded:     s.c.SkipSucceeded,
		TypeDeletionWait:  s.c.TypeDeletionWait,
		RolloutPerMinute:  s.c.RolloutPerMinute,
		DynamicGroupsMax:  s.limits.DynamicGroups,
		Limits:            jobLimits(s.limits),
		Audit:             s.c.Audit.settings(),
	})
	s.watch = watch.New(watch.Options{
		Commits: s.service.Commits, Account: s.account(), Pages: listing.NewPager(pages), Jobs: s.service.Jobs, Registry: s.service.Registry,
		Listeners: subscribed{s},
		Room:      func() bool { return s.disks.room(reserve.Grow, 0) == nil },
	})
	s.figures.Executions(s.service.Jobs.Totals)
	s.figures.Audit(s.service.Audit.Figures)
	s.figures.Transactions(s.service.Commits.Stats)
	s.jobs = dataplane.New(dataplane.Options{
		Jobs: s.service.Jobs, Account: s.account(), Now: time.Now, Turns: s.turns, Log: s.log,
		ReadsPerSecond: float64(s.limits.ReadRate), WritesPerSecond: float64(s.limits.WriteRate),
		Observe: func(o dataplane.Observation) {
			s.figures.Request(o.Plane, o.Operation, o.Code, o.Took)
		},
		Saw: writer{s.service.Diary}.asked,
	})
	return nil
}

// wireGateway makes the device gateway and the parts that publish through it.
func (s *server) wireGateway() (err error) {
	seen := writer{s.service.Diary}
	s.authz = authz.New(authz.Options{
		Principals: s.service.Rights, Account: s.account(), Now: instant, Log: s.log,
		Grace:      s.c.CertificateGrace,
		Keys:       s.keys.Holder,
		Anonymous:  s.c.MQTTPlain != "",
		Revoked:    func(principal string) { s.gateway.DisconnectPrincipal(principal, gateway.AuthError) },
		Registered: func(c muster.Certificate) { s.events.Registered(c) },
		Refused:    seen.refused, Allowed: seen.allowed,
	})
	s.gateway, err = gateway.New(context.Background(), gateway.Options{
		Authorizer: s.authz, Reserved: unserved.New(unserved.Options{Served: s.jobs.MQTT(), Now: time.Now, Log: s.log}), Sessions: s.sessions(), Nodes: s.gatewayNodes(), Log: s.log,
		Room:   func() bool { return s.disks.room(reserve.Grow, 0) == nil },
		Calm:   debug.FreeOSMemory,
		Limits: s.c.gatewayLimits(s.limits), SlimTLS: s.c.SlimTLS,
		Presence: func(p gateway.Presence) { s.events.Presence(p); s.presence.Presence(p); seen.presence(p) },
		Receipt:  seen.delivered,
		Interest: func(i gateway.Interest) { s.events.Interest(i) },
	})
	if err != nil {
		return err
	}
	s.presence = presence.New(s.service.Registry, s.log)
	s.events = events.New(events.Options{Broker: s.gateway, Events: s.service.Events, Account: s.account(), Log: s.log,
		While: func(ctx context.Context, run func(context.Context) error) error {
			return s.while(ctx, subscribersLease, run)
		},
	})
	s.notifier = dataplane.NewNotifier(dataplane.NotifierOptions{Publisher: s.gateway, Delivered: s.service.Jobs.Delivered, Elsewhere: s.elsewhere(), Turns: s.turns, Log: s.log})
	s.figures.Gateway(s.gateway.Stats)
	s.figures.Door(s.tls.Stats)
	return nil
}

// wireAPI makes the handlers of the HTTP listeners.
func (s *server) wireAPI() error {
	s.plane = s.jobs.HTTP()
	messages := iotdata.New(iotdata.Options{
		Broker: s.gateway, Account: s.account(), Now: time.Now, Log: s.log, Inventory: s.service.Catalog.Inventory,
		Observe: func(operation, code string, took time.Duration) { s.figures.Request("http", operation, code, took) },
	})
	contract, err := awsiot.New(awsiot.Options{
		Catalog: s.service.Catalog, Events: s.service.Events, Jobs: s.service.Jobs,
		Registry: s.service.Registry, Rights: s.service.Rights, Tags: s.service.Tags,
		Account: s.account(), Now: time.Now, Keys: s.keys, Log: s.log,
		DataPlane: s.plane,
		Documents: s.files,
		Room:      s.disks.room,
		Messages:  messages,
		Endpoints: awsiot.Endpoints{Data: s.c.hosts()[0]},
		Issuer:    s.issuer,
		Turns:     s.turns,
		Audit:     s.service.Audit,
		AuthNone:  s.c.Auth == authNone, AcceptAnyRegion: s.c.AcceptAnyRegion,
		Rate:  s.limits.Rate,
		Flood: s.flood,
		Observe: func(plane, operation, code string, took time.Duration) {
			if plane == "control" { // the data plane counts its own
				s.figures.Request("control", operation, code, took)
			}
		},
	})
	if err != nil {
		return err
	}
	s.contract = contract
	rules, err := s.c.cors()
	if err != nil {
		return err
	}
	signed := &api{
		contract: cors.New(cors.Options{Rules: rules, Next: contract, Methods: contract.Methods, Now: time.Now, Log: s.log}),
		websocket: &websocketAPI{
			verifier: sigv4.Verifier{Lookup: s.keys.Lookup, Region: s.c.Region, AcceptAnyRegion: s.c.AcceptAnyRegion},
			keys:     s.keys, gateway: s.gateway, flood: s.flood, log: s.log,
		},
		operator: operator.New(operator.Options{
			Routes: operator.Routes(s.operatorParts()), Keys: s.keys, Region: s.c.Region, AcceptAnyRegion: s.c.AcceptAnyRegion, Now: time.Now, Flood: s.flood, Audit: s.service.Audit, Log: s.log,
			Observe: func(action, code string, took time.Duration) { s.figures.Request("operator", action, code, took) },
		}),
	}
	front := landing.New(landing.Options{Next: signed, Version: versionText(), Ready: s.ready, Doors: s.doorsShown()})
	s.api = s.figures.InFlight(s.filesFirst(&probes{ready: s.ready, next: front}))
	s.apiTLS = s.figures.InFlight(s.filesFirst(front))
	s.devices = s.figures.InFlight(&deviceAPI{jobs: s.plane.Devices(s.identifyForJobs), messages: messages.Devices(s.identifyForMessages)})
	return nil
}
