package authz_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/authz"
	"github.com/muster-iot/muster/dataplane"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/door"
	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/rights"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

// deployment is the whole server except its control plane, on loopback sockets with
// client certificates.
type deployment struct {
	*service.Service
	authorizer  *authz.Authorizer
	notifier    *dataplane.Notifier
	issuer      *ca.Authority
	gateway     *gateway.Server
	mqtts       string // addresses
	https       string
	certificate tls.Certificate
}

func newDeployment(t *testing.T) *deployment {
	t.Helper()
	s := &deployment{}
	account := muster.Account{ID: "123456789012", Region: "eu-west-1"}
	now := func() muster.Instant { return muster.At(time.Now()) }
	data := memstore.New()
	s.Service = service.New(service.Options{Store: data, Account: account, Now: now, Audience: audience{s}, Watcher: watcher{s}})
	s.authorizer = authz.New(authz.Options{
		Principals: s.Rights, Account: account, Now: now, Grace: 24 * time.Hour,
		Revoked: func(p string) { s.gateway.DisconnectPrincipal(p, gateway.AuthError) },
	})
	plane := dataplane.New(dataplane.Options{Jobs: s.Jobs, Account: account, Now: time.Now})
	var err error
	s.gateway, err = gateway.New(t.Context(), gateway.Options{Authorizer: s.authorizer, Reserved: plane.MQTT()})
	s.must(t, err)
	s.notifier = dataplane.NewNotifier(dataplane.NotifierOptions{Publisher: s.gateway})
	s.issuer, err = ca.New(time.Now())
	s.must(t, err)
	server, key, err := s.issuer.NewServer([]string{"127.0.0.1"}, time.Hour, time.Now())
	s.must(t, err)
	s.certificate, err = tls.X509KeyPair([]byte(server.PEM), []byte(key))
	s.must(t, err)

	mqtts, https := listen(t), listen(t)
	s.mqtts, s.https = mqtts.Addr().String(), https.Addr().String()
	queue := door.NewQueue(https.Addr())
	entrance, err := door.New(door.Options{
		Certificates: func() []tls.Certificate { return []tls.Certificate{s.certificate} },
		MQTT: func(c *tls.Conn) {
			s.gateway.ServeConn(c, gateway.Peer{Addr: c.RemoteAddr().String(), Certificate: c.ConnectionState().PeerCertificates[0].Raw})
		},
		HTTPS: queue.Put,
	})
	s.must(t, err)
	web := &http.Server{Handler: plane.HTTP().Devices(func(ctx context.Context, certificate []byte, addr string) (dataplane.Device, error) {
		return s.authorizer.Device(ctx, certificate, addr)
	})}

	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{
		s.Service.Run, s.notifier.Run, s.gateway.Run,
		func(ctx context.Context) error { s.authorizer.Run(ctx); return nil },
		func(ctx context.Context) error { return entrance.Serve(ctx, mqtts, door.MQTTS) },
		func(ctx context.Context) error { return entrance.Serve(ctx, https, door.HTTPS) },
		func(ctx context.Context) error {
			stop := context.AfterFunc(ctx, func() { web.Close() })
			defer stop()
			if err := web.Serve(queue); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
	} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() { cancel(); running.Wait(); data.Close() })
	for _, thing := range []string{"lamp", "pump"} {
		_, err := s.Registry.CreateThing(t.Context(), muster.Thing{Name: muster.ThingName(thing)})
		s.must(t, err)
	}
	_, err = s.Jobs.CreateJob(t.Context(), jobs.NewJob{ID: "fw", Document: "{}", Targets: []muster.Target{{Name: "lamp"}, {Name: "pump"}}})
	s.must(t, err)
	for more := true; more; {
		agenda, err := s.Work(t.Context())
		s.must(t, err)
		more = agenda.More
	}
	return s
}

// audience hands the notifier of a deployment what the things must be told.
type audience struct{ s *deployment }

func (audience) Keep(store.QueueKey, muster.Change) bool { return false }
func (audience) Hears(store.QueueKey) bool               { return false }
func (a audience) Notify(n []jobs.Notification)          { a.s.notifier.Notify(n) }

// watcher tells the Authorizer of a deployment of changes of rights.
type watcher struct{ s *deployment }

func (w watcher) RightsChanged(c rights.Change) { w.s.authorizer.Changed(c) }
func (watcher) Due()                            {}
func (watcher) Committed(int)                   {}
func (watcher) Told(muster.Instant)             {}
func (watcher) Recorded()                       {}

func (s *deployment) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// device is a certificate with its key.
type device struct {
	id   muster.CertificateID
	pair tls.Certificate
}

// newDevice makes a certificate and registers it with status, unless that is zero.
func (s *deployment) newDevice(t *testing.T, name string, status muster.CertificateStatus) device {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.must(t, err)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	s.must(t, err)
	c, err := s.issuer.IssueDevice(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})), time.Now())
	s.must(t, err)
	if status != 0 {
		_, err = s.Rights.AddCertificate(t.Context(), muster.Certificate{
			ID: c.ID, PEM: c.PEM, Status: status, NotBefore: muster.At(c.X509.NotBefore), NotAfter: muster.At(c.X509.NotAfter),
		})
		s.must(t, err)
	}
	return device{c.ID, tls.Certificate{Certificate: [][]byte{c.X509.Raw}, PrivateKey: key}}
}

func target(d device) rights.PolicyTarget { return rights.PolicyTarget{Certificate: d.id} }

// allow attaches a policy of its own to a certificate, and returns its name.
func (s *deployment) allow(t *testing.T, d device, document string) string {
	t.Helper()
	name := "policy-of-" + string(d.id[:8])
	_, err := s.Rights.CreatePolicy(t.Context(), name, document, nil)
	s.must(t, err)
	s.must(t, s.Rights.AttachPolicy(t.Context(), name, target(d)))
	return name
}

func (s *deployment) trusting(d device) *tls.Config {
	return &tls.Config{RootCAs: s.issuer.Pool(), Certificates: []tls.Certificate{d.pair}}
}

func (s *deployment) dial(t *testing.T, d device, version byte) *mqtttest.Client {
	t.Helper()
	c, err := tls.Dial("tcp", s.mqtts, s.trusting(d))
	s.must(t, err)
	return mqtttest.New(t, c, version)
}
