package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/authz"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/door"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/rights"
)

// gatewayCommand is the first argument with which this program is a server: the
// gateway with identities and policies, but with fixed answers instead of a
// service, to measure the cost of the gateway alone.
const gatewayCommand = "gateway"

// serveGateway runs that server on a data folder.
func (b *bench) serveGateway(ctx context.Context, folder string, more ...string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startServer(ctx, folder, self, append([]string{gatewayCommand, "-data", folder}, more...)...)
}

func runGateway(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet(gatewayCommand, flag.ContinueOnError)
	folder := fs.String("data", "", "data folder of the devices")
	readyFile := fs.String("ready-file", "", "written once everything listens")
	goroutines := fs.Bool("goroutines", false, "one goroutine for each connection")
	if err := fs.Parse(args); err != nil {
		return err
	}
	ctx, restore := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer restore()
	w, err := (*bench).open(nil, *folder)
	if err != nil {
		return err
	}
	defer w.close()
	devices := authz.New(authz.Options{
		Principals: w.service.Rights, Account: account, Now: func() muster.Instant { return muster.At(time.Now()) }, Grace: time.Hour,
	})
	g, err := gateway.New(ctx, gateway.Options{
		Authorizer: byClientID{w.service.Rights, devices}, Reserved: fromMemory{}, Goroutines: *goroutines,
		SlimTLS: true, Calm: debug.FreeOSMemory, // as in the real server
	})
	if err != nil {
		return err
	}
	certificate, err := serverCertificate(*folder)
	if err != nil {
		return err
	}
	front, err := door.New(door.Options{
		Certificates: func() []tls.Certificate { return []tls.Certificate{certificate} },
		Wrap:         g.Wrap,
		MQTT:         g.ServeTLS,
	})
	if err != nil {
		return err
	}
	plain, err := net.Listen("tcp", anyPort)
	if err != nil {
		return err
	}
	secure, err := net.Listen("tcp", anyPort)
	if err != nil {
		return err
	}
	text, err := json.Marshal(ready{MQTT: plain.Addr().String(), MQTTS: secure.Addr().String()})
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	running.Go(func() { _ = g.Serve(ctx, plain) }) // an error shows in the clients
	running.Go(func() { _ = front.Serve(ctx, secure, door.MQTTS) })
	running.Go(func() { devices.Run(ctx) })
	running.Go(func() { _ = g.Run(ctx) })
	defer running.Wait()
	temporary := *readyFile + ".new"
	if err := os.WriteFile(temporary, text, 0o600); err != nil {
		return err
	}
	if err := os.Rename(temporary, *readyFile); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// serverCertificate makes one as the real server does.
func serverCertificate(folder string) (tls.Certificate, error) {
	files := func(name string) identity.PEMFiles {
		return identity.PEMFiles{Certificate: filepath.Join(folder, name+".pem"), Key: filepath.Join(folder, name+"-key.pem")}
	}
	issuer, err := identity.OpenAuthority(files("gateway-ca"), time.Now())
	if err != nil {
		return tls.Certificate{}, err
	}
	return identity.OpenServer(issuer, files("gateway-server"), []string{"127.0.0.1"}, time.Now())
}

// byClientID gives plain TCP connections the rights of the device with their client
// id, so that the server does the same work for TCP and TLS.
type byClientID struct {
	attached *rights.Rights
	rights   *authz.Authorizer
}

func (b byClientID) Connect(ctx context.Context, c gateway.Connect) (gateway.Grant, error) {
	if c.Peer.Certificate == nil {
		bound, err := b.attached.PrincipalsOfThing(ctx, muster.ThingName(c.ClientID), nil, listing.Page{})
		if err != nil || len(bound.Attached) == 0 {
			return nil, fmt.Errorf("no certificate for %s: %w", c.ClientID, err)
		}
		certificate, err := b.attached.Certificate(ctx, bound.Attached[0].Certificate)
		if err != nil {
			return nil, err
		}
		block, _ := pem.Decode([]byte(certificate.PEM))
		c.Peer.Certificate = block.Bytes
	}
	return b.rights.Connect(ctx, c)
}

// fromMemory answers every get request with the same 330 bytes.
type fromMemory struct{}

const answerBytes = 330

func (fromMemory) Use(topic string) gateway.Use {
	if strings.HasSuffix(topic, "/jobs/get") {
		return gateway.Served
	}
	return gateway.Forbidden
}

func (fromMemory) Request(r gateway.Request, reply func(topic string, payload []byte)) {
	reply(r.Topic+"/accepted", make([]byte, answerBytes))
}
