package nodes_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/apiclient"
	"github.com/muster-iot/muster/internal/nats"
	"github.com/muster-iot/muster/internal/network"
	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/sigv4"
)

// balancerAddress is where connections of the balancer come from. Those of the tests come from another loopback address.
var balancerAddress = netip.MustParseAddr("127.0.0.2")

// program builds the server, once for all scenarios.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "muster-nodes-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "muster")
	out, err := exec.Command("go", "build", "-o", file, "github.com/muster-iot/muster/cmd/muster").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return file, err
})

// site is one deployment.
type site struct {
	*testing.T
	program    string
	secrets    string // folder
	database   *postgres.Server
	name       string           // of the database
	standby    *postgres.Server // of database; nil: there is none
	bus        *nats.Server     // nil: there is one node, which is alone
	bus2       *nats.Server     // in a cluster with bus, for every other node; nil: there is none
	route      *network.Link    // from bus2 to bus
	hook       *hook            // nil: events are posted nowhere
	flags      []string         // of all nodes
	nodes      []*node
	credential sigv4.Credential

	mqtt, mqtts, http *network.Balancer
}

// newSite starts the deployment of a scenario. It ends with the test.
func newSite(t *testing.T, of scenario) *site {
	t.Helper()
	if l, err := net.Listen("tcp", balancerAddress.String()+":0"); err != nil {
		t.Skip("this machine has no second loopback address:", err)
	} else {
		l.Close()
	}
	s := &site{T: t, secrets: filepath.Join(t.TempDir(), "secrets")}
	var err error
	if s.program, err = program(); err != nil {
		t.Fatal(err)
	}
	s.database = postgres.Start(t, postgres.Options{NoSync: true, Settings: []string{"max_connections=200"}})
	if s.name, err = s.database.Create(); err != nil {
		t.Fatal(err)
	}
	if of.standby {
		standby, err := s.database.Follow()
		if err != nil {
			t.Fatal(err)
		}
		s.standby = standby
		t.Cleanup(func() {
			if err := standby.Close(); err != nil {
				t.Errorf("end of the standby: %v", err)
			}
		})
	}
	if of.hook {
		s.hook, s.flags = s.newHook()
	}
	switch {
	case of.alone:
	case of.split:
		s.startBuses()
	default:
		s.bus = nats.Start(t, nats.Options{})
		t.Logf("NATS is process %d", s.bus.Process().Pid)
	}
	s.muster("admin", "secrets", "init", s.secrets)
	if s.credential, err = identity.ReadProfile(filepath.Join(s.secrets, "credentials")); err != nil {
		t.Fatal(err)
	}
	for i := range of.nodes {
		s.nodes = append(s.nodes, s.newNode(i))
	}
	for _, b := range []**network.Balancer{&s.mqtt, &s.mqtts, &s.http} {
		*b, err = network.NewBalancer(network.BalancerOptions{Header: network.Version2, From: balancerAddress, Well: s.well}, make([]string, of.nodes)...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup((*b).Close)
	}
	for _, n := range s.nodes {
		n.start()
	}
	watching, stop := context.WithCancel(context.Background())
	var watchers sync.WaitGroup
	for _, n := range s.nodes {
		watchers.Go(func() { n.watch(watching) })
	}
	t.Cleanup(func() { stop(); watchers.Wait() })
	s.settle()
	return s
}

// startBuses starts two servers of a cluster. Neither tells of the other, so clients stay where they are, and
// the route is the only way between the two.
func (s *site) startBuses() {
	s.Helper()
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	first := port.Addr().String()
	port.Close() // another process may take it, which is unlikely
	cluster := "cluster { name: site, listen: %q, no_advertise: true, routes: [%s] }"
	s.bus = nats.Start(s.T, nats.Options{Config: fmt.Sprintf(cluster, first, "")})
	s.route = s.link(first)
	s.bus2 = nats.Start(s.T, nats.Options{Config: fmt.Sprintf(cluster, "127.0.0.1:-1", strconv.Quote("nats-route://"+s.route.Address()))})
	s.await("the two servers have a route", 10*time.Second, func() bool { return s.route.Connections() > 0 })
}

// well reports whether the balancer may use a node.
func (s *site) well(node int) bool { return s.nodes[node].well.Load() }

// muster runs a command, which must succeed, and returns what it says.
func (s *site) muster(args ...string) string {
	s.Helper()
	out, err := exec.Command(s.program, args...).CombinedOutput()
	if err != nil {
		s.Fatalf("muster %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// api returns a client of the API at a URL, with the first key.
func (s *site) api(url string) *apiclient.Client {
	return &apiclient.Client{URL: url, Region: "us-east-1", Credential: s.credential, HTTP: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 50}}}
}

// operator returns a client that goes through the balancer. Each request may go to another node.
func (s *site) operator() *apiclient.Client {
	c := s.api("http://" + s.http.Address())
	c.HTTP.Transport = &http.Transport{DisableKeepAlives: true}
	return c
}

// settle waits until all nodes are well.
func (s *site) settle() {
	s.Helper()
	for i := range s.nodes {
		s.await(fmt.Sprintf("node %d is well", i), time.Minute, func() bool { return s.well(i) })
	}
}

// await waits until something is so, and ends the test if that takes too long.
func (s *site) await(what string, within time.Duration, so func() bool) {
	s.Helper()
	began := time.Now()
	for !so() {
		if time.Since(began) > within {
			s.Fatalf("after %v it is not so that %s", within, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if took := time.Since(began); took > time.Second {
		s.Logf("%s, after %v", what, took.Round(10*time.Millisecond))
	}
}

// verify has the store checked as it is, beside the nodes.
func (s *site) verify() {
	s.Helper()
	s.Log(strings.TrimSpace(s.muster("admin", "verify", s.secrets, "--store", s.database.URL(s.name))))
}

// call is Call of c that tries again while a node or what is behind it is away.
func call(ctx context.Context, c *apiclient.Client, method, path string, body, answer any) error {
	for {
		err := c.Call(ctx, method, path, body, answer)
		var said *apiclient.Error
		if err == nil || ctx.Err() != nil || errors.As(err, &said) && !mayPass[said.Type] {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// mayPass are the errors after which a client tries again.
var mayPass = map[string]bool{"": true, "InternalFailureException": true, "InternalException": true, "ServiceUnavailableException": true, "ThrottlingException": true, "LimitExceededException": true}
