package nodes_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/muster-iot/muster/internal/apiclient"
)

// In these scenarios MQTT clients meet, move and are turned away on several nodes.

// client is a connected MQTT 5 client.
type client struct {
	*paho.Client
	present bool          // the server had a session
	closed  chan struct{} // closed when the connection has ended

	mu   sync.Mutex
	got  []string // topic and payload of what was received
	sent *paho.Disconnect
}

// connect connects to an address, and ends the scenario if that fails.
func (s *site) connect(address, id string, secure *tls.Config, kept bool) *client {
	s.Helper()
	c, err := dialClient(s.Context(), address, id, secure, kept)
	if err != nil {
		s.Fatalf("%s connects to %s: %v", id, address, err)
	}
	s.Cleanup(func() { _ = c.Disconnect(&paho.Disconnect{}) }) // it may have ended
	return c
}

func dialClient(ctx context.Context, address, id string, secure *tls.Config, kept bool) (*client, error) {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	if secure != nil {
		conn = tls.Client(conn, secure)
	}
	c := &client{closed: make(chan struct{})}
	end := sync.OnceFunc(func() { close(c.closed) })
	c.Client = paho.NewClient(paho.ClientConfig{
		Conn: conn, PacketTimeout: 5 * time.Second,
		OnClientError: func(error) { end() },
		OnServerDisconnect: func(d *paho.Disconnect) {
			c.mu.Lock()
			c.sent = d
			c.mu.Unlock()
			end()
		},
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.got = append(c.got, p.Packet.Topic+" "+string(p.Packet.Payload))
			return true, nil
		}},
	})
	o := &paho.Connect{ClientID: id, CleanStart: !kept, KeepAlive: 60}
	if kept {
		hour := uint32(3600)
		o.Properties = &paho.ConnectProperties{SessionExpiryInterval: &hour}
	}
	soon, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ack, err := c.Connect(soon, o)
	if err != nil {
		conn.Close()
		return nil, err
	}
	c.present = ack.SessionPresent
	return c, nil
}

// subscribe subscribes with QoS 1.
func (s *site) subscribe(c *client, filters ...string) {
	s.Helper()
	var all []paho.SubscribeOptions
	for _, f := range filters {
		all = append(all, paho.SubscribeOptions{Topic: f, QoS: 1})
	}
	if _, err := c.Subscribe(s.Context(), &paho.Subscribe{Subscriptions: all}); err != nil {
		s.Fatalf("subscribe: %v", err)
	}
}

// publish publishes with QoS 1, and reports whether that was acknowledged.
func publish(ctx context.Context, c *client, topic, payload string, retain bool) bool {
	soon, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	_, err := c.Publish(soon, &paho.Publish{Topic: topic, QoS: 1, Payload: []byte(payload), Retain: retain})
	return err == nil
}

// count returns how often c has received a message.
func (c *client) count(message string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, got := range c.got {
		if got == message {
			n++
		}
	}
	return n
}

// heard reports whether c has received a message with some words.
func (c *client) heard(words string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.got, func(got string) bool { return strings.Contains(got, words) })
}

// ends reports whether the connection ends within a time.
func (c *client) ends(within time.Duration) bool {
	select {
	case <-c.closed:
		return true
	case <-time.After(within):
		return false
	}
}

// takeover connects one client at one node after the other. Each time the one before must end.
func (l *load) takeover(times int, bound time.Duration) {
	l.Helper()
	var slowest time.Duration
	before := l.connect(l.nodes[0].ready.Load().MQTTAddr, "wanderer", nil, false)
	for i := 1; i <= times; i++ {
		next := l.connect(l.nodes[i%3].ready.Load().MQTTAddr, "wanderer", nil, false)
		began := time.Now()
		if !before.ends(bound) {
			l.Errorf("take-over %d: the former connection is still there after %v", i, bound)
			return
		}
		slowest = max(slowest, time.Since(began))
		before = next
	}
	l.Logf("%d take-overs, the former connection was there for %v at most", times, slowest.Round(time.Millisecond))
	if before.ends(100 * time.Millisecond) {
		l.Error("the last connection was ended")
	}
}

// certified returns what a device needs to connect with TLS, and how to change the status of its certificate.
func (s *site) certified(n *node) (config *tls.Config, set func(n *node, status string)) {
	s.Helper()
	var made struct {
		CertificateArn, CertificateId, CertificatePem string
		KeyPair                                       struct{ PrivateKey string }
	}
	s.must(n.api(), http.MethodPost, "/keys-and-certificate?setAsActive=true", nil, &made)
	policy := "all-" + made.CertificateId[:16]
	s.must(n.api(), http.MethodPost, "/policies/"+policy, apiclient.Object{"policyDocument": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`}, nil)
	s.must(n.api(), http.MethodPut, "/target-policies/"+policy, apiclient.Object{"target": made.CertificateArn}, nil)
	pair, err := tls.X509KeyPair([]byte(made.CertificatePem), []byte(made.KeyPair.PrivateKey))
	if err != nil {
		s.Fatal(err)
	}
	roots, err := os.ReadFile(n.ready.Load().CAFile)
	if err != nil {
		s.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(roots)
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool, ServerName: "localhost"}, func(n *node, status string) {
		s.must(n.api(), http.MethodPut, "/certificates/"+made.CertificateId+"?newStatus="+status, nil, nil)
	}
}

// revoke deactivates certificates at one node whose devices are connected to another.
func (l *load) revoke(times int, bound time.Duration) {
	l.Helper()
	var slowest time.Duration
	config, set := l.certified(l.nodes[0])
	for i := range times {
		at, by := l.nodes[1+i%2], l.nodes[0]
		var c *client
		l.await("an active device may connect", 10*time.Second, func() bool {
			var err error
			c, err = dialClient(l.Context(), at.ready.Load().MQTTSAddr, "revoked", config, false)
			return err == nil
		})
		set(by, "INACTIVE")
		began := time.Now()
		if !c.ends(bound) {
			l.Errorf("revocation %d: the device is still connected after %v", i, bound)
			_ = c.Disconnect(&paho.Disconnect{})
		}
		slowest = max(slowest, time.Since(began))
		set(by, "ACTIVE")
	}
	l.Logf("%d revocations, the slowest after %v", times, slowest.Round(time.Millisecond))
}

// everywhere publishes at each node what clients at all nodes have subscribed to, and retains something.
func (l *load) everywhere() {
	l.Helper()
	var all []*client
	for i, n := range l.nodes {
		c := l.connect(n.ready.Load().MQTTAddr, fmt.Sprintf("listener%d", i), nil, false)
		l.subscribe(c, "hall/+/state", "all/#")
		all = append(all, c)
	}
	for i, c := range all {
		for k := range 20 {
			if !publish(l.Context(), c, fmt.Sprintf("hall/%d/state", i), fmt.Sprint(k), false) {
				l.Errorf("node %d does not acknowledge", i)
			}
		}
		if !publish(l.Context(), c, fmt.Sprintf("kept/%d", i), "on", true) {
			l.Errorf("node %d does not acknowledge what it is to retain", i)
		}
	}
	defer func() {
		for i, c := range all {
			l.Logf("the listener at node %d has got %d messages, of what was retained %d, %d, %d", i, len(c.got), c.count("kept/0 on"), c.count("kept/1 on"), c.count("kept/2 on"))
		}
	}()
	for i, c := range all {
		l.await(fmt.Sprintf("the listener at node %d has got everything", i), 10*time.Second, func() bool {
			for from := range all {
				for k := range 20 {
					if c.count(fmt.Sprintf("hall/%d/state %d", from, k)) == 0 {
						return false
					}
				}
			}
			return true
		})
		l.subscribe(c, "kept/0", "kept/1", "kept/2") // as on AWS, a wildcard gets none of them
		l.await(fmt.Sprintf("node %d has what was retained", i), 10*time.Second, func() bool {
			return c.count("kept/0 on") > 0 && c.count("kept/1 on") > 0 && c.count("kept/2 on") > 0
		})
	}
}

// away has a client with a session go away, and its node die. What was acknowledged meanwhile must reach it at another node, and
// the newest state of its thing.
func (l *load) away() {
	l.Helper()
	thing := "sleeper"
	l.must(l.nodes[0].api(), http.MethodPost, "/things/"+thing, apiclient.Object{}, nil)
	c := l.connect(l.nodes[0].ready.Load().MQTTAddr, "sleeper", nil, true)
	l.subscribe(c, "post/#", "$aws/things/sleeper/jobs/notify-next")
	_ = c.Disconnect(&paho.Disconnect{})
	talker := l.connect(l.nodes[1].ready.Load().MQTTAddr, "talker", nil, false)
	var sent []string
	say := func(from, to int) {
		for k := from; k < to; k++ {
			if publish(l.Context(), talker, "post/box", fmt.Sprint(k), false) {
				sent = append(sent, fmt.Sprintf("post/box %d", k))
			}
		}
	}
	say(0, 20)
	l.must(l.nodes[1].api(), http.MethodPut, "/jobs/wake-up", apiclient.Object{"targets": []string{arn("thing", thing)}, "document": "{}"}, nil)
	l.nodes[0].kill()
	say(20, 40)
	time.Sleep(dead)
	say(40, 60)
	back := l.connect(l.nodes[2].ready.Load().MQTTAddr, "sleeper", nil, true)
	if !back.present {
		l.Error("the session is lost")
	}
	l.await("everything that was acknowledged is delivered", 20*time.Second, func() bool {
		for _, m := range sent {
			if back.count(m) == 0 {
				return false
			}
		}
		return true
	})
	l.await("the newest state of its thing is delivered", 20*time.Second, func() bool {
		back.mu.Lock()
		defer back.mu.Unlock()
		for _, m := range back.got {
			if strings.HasPrefix(m, "$aws/things/sleeper/jobs/notify-next ") && strings.Contains(m, "wake-up") {
				return true
			}
		}
		return false
	})
	if len(sent) < 40 {
		l.Errorf("only %d of 60 messages were acknowledged", len(sent))
	}
	l.end(l.nodes[1], "wake-up")
	l.nodes[0].start()
}

// drain empties a node, and lets it work again.
func (l *load) drain(n *node) {
	l.Helper()
	name := fmt.Sprintf("n%d", n.number)
	l.muster("nodes", "drain", name, "--ready-file", l.nodes[0].readyFile())
	l.await("the node is not ready any more", 5*time.Second, func() bool { return !n.well.Load() })
	l.await("the node has no devices", 40*time.Second, func() bool {
		var list struct {
			Nodes []struct {
				Name        string
				Connections int
				Leases      []string
			}
		}
		if err := n.api().Call(l.Context(), http.MethodGet, "/muster/v1/nodes", nil, &list); err != nil {
			l.Fatalf("a node that drains answers operators: %v", err)
		}
		for _, row := range list.Nodes {
			if row.Name == name {
				return row.Connections == 0 && len(row.Leases) == 0
			}
		}
		return false
	})
	l.goesOn(10 * time.Second)
	l.muster("nodes", "drain", name, "--undo", "--ready-file", l.nodes[0].readyFile())
	l.settle()
}
