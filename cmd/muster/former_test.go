package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/former"
	"github.com/muster-iot/muster/sigv4"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pebblestore"
)

// formerFormats are the formats of which there are folders: all but the present one.
var formerFormats = []int{1, 2, 3, 4, 5}

// otherwise says of requests to the release of format 1 why the answer of today is
// another one.
var otherwise = map[string]string{
	"/things/reborn/jobs?maxResults=250":               "the thing was made again, so the execution is its predecessor's (arbitration A26)",
	"/things/reborn/jobs/for-reborn?executionNumber=1": "the same",
	"/things/lamp7/jobs?maxResults=250":                "the same",
	"/things/lamp7/jobs/all-states?executionNumber=1":  "the same",
}

// TestAFormerFolderIsServed opens the folder that a former release left when it was
// killed. It is verified as it is, answers what that release answered, hands its
// devices what it kept for them, and is verified again.
func TestAFormerFolderIsServed(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and migrations are one goroutine")
	}
	for _, format := range formerFormats {
		t.Run(fmt.Sprint("format ", format), func(t *testing.T) { serveFormer(t, format) })
	}
}

func serveFormer(t *testing.T, format int) {
	data := filepath.Join(t.TempDir(), "data")
	if err := former.Unpack(format, data); err != nil {
		t.Fatal(err)
	}
	before := digests(t, data)
	verified(t, data)
	if after := digests(t, data); !maps.Equal(after, before) {
		t.Errorf("admin verify has changed the folder from %v to %v", before, after)
	}
	askFormer(t, format, data, "")

	copied := filepath.Join(t.TempDir(), "copy")
	if out, err := exec.Command("muster", "admin", "backup", data, copied).CombinedOutput(); err != nil {
		t.Fatalf("muster admin backup: %v\n%s", err, out)
	}
	verified(t, copied)
}

// askFormer serves a data folder that holds what a former release left in its own, and compares
// the answers. Its store is in a database unless that is "".
func askFormer(t *testing.T, format int, data, database string) {
	t.Helper()
	keepSessions(t, data, database)

	s := startServer(t, data, append(storeFlags(database), "--test-clock", "--limit", "concurrent-jobs=2", "--session-expiry", "168h", "--https", "127.0.0.1:0")...)
	s.travel(t, former.Clock)
	answers, err := former.Answers(format)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		if format != 1 || otherwise[a.Path] == "" {
			s.compare(t, a)
		}
	}
	s.receive(t, format)
	s.readFormerFiles(t)
	s.askAsFormerDevice(t, data)
	s.kill(t)
	verified(t, data, storeFlags(database)...)
}

// storeFlags are the flags of a store that is in a database, or in the folder for "".
func storeFlags(database string) []string {
	if database == "" {
		return nil
	}
	return []string{"--store", database}
}

// TestABackupOfAFormerFolderIsServed copies the folder while it has its format, and
// serves the copy.
func TestABackupOfAFormerFolderIsServed(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and migrations are one goroutine")
	}
	for _, format := range formerFormats {
		t.Run(fmt.Sprint("format ", format), func(t *testing.T) { serveBackup(t, format) })
	}
}

func serveBackup(t *testing.T, format int) {
	data, copied := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "copy")
	if err := former.Unpack(format, data); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("muster", "admin", "backup", data, copied).CombinedOutput(); err != nil {
		t.Fatalf("muster admin backup: %v\n%s", err, out)
	}
	opened, err := pebblestore.Open(datafolder.Folder(copied).DB(), pebblestore.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if opened.Format() != format {
		t.Errorf("the copy has format %d, want %d as the folder", opened.Format(), format)
	}
	if err := opened.Close(); err != nil {
		t.Fatal(err)
	}
	verified(t, copied)
	out, err := exec.Command("muster", "admin", "dead-letters", copied).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "serve it once with this release") {
		t.Errorf("muster admin dead-letters, which would change the format: %v\n%s", err, out)
	}
	before := digests(t, copied)
	key, err := identity.ReadProfile(datafolder.Folder(copied).Credentials())
	if err != nil {
		t.Fatal(err)
	}
	question := []string{"admin", "explain-policy", copied, "--who", key.AccessKeyID, "--action", "iot:ListThings", "--resource", "*"}
	if out, err := exec.Command("muster", question...).CombinedOutput(); err != nil {
		t.Errorf("muster admin explain-policy: %v\n%s", err, out)
	}
	if after := digests(t, copied); !maps.Equal(after, before) {
		t.Errorf("admin explain-policy has changed the folder from %v to %v", before, after)
	}
	s := startServer(t, copied, "--test-clock")
	s.travel(t, former.Clock)
	if got, err := s.DescribeJob(t.Context(), "all-states"); err != nil || got.JobProcessDetails["numberOfSucceededThings"] == 0 {
		t.Errorf("all-states is described as %+v, %v", got, err)
	}
	s.kill(t)
	verified(t, copied)
}

// digests returns the SHA-256 of every file of a folder but its lock, by name.
func digests(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir)] = fmt.Sprintf("%x", sha256.Sum256(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func verified(t *testing.T, data string, flags ...string) {
	t.Helper()
	if out, err := exec.Command("muster", append([]string{"admin", "verify", data}, flags...)...).CombinedOutput(); err != nil {
		t.Errorf("muster admin verify: %v\n%s", err, out)
	}
}

// keepSessions has the clients of persistent sessions leave today: a session lives a
// week at most after its client has left, and the folder is older.
func keepSessions(t *testing.T, data, database string) {
	t.Helper()
	sessions := store.Of[gateway.SessionRecord]{Table: "session"}
	s, err := datafolder.Folder(data).OpenStore(t.Context(), datafolder.StoreOptions{Database: database})
	if err != nil {
		t.Fatal(err)
	}
	err = store.Update(t.Context(), s, func(tx store.Tx) error {
		for row, err := range sessions.Scan(tx, "", "") {
			if err != nil {
				return err
			}
			row.Value.Away = time.Now()
			sessions.Put(tx, row.Key, row.Value)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// travel moves the test clock to an instant, some years at a time.
func (s *running) travel(t *testing.T, to time.Time) {
	t.Helper()
	const years = 9 * 365 * 24 * time.Hour
	for at := time.Now().Add(years); ; at = at.Add(years) {
		if at.After(to) {
			at = to
		}
		if err := s.Call(t.Context(), "POST", "/muster/v1/clock", object{"set": at.UTC().Format(time.RFC3339)}, nil); err != nil {
			t.Fatal(err)
		}
		if at.Equal(to) {
			return
		}
	}
}

// compare asks what the former release was asked, and wants its answer.
func (s *running) compare(t *testing.T, a former.Answer) {
	t.Helper()
	var body []byte
	if a.Body != nil {
		var err error
		if body, err = json.Marshal(a.Body); err != nil {
			t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), a.Method, s.URL+a.Path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	sigv4.Sign(r, body, s.Credential, s.Region, a.Service, time.Now())
	response, err := s.HTTP.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal(text, &got); err != nil || response.StatusCode != a.Status {
		t.Errorf("%s %s: %d %s, want %d", a.Method, a.Path, response.StatusCode, text, a.Status)
		return
	}
	for _, d := range differences("", a.Answer, got) {
		t.Errorf("%s %s: %s", a.Method, a.Path, d)
	}
}

// differences says where got lacks what want has. Members that want does not have
// are no difference: later releases may say more.
func differences(at string, want, got any) (all []string) {
	switch want := want.(type) {
	case map[string]any:
		if got, ok := got.(map[string]any); ok {
			for _, name := range slices.Sorted(maps.Keys(want)) {
				all = append(all, differences(at+"."+name, want[name], got[name])...)
			}
			return all
		}
	case []any:
		if got, ok := got.([]any); ok && len(got) == len(want) {
			for i := range want {
				all = append(all, differences(fmt.Sprintf("%s[%d]", at, i), want[i], got[i])...)
			}
			return all
		}
	case float64:
		if got, ok := got.(float64); ok && present(want) && present(got) {
			return nil // of what each release did when it was started
		}
	}
	if !reflect.DeepEqual(want, got) {
		all = append(all, fmt.Sprintf("%s is %v, want %v", at, got, want))
	}
	return all
}

// present reports whether a number of an answer is an instant between the day of the
// folder and its clock, in seconds.
func present(seconds float64) bool {
	return seconds > 1.79e9 && seconds < float64(former.Clock.Unix())-1e9
}

var timestamp = regexp.MustCompile(`"timestamp":\d+`)

// receive is the client lamp6, which gets what was stored for it.
func (s *running) receive(t *testing.T, format int) {
	t.Helper()
	want, err := former.Messages(format)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", s.ready.MQTTAddr)
	if err != nil {
		t.Fatal(err)
	}
	c := mqtttest.New(t, conn, 5)
	if ack := c.Connect(packet.Connect{ClientID: "lamp6", Properties: packet.Properties{}.WithInt(packet.SessionExpiry, 604800)}); !ack.SessionPresent {
		t.Fatal("the session of lamp6 is gone")
	}
	for _, m := range want {
		p, ok := c.Next().(*packet.Publish)
		if !ok {
			t.Fatalf("lamp6 gets %v, want a message on %s", p, m.Topic)
		}
		c.Send(&packet.Puback{ID: p.ID})
		got := former.Message{Topic: p.Topic, Payload: string(p.Payload)}
		if got.Topic != m.Topic || timestamp.ReplaceAllString(got.Payload, "") != timestamp.ReplaceAllString(m.Payload, "") {
			t.Errorf("lamp6 gets %v, want %v", got, m)
		}
	}
	c.ExpectNothing()
}

// readFormerFiles reads the job files.
func (s *running) readFormerFiles(t *testing.T) {
	t.Helper()
	var app []byte
	for range 400 {
		for b := range 256 {
			app = append(app, byte(b))
		}
	}
	for name, want := range map[string][]byte{
		"empty":      {},
		"small.json": []byte(`{"do":"from a newer file"}`),
		"app.bin":    app,
		"large.bin":  append(make([]byte, 5<<20), "end"...),
	} {
		if got, err := s.file(t.Context(), "GET", "/firmware/"+name, nil); err != nil || !bytes.Equal(got, want) {
			t.Errorf("job file %s has %d bytes, %v; want the %d that were put there", name, len(got), err, len(want))
		}
	}
}

// askAsFormerDevice asks with a device certificate of the folder.
func (s *running) askAsFormerDevice(t *testing.T, data string) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(data, "device-cert.pem"), filepath.Join(data, "device-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	authority, err := os.ReadFile(filepath.Join(data, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots}}}
	response, err := client.Get(s.ready.HTTPSURL + "/things/lamp1/jobs")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(text), `"jobId":"joinable"`) {
		t.Errorf("the device lamp1 is answered %s %s, %v", response.Status, text, err)
	}
}
