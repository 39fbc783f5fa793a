// Package natsbus is a cluster.Bus on NATS. Nothing is stored there: a message that nobody
// gets at once is lost, as the Bus says.
package natsbus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/muster-iot/muster/cluster"
	"github.com/muster-iot/muster/internal/hostport"
	"github.com/muster-iot/muster/internal/loopback"
)

// Options say how the bus is reached. Servers and Deployment are required.
type Options struct {
	// Servers are addresses, separated by commas, as CheckServers takes them.
	Servers string
	// Deployment begins all subjects, so that deployments which share servers do not meet. It is
	// one word.
	Deployment string
	// Node is what people who look at the servers see of this one.
	Node string
	// Credentials is the file with the credentials of this node (credentials.go). Empty: it has none.
	Credentials string
	// CA is a file with the certificates of the authorities that may vouch for the servers. Empty
	// is those of the system. Certificate and Key are files with what this node shows them.
	CA, Certificate, Key string
	Log                  *slog.Logger // nil discards
}

// A connection without a reset, such as one that a firewall has forgotten, is noticed after
// two pings without an answer.
const (
	pingTime  = 500 * time.Millisecond
	pingsOpen = 2
	// dialTime is how long one server is given to answer.
	dialTime = 2 * time.Second
	// flushTime bounds Flush: by then a connection without an answer is given up.
	flushTime = 5 * time.Second
	// againTime is the pause before a server is tried again.
	againTime = 250 * time.Millisecond
)

// What may wait for one subscription. More is lost.
const (
	waitingMessages = 65_536
	waitingBytes    = 64 << 20
)

// Bus is a cluster.Bus. Make it with New.
type Bus struct {
	conn   *nats.Conn
	prefix string
	log    *slog.Logger

	mu     sync.Mutex
	tells  map[int]func() // of Lost
	number int            // of the last one
}

// New returns a bus that is reached, or that goes on trying if none of the servers can be
// reached now. It fails if they refuse this node, and if they let everybody in although
// other machines can reach them.
func New(o Options) (*Bus, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	servers, err := CheckServers(o.Servers)
	if err != nil {
		return nil, err
	}
	who, err := credentials(o.Credentials)
	if err != nil {
		return nil, err
	}
	b := &Bus{prefix: "muster." + o.Deployment + ".", log: o.Log, tells: map[int]func(){}}
	options := append(who,
		nats.Name(o.Node),
		nats.MaxReconnects(-1), nats.ReconnectWait(againTime), nats.ReconnectJitter(againTime, againTime), nats.IgnoreAuthErrorAbort(),
		nats.Timeout(dialTime), nats.PingInterval(pingTime), nats.MaxPingsOutstanding(pingsOpen),
		nats.ReconnectBufSize(-1), // what cannot be sent now is lost: it would be old news later
		nats.ConnectHandler(func(*nats.Conn) { b.lost() }),
		nats.ReconnectHandler(func(c *nats.Conn) { b.log.Info("the bus is reached again", "server", c.ConnectedAddr()); b.lost() }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				b.log.Warn("the bus cannot be reached; nodes look into the database for what is new", "error", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) { b.failed(s, err) }),
	)
	if o.CA != "" {
		options = append(options, nats.RootCAs(o.CA))
	}
	if o.Certificate != "" {
		options = append(options, nats.ClientCert(o.Certificate, o.Key))
	}
	b.conn, err = nats.Connect(strings.Join(servers, ","), options...)
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return nil, fmt.Errorf("the bus: the certificate of %s is not trusted: %w", o.Servers, untrusted.Err)
	}
	switch {
	case errors.Is(err, nats.ErrAuthorization):
		return nil, fmt.Errorf("the bus: %s refuses the credentials of this node", o.Servers)
	case errors.Is(err, nats.ErrNoServers), errors.Is(err, nats.ErrTimeout):
		b.log.Warn("the bus cannot be reached yet; nodes look into the database for what is new", "servers", o.Servers)
		b.conn, err = nats.Connect(strings.Join(servers, ","), append(options, nats.RetryOnFailedConnect(true))...)
	}
	if err != nil {
		return nil, fmt.Errorf("the bus: %s: %w", o.Servers, err)
	}
	if b.conn.IsConnected() && o.Certificate == "" {
		err = b.checkOpen()
	}
	if err != nil {
		b.conn.Close()
		return nil, err
	}
	return b, nil
}

// checkOpen refuses a server on another machine that accepts clients without credentials: anybody
// who reaches it could send messages to the nodes.
func (b *Bus) checkOpen() error {
	if b.conn.AuthRequired() || loopback.Names(hostport.Host(b.conn.ConnectedAddr())) {
		return nil
	}
	return fmt.Errorf("the NATS server at %s lets in whoever reaches it, and what the nodes tell each other is not for everybody: "+
		"give it an authorization block, and this node --bus-credentials", b.conn.ConnectedAddr())
}

// Close ends the connection. Nothing of the bus may be used after it.
func (b *Bus) Close() { b.conn.Close() }

// Publish implements cluster.Bus.
func (b *Bus) Publish(subject string, data []byte) {
	_ = b.conn.Publish(b.prefix+subject, data) // as promised, nothing is said of a bus that is down
}

// Subscribe implements cluster.Bus.
func (b *Bus) Subscribe(subject, queue string, got func(cluster.Delivered)) (stop func()) {
	s, err := b.conn.QueueSubscribe(b.prefix+subject, queue, func(m *nats.Msg) {
		d := cluster.Delivered{Subject: strings.TrimPrefix(m.Subject, b.prefix), Data: m.Data}
		if m.Reply != "" {
			d.Answer = func(data []byte) { _ = m.Respond(data) } // who asks waits for a while only
		}
		got(d)
	})
	if err != nil { // the bus is closed
		return func() {}
	}
	if err := s.SetPendingLimits(waitingMessages, waitingBytes); err != nil {
		b.log.Error("the bus keeps its own bounds", "error", err)
	}
	return func() { _ = s.Unsubscribe() } // it fails on a bus that is closed
}

// Ask implements cluster.Bus.
func (b *Bus) Ask(ctx context.Context, subject string, data []byte) ([]byte, error) {
	m, err := b.conn.RequestWithContext(ctx, b.prefix+subject, data)
	switch {
	case err == nil:
		return m.Data, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, nats.ErrNoResponders):
		return nil, cluster.ErrNobody
	}
	return nil, fmt.Errorf("%w: %w", cluster.ErrDown, err)
}

// Flush implements cluster.Bus. A subscription is known to the server that this node is connected to
// when that answers, and to its neighbours a moment later.
func (b *Bus) Flush(ctx context.Context) error {
	if !b.Up() {
		return cluster.ErrDown
	}
	ctx, stop := context.WithTimeout(ctx, flushTime)
	defer stop()
	err := b.conn.FlushWithContext(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", cluster.ErrDown, err)
}

// Up implements cluster.Bus.
func (b *Bus) Up() bool { return b.conn.IsConnected() }

// Lost implements cluster.Bus.
func (b *Bus) Lost(tell func()) (stop func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.number++
	n := b.number
	b.tells[n] = tell
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.tells, n)
	}
}

func (b *Bus) lost() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, tell := range b.tells {
		tell()
	}
}

// failed takes what goes wrong beside the calls. A subscription that is too slow is not worth a
// line each time: the count of gaps shows it.
func (b *Bus) failed(s *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrSlowConsumer) {
		b.log.Debug("messages of the bus were lost, as more came than this node takes", "subject", s.Subject)
		b.lost()
		return
	}
	b.log.Error("the bus reports an error", "error", err)
}
