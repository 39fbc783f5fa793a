package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/landing"
)

// listeners are those of one server. All of them are open before the first request is
// served.
type listeners struct {
	api   net.Listener
	mqtts net.Listener // like the rest, nil when off
	https net.Listener
	alpn  net.Listener
	files net.Listener
	mqtt  net.Listener
	watch net.Listener // metrics and probes
	pprof net.Listener
}

// listen opens every listener that c asks for, or none.
func (c Config) listen() (*listeners, error) {
	l := &listeners{}
	for _, want := range []struct {
		flag, address string
		into          *net.Listener
	}{
		{"--api", c.API, &l.api},
		{"--mqtts", c.MQTTS, &l.mqtts},
		{"--https", c.HTTPS, &l.https},
		{"--alpn", c.ALPN, &l.alpn},
		{"--files", c.Files.Address, &l.files},
		{"--mqtt-plain", c.MQTTPlain, &l.mqtt},
		{"--metrics", c.Metrics, &l.watch},
		{"--pprof", c.Pprof, &l.pprof},
	} {
		if want.address == "" || want.into == &l.files && !c.Files.builtIn() {
			continue
		}
		opened, err := gateway.Open(want.address)
		if err != nil {
			l.close()
			return nil, fmt.Errorf("%s: %w", want.flag, err)
		}
		*want.into = opened
	}
	return l, nil
}

// all returns pointers to all fields, also of listeners that are off.
func (l *listeners) all() []*net.Listener {
	return []*net.Listener{&l.api, &l.mqtts, &l.https, &l.alpn, &l.files, &l.mqtt, &l.watch, &l.pprof}
}

func (l *listeners) close() {
	for _, open := range l.all() {
		if *open != nil {
			(*open).Close()
		}
	}
}

// ready says where the listeners can be reached.
func (l *listeners) ready() datafolder.Ready {
	r := datafolder.Ready{
		APIURL:    "http://" + reachable(l.api),
		MQTTSAddr: reachable(l.mqtts), ALPNAddr: reachable(l.alpn), MQTTAddr: reachable(l.mqtt),
	}
	if l.watch != nil {
		r.MetricsURL = "http://" + reachable(l.watch)
	}
	if l.https != nil {
		r.HTTPSURL = "https://" + reachable(l.https)
	}
	return r
}

// doorsShown returns the listeners as the landing page lists them: those with TLS under the
// name that is in their certificate and that DescribeEndpoint announces.
func (s *server) doorsShown() []landing.Door {
	named := func(l net.Listener) string {
		if l == nil {
			return ""
		}
		_, port, _ := net.SplitHostPort(l.Addr().String()) // which is host:port, of a TCP listener
		return net.JoinHostPort(s.c.hosts()[0], port)
	}
	r := s.doors.ready()
	var shown []landing.Door
	for _, d := range []landing.Door{
		{Purpose: "AWS CLI and SDKs", Address: r.APIURL, Flag: "--api"},
		{Purpose: "MQTT, client certificates", Address: named(s.doors.mqtts), Flag: "--mqtts"},
		{Purpose: "HTTPS, client certificates", Address: named(s.doors.https), Flag: "--https"},
		{Purpose: "All on one port, by ALPN", Address: named(s.doors.alpn), Flag: "--alpn"},
		{Purpose: "MQTT without TLS", Address: reachable(s.doors.mqtt), Flag: "--mqtt-plain"},
		{Purpose: "Job files, TLS", Address: named(s.doors.files), Flag: "--files"},
		{Purpose: "Metrics and probes", Address: r.MetricsURL, Flag: "--metrics"},
	} {
		if d.Address != "" {
			shown = append(shown, d)
		}
	}
	return shown
}

// reachable returns an address of l that a client on this machine can dial, or
// "" when l is off.
func reachable(l net.Listener) string {
	if l == nil {
		return ""
	}
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok || !addr.IP.IsUnspecified() {
		return l.Addr().String()
	}
	return net.JoinHostPort("127.0.0.1", fmt.Sprint(addr.Port))
}

// serveHTTP serves on l until ctx ends, then lets requests in flight finish for at most
// drain. When the process has no file descriptors left, accepting pauses, and the log says so.
func serveHTTP(ctx context.Context, log *slog.Logger, s *http.Server, l net.Listener, drain time.Duration) error {
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		err := s.Shutdown(grace)
		if errors.Is(err, context.DeadlineExceeded) {
			err = s.Close()
		}
		stopped <- err
	})
	if err := s.Serve(gateway.Listen(l, log)); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return err
	}
	return <-stopped
}
