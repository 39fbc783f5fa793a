package device

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
)

// MQTTOptions say how to reach the service over MQTT 5. Endpoint and Thing are
// required.
type MQTTOptions struct {
	Endpoint  string      // "mqtts://host:8883", "mqtt://127.0.0.1:1883" or "wss://host/mqtt"
	Thing     string      // the thing to act for
	Namespace string      // of its jobs; empty for the default one
	ClientID  string      // empty means the thing's name
	TLS       *tls.Config // client certificate and roots, for mqtts and wss
	// KeepAlive is the MQTT keep-alive, in whole seconds; the service takes less
	// than 30 seconds as 30 seconds, and more than 20 minutes as 20 minutes. Zero
	// means 1 minute.
	KeepAlive time.Duration
	// Timeout is how long one attempt of a request waits for its answer; zero
	// means 10 seconds.
	Timeout time.Duration
	// Backoff returns the pause before reconnection attempt n, from 0; nil
	// means up to 1 second, growing to 2 minutes.
	Backoff func(n int) time.Duration
	// Dial opens the network connection; nil means to dial Endpoint.
	Dial func(ctx context.Context) (net.Conn, error)
	Log  *slog.Logger // nil discards
}

const (
	defaultKeepAlive = time.Minute
	defaultTimeout   = 10 * time.Second
)

// ConnectMQTT returns a client over MQTT 5 that is connected and subscribed. It
// tries until ctx ends. The client that it returns reconnects by itself until
// Close. It uses clean sessions: after each reconnection it subscribes again and
// asks for what it may have missed.
func ConnectMQTT(ctx context.Context, o MQTTOptions) (*Client, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.KeepAlive == 0 {
		o.KeepAlive = defaultKeepAlive
	}
	if o.ClientID == "" {
		o.ClientID = o.Thing
	}
	if o.Backoff == nil {
		o.Backoff = autopaho.NewExponentialBackoff(firstPause, 2*time.Minute, time.Second, 2)
	}
	endpoint, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("device: endpoint: %w", err)
	}
	w := &mqttWire{
		o: o, topics: topics{thing: o.Thing, namespace: o.Namespace}, log: o.Log,
		up: make(chan struct{}), down: closedChan(), lost: func() {}, changed: make(chan struct{}), closed: make(chan struct{}),
		waiting: map[string]chan mqttReply{},
	}
	config := autopaho.ClientConfig{
		ServerUrls:                    []*url.URL{endpoint},
		TlsCfg:                        o.TLS,
		KeepAlive:                     uint16(o.KeepAlive / time.Second),
		CleanStartOnInitialConnection: true,
		ReconnectBackoff:              o.Backoff,
		ConnectTimeout:                o.Timeout,
		OnConnectionUp:                w.connected,
		OnConnectionDown:              w.disconnected,
		OnConnectError:                w.failed,
		ClientConfig: paho.ClientConfig{
			ClientID:          o.ClientID,
			PacketTimeout:     o.Timeout,
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){w.received},
		},
	}
	if o.Dial != nil {
		config.AttemptConnection = w.dial
	}
	w.connection, err = autopaho.NewConnection(context.Background(), config)
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}
	if err := w.awaitUp(ctx); err != nil {
		w.close()
		return nil, err
	}
	return &Client{wire: w, log: o.Log}, nil
}

// mqttWire is the transport over MQTT.
type mqttWire struct {
	o          MQTTOptions
	topics     topics
	log        *slog.Logger
	connection *autopaho.ConnectionManager
	closing    sync.Once
	closed     chan struct{} // closed by close

	mu      sync.Mutex    // guards what follows
	up      chan struct{} // closed while connected and subscribed
	down    chan struct{} // closed while not
	heard   notified
	changed chan struct{} // closed and replaced whenever heard changes
	waiting map[string]chan mqttReply
	refused error  // why the last attempt to connect or subscribe failed
	lost    func() // ends the subscribing of the current connection
}

// dial opens a connection with MQTTOptions.Dial.
func (w *mqttWire) dial(ctx context.Context, _ autopaho.ClientConfig, _ *url.URL) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, w.o.Timeout)
	defer cancel()
	c, err := w.o.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return packets.NewThreadSafeConn(c), nil
}

// connected starts the work for a new connection. It must not block.
func (w *mqttWire) connected(m *autopaho.ConnectionManager, _ *paho.Connack) {
	ctx, lost := context.WithCancel(context.Background())
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost = lost
	go w.subscribe(ctx, m)
}

// disconnected holds back requests until a connection is subscribed again.
func (w *mqttWire) disconnected() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost()
	if isClosed(w.up) {
		w.up = make(chan struct{})
		close(w.down)
	}
	return true
}

// subscribe subscribes to all topics of the thing. It tries until that is granted
// or the connection is lost; when it is granted, requests may be sent.
func (w *mqttWire) subscribe(ctx context.Context, m *autopaho.ConnectionManager) {
	var all paho.Subscribe
	for _, filter := range w.topics.filters() {
		all.Subscriptions = append(all.Subscriptions, paho.SubscribeOptions{Topic: filter, QoS: 1})
	}
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		_, err := m.Subscribe(ctx, &all)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			break
		}
		w.failed(fmt.Errorf("subscribing: %w", err))
		if sleep(ctx, pause) != nil {
			return
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil {
		return // the connection was lost
	}
	w.refused = nil
	w.heard = notified{epoch: w.heard.epoch + 1}
	w.announce()
	w.down = make(chan struct{})
	close(w.up)
}

func (w *mqttWire) failed(err error) {
	w.log.Warn("connection failed", "endpoint", w.o.Endpoint, "error", err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = err
}

// announce wakes all callers of await because heard has changed. The caller holds
// the lock.
func (w *mqttWire) announce() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// received takes every message that comes in. It must not block.
func (w *mqttWire) received(r paho.PublishReceived) (bool, error) {
	topic, payload := r.Packet.Topic, r.Packet.Payload
	switch {
	case topic == w.topics.notify():
		w.note(&w.heard.list, payload)
	case topic == w.topics.notifyNext():
		w.note(&w.heard.head, payload)
	case strings.HasSuffix(topic, "/accepted"):
		w.reply(mqttReply{true, payload})
	case strings.HasSuffix(topic, "/rejected"):
		w.reply(mqttReply{false, payload})
	}
	return true, nil
}

func (w *mqttWire) note(h *heard, payload []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*h = heard{h.count + 1, payload}
	w.announce()
}

func (w *mqttWire) awaitUp(ctx context.Context) error {
	w.mu.Lock()
	up := w.up
	w.mu.Unlock()
	select {
	case <-up:
		return nil
	case <-w.closed:
		return errClosed
	case <-ctx.Done():
		w.mu.Lock()
		defer w.mu.Unlock()
		return fmt.Errorf("device: %s is not reached: %w", w.o.Endpoint, errors.Join(ctx.Err(), w.refused))
	}
}

func (w *mqttWire) notified() notified {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.heard
}

func (w *mqttWire) await(ctx context.Context, since notified) (notified, error) {
	for {
		w.mu.Lock()
		now, changed := w.heard, w.changed
		w.mu.Unlock()
		if !now.same(since) {
			return now, nil
		}
		select {
		case <-changed:
		case <-w.closed:
			return now, errClosed
		case <-ctx.Done():
			return now, ctx.Err()
		}
	}
}

func (w *mqttWire) waits() bool { return false }

func (w *mqttWire) close() error {
	err := error(nil)
	w.closing.Do(func() {
		close(w.closed)
		w.disconnected()
		ctx, cancel := context.WithTimeout(context.Background(), w.o.Timeout)
		defer cancel()
		err = w.connection.Disconnect(ctx)
	})
	return err
}

func closedChan() chan struct{} {
	ch := make(chan struct{})
	close(ch)
	return ch
}

func isClosed(ch chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
