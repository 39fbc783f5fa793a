package main

import (
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/internal/nats"
	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/operator"
	"github.com/muster-iot/muster/sigv4"
)

// startNodes starts servers that share a database and a bus.
func startNodes(t *testing.T, many int, database, bus string) []*running {
	t.Helper()
	secrets := filepath.Join(t.TempDir(), "secrets")
	if out, code := said(t, "admin", "secrets", "init", secrets); code != 0 {
		t.Fatal(out)
	}
	all := make([]*running, many)
	for i := range all {
		data := filepath.Join(t.TempDir(), fmt.Sprint("node-", i))
		if err := os.CopyFS(data, os.DirFS(secrets)); err != nil {
			t.Fatal(err)
		}
		if err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error { // which the copies do not keep
			if err == nil && !d.IsDir() {
				err = os.Chmod(path, 0o600)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		all[i] = startServer(t, data, "--store", database, "--bus", bus, "--node", fmt.Sprint("node-", i))
	}
	return all
}

// nodes returns what a node says of all.
func (s *running) nodes(t *testing.T) operator.NodeList {
	t.Helper()
	list, err := operator.Client{API: s.Client}.ListNodes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// shares returns how many leases the nodes hold that work, by name.
func (s *running) shares(t *testing.T) map[string]int {
	t.Helper()
	shares := map[string]int{}
	for _, n := range s.nodes(t).Nodes {
		if n.State != operator.NodeDead {
			shares[n.Name] = len(n.Leases)
		}
	}
	return shares
}

// within waits until is returns true, and fails the test if that takes longer than most.
func within(t *testing.T, most time.Duration, what string, is func() bool) (took time.Duration) {
	t.Helper()
	began := time.Now()
	for !is() {
		if time.Since(began) > most {
			t.Fatalf("%s: not after %s", what, most)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(began)
}

// subscriber is a client that has subscribed to the notifications of a thing, or to nothing.
func (s *running) subscriber(t *testing.T, thing string) *mqtttest.Client {
	t.Helper()
	conn, err := net.Dial("tcp", s.ready.MQTTAddr)
	if err != nil {
		t.Fatal(err)
	}
	c := mqtttest.New(t, conn, packet.V5)
	c.Connect(packet.Connect{ClientID: "watches-" + thing, Clean: true, KeepAlive: 60})
	if thing != "" {
		c.Subscribe(0, "$aws/things/"+thing+"/jobs/notify")
	}
	return c
}

// sees waits for a notification that has some text.
func sees(t *testing.T, c *mqtttest.Client, text string) {
	t.Helper()
	for {
		p, ok := c.Next().(*packet.Publish)
		if ok && strings.Contains(string(p.Payload), text) {
			return
		}
	}
}

// poll asks for the jobs of a thing, and waits until there is one.
func (s *running) poll(t *testing.T, thing string) string {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.ready.APIURL+"/things/"+thing+"/jobs", nil)
	if err != nil {
		return err.Error()
	}
	r.Header.Set("Prefer", "wait=20")
	sigv4.Sign(r, nil, s.Credential, s.Region, "iot-jobs-data", time.Now())
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return fmt.Sprint(string(text), err)
}

// figure returns a figure of a node.
func (s *running) figure(t *testing.T, name string) int {
	t.Helper()
	_, text := s.probe(t, "/metrics")
	found := regexp.MustCompile(`(?m)^` + name + ` ([0-9.e+]+)$`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("there is no figure %s", name)
	}
	n, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

func (s *running) job(t *testing.T, id, thing string) {
	t.Helper()
	job := object{"targets": []string{"arn:aws:iot:us-east-1:000000000000:thing/" + thing}, "document": "{}"}
	if err := s.Call(t.Context(), "PUT", "/jobs/"+id, job, nil); err != nil {
		t.Fatal(err)
	}
}

// Three servers are one service: what is done at one is heard at the others, also without the
// bus; work moves when one dies or drains.
func TestThreeNodes(t *testing.T) {
	database, bus := postgres.Shared(t).Database(t), nats.Start(t, nats.Options{})
	n := startNodes(t, 3, database, bus.URL())
	a, b, c := n[0], n[1], n[2]
	fair := func(nodes, most int) func() bool {
		return func() bool {
			shares, all := a.shares(t), 0
			for _, n := range shares {
				if all += n; n > most {
					return false
				}
			}
			return len(shares) == nodes && all == len(leases())
		}
	}
	t.Logf("work is shared after %s", within(t, 15*time.Second, "three nodes share the work", fair(3, 22)))

	for _, thing := range []string{"lamp", "pump", "fan"} {
		if err := a.Call(t.Context(), "POST", "/things/"+thing, object{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	lamp, pump := b.subscriber(t, "lamp"), c.subscriber(t, "pump")
	polled := make(chan string, 1)
	go func() { polled <- c.poll(t, "fan") }()
	a.job(t, "one", "lamp")
	sees(t, lamp, "one")
	a.job(t, "two", "pump")
	sees(t, pump, "two")
	a.job(t, "three", "fan")
	if answer := <-polled; !strings.Contains(answer, "three") {
		t.Errorf("the long poll got %s", answer)
	}
	if lost := b.figure(t, "muster_digests_lost_total"); lost != 0 {
		t.Errorf("%d digests were lost on a bus without faults", lost)
	}

	// Without the bus everything goes on, and is heard a little later.
	if err := bus.Kill(); err != nil {
		t.Fatal(err)
	}
	within(t, 5*time.Second, "the bus is down", func() bool { return b.figure(t, "muster_bus_up") == 0 })
	began := time.Now()
	a.job(t, "four", "lamp")
	sees(t, lamp, "four")
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("without the bus a notification took %s", took)
	}
	if code, text := b.probe(t, "/readyz"); code != 200 {
		t.Errorf("without the bus a node is not ready: %d %s", code, text)
	}
	if err := bus.Restart(); err != nil {
		t.Fatal(err)
	}
	within(t, 5*time.Second, "the bus is up", func() bool {
		return a.figure(t, "muster_bus_up") == 1 && b.figure(t, "muster_bus_up") == 1 && b.figure(t, "muster_bus_deaf") == 0
	})

	// What a dead node had is taken over.
	c.kill(t)
	t.Logf("its work was taken over after %s", within(t, 9*time.Second, "two nodes share the work", fair(2, 33)))
	a.job(t, "five", "lamp")
	sees(t, lamp, "five")

	// A node that drains has no work, and says that it wants no devices.
	var name string
	for _, n := range b.nodes(t).Nodes {
		if n.Asked {
			name = n.Name
		}
	}
	lamp.Close()
	idle := b.subscriber(t, "") // the only one, so that it is the first to be sent away
	within(t, 5*time.Second, "one device is left", func() bool { return b.figure(t, "muster_mqtt_connections") == 1 })
	wantSaid(t, 0, name+": drains", "nodes", "drain", name, "--ready-file", readyFileOf(t, a))
	idle.ExpectDisconnect(packet.UseAnotherServer)
	within(t, 10*time.Second, "the node has given up its work", func() bool { return a.shares(t)[name] == 0 })
	if code, text := b.probe(t, "/readyz"); code != 503 || !strings.Contains(text, "drain") {
		t.Errorf("a node that drains says %d %s", code, text)
	}
	wantSaid(t, 0, "drains", "nodes", "--ready-file", readyFileOf(t, b))
	wantSaid(t, 1, "no node", "nodes", "drain", "nobody", "--ready-file", readyFileOf(t, b))
	wantSaid(t, 0, name+": works", "nodes", "drain", name, "--undo", "--ready-file", readyFileOf(t, b))
	within(t, 10*time.Second, "two nodes share the work again", fair(2, 33))
	b.stop(t)
	within(t, 5*time.Second, "a node that stops leaves its work at once", fair(1, len(leases())))
}

// readyFileOf writes a ready file by which commands find a server.
func readyFileOf(t *testing.T, s *running) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ready.json")
	if err := s.ready.Write(file); err != nil {
		t.Fatal(err)
	}
	return file
}
