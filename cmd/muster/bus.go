package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"regexp"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/muster-iot/muster/cluster/natsbus"
	"github.com/muster-iot/muster/store"
)

// busConfig are the flags of serve that make a server one of several equal nodes on one database.
type busConfig struct {
	Servers     string // addresses of NATS servers; empty: this server is the only one
	Credentials string // file with the credentials of this node; empty: none
	CA          string // PEM file of the authorities that may vouch for them; empty: those of the system
	Certificate string // PEM file that this node shows them; empty for none
	Key         string // PEM file of its key
	Node        string // name of this node; empty: that of its machine
}

func (c *busConfig) register(fs *pflag.FlagSet) {
	fs.StringVar(&c.Servers, "bus", c.Servers, "`addresses` of NATS servers, such as nats://10.0.7.2:4222, separated by commas: this server is one of several equal nodes on the database of --store")
	fs.StringVar(&c.Credentials, "bus-credentials", c.Credentials, "private `file` that says to the servers of --bus who this node is: NATS credentials, the seed of an nkey, a user and a password on two lines, or a token")
	fs.StringVar(&c.CA, "bus-ca", c.CA, "PEM `file` of the authorities that may vouch for the servers of --bus; those of the system when not given")
	fs.StringVar(&c.Certificate, "bus-certificate", c.Certificate, "PEM `file` of the certificate that this node shows the servers of --bus")
	fs.StringVar(&c.Key, "bus-key", c.Key, "PEM `file` of the key of --bus-certificate")
	fs.StringVar(&c.Node, "node", c.Node, "`name` of this node, which no other has at the same time; that of the machine when not given")
}

// on reports whether this server is one of several nodes.
func (c busConfig) on() bool { return c.Servers != "" }

// nodeForm is what the name of a node may be: a host name, or what people make of one.
var nodeForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// name returns the name of this node.
func (c busConfig) name() (string, error) {
	if c.Node != "" {
		return c.Node, nil
	}
	host, err := os.Hostname()
	if err == nil && !nodeForm.MatchString(host) {
		err = fmt.Errorf("it is %q", host)
	}
	if err != nil {
		return "", fmt.Errorf("the name of this machine cannot be that of a node: %w: give it one with --node", err)
	}
	return host, nil
}

// checkBus reports the first mistake in the flags of busConfig, and in others that several
// nodes cannot have.
func (c Config) checkBus() error {
	b := c.Bus
	if !b.on() {
		if b.Credentials+b.CA+b.Certificate+b.Key+b.Node != "" {
			return usagef("--bus-credentials, --bus-ca, --bus-certificate, --bus-key and --node need --bus")
		}
		return nil
	}
	if _, err := natsbus.CheckServers(b.Servers); err != nil {
		return usagef("--bus: %v", err)
	}
	database, err := c.Store.database()
	switch {
	case err != nil:
		return err
	case database == "":
		return usagef("--bus makes several servers one service on one PostgreSQL database: say which with --store or --store-file")
	case c.TestClock:
		return usagef("--test-clock stops the time of one server, and --bus has several: leave out one of them")
	case c.Files.builtIn() && c.Files.Address != "":
		return usagef("--bus needs --s3-endpoint, since the built-in store has job files on the disk of one node, where the others do not find them; or --files '' for a deployment without job files")
	case c.StoreLanes.given && c.StoreLanes.number == 0:
		return usagef("--store-lanes 0 has all work in one transaction, and with --bus other nodes are at work too: say 1 or more, or leave it out")
	case c.AcceptLoss:
		return usagef("--accept-loss is for a server that is alone on its database: start it once without --bus")
	case (b.Certificate == "") != (b.Key == ""):
		return usagef("--bus-certificate and --bus-key go together")
	case b.Node != "" && !nodeForm.MatchString(b.Node):
		return usagef("--node %q is no name of a node: it may have 64 letters, digits, dots, dashes and underscores, and begins with a letter or digit", b.Node)
	}
	if _, err := b.name(); err != nil {
		return err
	}
	if err := natsbus.CheckCredentials(b.Credentials); err != nil {
		return fmt.Errorf("--bus-credentials: %w", err)
	}
	return nil
}

// connect returns the bus of the deployment, which is known by its certificate authority. The
// servers of the bus show it under the name of this node and the number of its run.
func (s *server) connect(run store.Incarnation) (*natsbus.Bus, error) {
	c := s.c.Bus
	name, err := c.name()
	if err != nil {
		return nil, err
	}
	fingerprint := sha256.Sum256(s.issuer.Certificate.X509.Raw)
	return natsbus.New(natsbus.Options{
		Servers: c.Servers, Credentials: c.Credentials, CA: c.CA, Certificate: c.Certificate, Key: c.Key,
		Deployment: fmt.Sprintf("%x", fingerprint[:8]), Node: fmt.Sprintf("muster %s, run %d", name, run), Log: s.log,
	})
}

// laneCount is the flag that says how many transactions of devices run at a time. The zero
// laneCount leaves it to what the server is.
type laneCount struct {
	given  bool
	number int
}

// storeLanesMax bounds the connections that transactions take.
const storeLanesMax = 64

// Set reads a number.
func (l *laneCount) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > storeLanesMax {
		return fmt.Errorf("it must be 0 to %d", storeLanesMax)
	}
	*l = laneCount{given: true, number: n}
	return nil
}

// Type names a value in the help of a flag that names none.
func (*laneCount) Type() string { return "number" }

func (l *laneCount) String() string {
	if !l.given {
		return ""
	}
	return strconv.Itoa(l.number)
}

// lanes returns how many transactions of devices run at a time. Where other nodes are at work,
// those of devices are apart from the wide ones.
func (c Config) lanes() int {
	if c.Bus.on() {
		return max(c.StoreLanes.number, 1)
	}
	return c.StoreLanes.number
}
