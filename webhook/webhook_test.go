package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/eventlog"
)

var _ Log = (*eventlog.Log)(nil)

var account = muster.Account{ID: "111122223333", Region: "eu-west-1"}

const beginning = muster.Instant(1_790_000_000_000)

// notebook is a Log in memory.
type notebook struct {
	mu      sync.Mutex
	events  []eventlog.Event
	taken   map[string]bool // ids
	letters []eventlog.DeadLetter
}

// add appends an event for each thing: that it was created.
func (n *notebook) add(at muster.Instant, things ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range things {
		n.events = append(n.events, eventlog.Event{
			ID: "id-" + name, Place: fmt.Sprintf("%020d", len(n.events)+1), At: at, Recorded: at,
			Type: muster.EventThing, Operation: eventlog.Created, Thing: &muster.Thing{Name: muster.ThingName(name)},
		})
	}
}

func (n *notebook) Events(ctx context.Context, sink eventlog.Sink, most int) (all []eventlog.Event, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if sink != eventlog.Webhook || ctx.Err() != nil {
		return nil, errors.New("no events")
	}
	for _, e := range n.events {
		if !n.taken[e.ID] && len(all) < most {
			all = append(all, e)
		}
	}
	return all, nil
}

func (n *notebook) Taken(_ eventlog.Sink, all []eventlog.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.taken == nil {
		n.taken = map[string]bool{}
	}
	for _, e := range all {
		n.taken[e.ID] = true
	}
}

func (n *notebook) GiveUp(_ context.Context, letters []eventlog.DeadLetter) error {
	for _, l := range letters {
		n.Taken(eventlog.Webhook, []eventlog.Event{l.Event})
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.letters = append(n.letters, letters...)
	return nil
}

// server answers requests as a test wants it, and keeps when they came and their
// bodies. It is an http.RoundTripper, so it works in a synctest bubble.
type server struct {
	notebook
	hook   *Hook
	log    bytes.Buffer
	start  time.Time
	answer func(n int, r *http.Request) (*http.Response, error) // to the request n, from 1

	came   []float64 // in seconds since the start
	bodies []string
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.came, s.bodies = append(s.came, time.Since(s.start).Seconds()), append(s.bodies, string(text))
	return s.answer(len(s.came), r)
}

// status is an answer with headers "name: value".
func status(code int, headers ...string) *http.Response {
	r := &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("an answer"))}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	return r
}

// first answers the first requests with codes, where zero means no answer, and the
// others with 204.
func first(codes ...int) func(int, *http.Request) (*http.Response, error) {
	return func(n int, _ *http.Request) (*http.Response, error) {
		if n > len(codes) {
			return status(204), nil
		}
		if codes[n-1] == 0 {
			return nil, errors.New("connection refused")
		}
		return status(codes[n-1]), nil
	}
}

// run runs a hook for d, in a synctest bubble.
func (s *server) run(t *testing.T, o Options, d time.Duration) {
	t.Helper()
	secret, err := NewSecret([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	s.start = time.Now()
	o.URL, o.Secret, o.Events, o.Account = "http://hook.test/in?token=hidden", secret, s, account
	o.Now = time.Now
	o.Clock = func() muster.Instant { return beginning.Add(time.Since(s.start)) }
	o.Log = slog.New(slog.NewTextHandler(&s.log, nil))
	if o.Batch == 0 {
		o.Batch = 1
	}
	if o.Attempts == 0 {
		o.Attempts = 20
	}
	if o.MaxAge == 0 {
		o.MaxAge = 24 * time.Hour
	}
	s.hook = New(o)
	s.hook.client.Transport = s
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.hook.Run(ctx) }()
	time.Sleep(d)
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if text := s.log.String(); strings.Contains(text, "0123456789abcdef") || strings.Contains(text, "hidden") {
		t.Errorf("the log shows a secret: %s", text)
	}
}

// things returns the things of the events that arrived, one list for each
// request.
func (s *server) things() (all []string) {
	for _, b := range s.bodies {
		var names []string
		for part := range strings.SplitSeq(b, `"thingName":"`) {
			name, _, _ := strings.Cut(part, `"`)
			names = append(names, name)
		}
		all = append(all, strings.Join(names[1:], " "))
	}
	return all
}

func TestEventsArriveInOrderOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: first()}
		s.add(beginning, "a", "b")
		go func() {
			time.Sleep(time.Minute)
			s.add(beginning, "c")
			s.hook.Recorded()
			s.hook.Recorded() // never blocks
		}()
		s.run(t, Options{}, 2*time.Minute)
		if want := []string{"a", "b", "c"}; !slices.Equal(s.things(), want) || len(s.taken) != 3 {
			t.Errorf("events of %q arrived and %d were taken, want %q and 3", s.things(), len(s.taken), want)
		}
		if want := []float64{0, 0, 60}; !slices.Equal(s.came, want) {
			t.Errorf("they arrived at %v, want %v", s.came, want)
		}
		if got, want := s.hook.Stats(), (Stats{Delivered: 3, Requests: 3}); got != want {
			t.Errorf("Stats() = %+v, want %+v", got, want)
		}
	})
}

func TestABatchIsOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: first(500)}
		s.add(beginning, "a", "b", "c", "d", "e")
		s.run(t, Options{Batch: 2}, time.Minute)
		if want := []string{"a b", "a b", "c d", "e"}; !slices.Equal(s.things(), want) || len(s.taken) != 5 {
			t.Errorf("events of %q arrived and %d were taken, want %q and 5", s.things(), len(s.taken), want)
		}
		if last := s.bodies[3]; !strings.HasPrefix(last, `[{"specversion":"1.0",`) {
			t.Errorf("a batch of one is %s, want a list", last)
		}
	})
}

func TestAFailureIsTriedAgainLaterAndLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		codes := []int{500, 0, 301, 404, 400, 502, 500, 500, 500}
		s := &server{answer: first(codes...)}
		s.add(beginning, "a", "b")
		s.run(t, Options{}, time.Hour)
		if len(s.came) != len(codes)+2 || len(s.taken) != 2 {
			t.Fatalf("%d requests came and %d events were taken, want %d and 2", len(s.came), len(s.taken), len(codes)+2)
		}
		for i := range codes {
			longest := min(float64(int(1)<<i), 60)
			if wait := s.came[i+1] - s.came[i]; wait < longest/2 || wait > longest {
				t.Errorf("after failure %d the next request came %v seconds later, want %v to %v", i+1, wait, longest/2, longest)
			}
		}
		if !strings.Contains(s.log.String(), "the server answers 404 Not Found") {
			t.Errorf("the log does not say what the server answered:\n%s", s.log.String())
		}
	})
}

func TestAServerMayAskForPatience(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header string
		from   float64 // the wait, in seconds
		to     float64
	}{
		{"seconds", "300", 300, 300},
		{"a date", "Sat, 01 Jan 2000 00:03:20 GMT", 200, 200}, // the beginning of a bubble's time, plus 200 s
		{"less than we would wait anyhow", "0", 0.5, 1},
		{"more than anybody may ask for", "1000000000000", 3600, 3600},
		{"more than a number holds", "9223372036854775808", 0.5, 1},
		{"very long", "86400", 3600, 3600},
		{"a date in the past", "Sat, 02 Jan 1999 15:04:05 GMT", 0.5, 1},
		{"nonsense", "soon", 0.5, 1},
		{"a negative number", "-5", 0.5, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{answer: func(n int, _ *http.Request) (*http.Response, error) {
					if n == 1 {
						return status(429, "Retry-After: "+tt.header), nil
					}
					return status(200), nil
				}}
				s.add(beginning, "a")
				s.run(t, Options{}, 2*time.Hour)
				if len(s.came) != 2 || s.came[1] < tt.from || s.came[1] > tt.to {
					t.Errorf("requests came at %v, want the second %v to %v seconds later", s.came, tt.from, tt.to)
				}
			})
		})
	}
}

func TestWhatTheServerRefusesOftenIsADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: first(400, 429, 0, 503, 400, 422)}
		s.add(beginning, "poison", "b")
		s.run(t, Options{Attempts: 3}, time.Hour)
		if len(s.letters) != 1 || len(s.taken) != 2 || s.bodies[len(s.bodies)-1] == s.bodies[0] {
			t.Fatalf("dead letters %+v, %d taken, want one and the other event delivered", s.letters, len(s.taken))
		}
		if l := s.letters[0]; l.ID != "id-poison" || l.Attempts != 6 || l.Why != "the server answers 422 Unprocessable Entity" {
			t.Errorf("the dead letter is %+v, want that of poison after 6 attempts, with the last answer", l)
		}
		if got, want := s.hook.Stats(), (Stats{Delivered: 1, Requests: 7, Failures: 6, DeadLetters: 1}); got != want {
			t.Errorf("Stats() = %+v, want %+v", got, want)
		}
	})
}

func TestAServerThatIsDownLosesNothingForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		s.answer = func(int, *http.Request) (*http.Response, error) {
			if time.Since(s.start) < 23*time.Hour {
				return nil, errors.New("connection refused")
			}
			return status(200), nil
		}
		s.add(beginning, "a", "b")
		s.run(t, Options{Attempts: 3}, 24*time.Hour)
		if len(s.letters) != 0 || len(s.taken) != 2 {
			t.Errorf("dead letters %+v and %d taken, want none and 2", s.letters, len(s.taken))
		}
	})
}

func TestWhatIsTooOldIsADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: func(int, *http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }}
		s.add(beginning, "a", "b")
		s.run(t, Options{Batch: 10, MaxAge: time.Hour}, 2*time.Hour)
		if len(s.letters) != 2 || s.letters[0].Why != "connection refused" {
			t.Errorf("dead letters %+v, want both", s.letters)
		}
		if last := s.came[len(s.came)-1]; last < 3600 || last > 3700 {
			t.Errorf("the last attempt was at %v seconds, want soon after an hour", last)
		}
	})
}

func TestAServerThatNeverAnswersIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: func(n int, r *http.Request) (*http.Response, error) {
			if n > 1 {
				return status(200), nil
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		}}
		s.add(beginning, "a")
		s.run(t, Options{}, time.Minute)
		if len(s.came) != 2 || s.came[1] < 10.5 || s.came[1] > 11 || len(s.taken) != 1 {
			t.Errorf("requests came at %v, want the second after 10 seconds and a pause", s.came)
		}
	})
}

func TestRunEndsInTheMiddleOfAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: first(500, 500, 500, 500)}
		s.add(beginning, "a", "b")
		s.run(t, Options{}, 3*time.Second) // which waits for Run
		if len(s.taken) != 0 {
			t.Errorf("%d events were taken that nobody got", len(s.taken))
		}
	})
}

func TestASecretNeverPrintsItself(t *testing.T) {
	secret, err := NewSecret([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(secret), fmt.Sprintf("%s %v %+v %#v %x %q", secret, secret, secret, secret, secret, secret), fmt.Sprintf("%+v", Options{Secret: secret})} {
		if strings.Contains(text, "0123") || strings.Contains(text, "30313233") || strings.Contains(text, "48 49 50") {
			t.Errorf("it prints as %s", text)
		}
	}
	if _, err := NewSecret([]byte("short")); err == nil {
		t.Error("NewSecret takes 5 bytes")
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, text := range []string{"", "0", "120", "-1", "9223372036854775808", "Mon, 02 Jan 2006 15:04:05 GMT", "soon"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := retryAfter(text, beginning.Time()); got < 0 {
			t.Errorf("retryAfter(%q) = %v", text, got)
		}
	})
}
