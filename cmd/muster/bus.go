package main

import (
	"crypto/sha256"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/muster-iot/muster/cluster/natsbus"
)

// busConfig are the flags that say how this server reaches the others on its database.
type busConfig struct {
	Servers     string // of NATS; empty: there are no others
	Credentials string // a file that says to them who this server is; empty: nobody
	CA          string // a file with the authorities that vouch for them; empty: those of the system
	Certificate string // a file with what this server shows them; empty: nothing
	Key         string // its key
}

func (c *busConfig) register(fs *pflag.FlagSet) {
	fs.StringVar(&c.Servers, "bus", c.Servers, "`addresses` of NATS servers, such as nats://10.0.0.5:4222,nats://10.0.0.6:4222: this server is one of several on its database")
	fs.StringVar(&c.Credentials, "bus-credentials", c.Credentials, "`file` with the credentials for them, readable for its owner only")
	fs.StringVar(&c.CA, "bus-ca", c.CA, "`file` with the certificates of their authorities, if the system does not know them")
	fs.StringVar(&c.Certificate, "bus-certificate", c.Certificate, "`file` with the certificate that this server shows them")
	fs.StringVar(&c.Key, "bus-key", c.Key, "`file` with the key of that")
}

// on reports whether there are others.
func (c busConfig) on() bool { return c.Servers != "" }

// check reports the first mistake in c.
func (c busConfig) check() error {
	switch {
	case !c.on() && c != busConfig{}:
		return usagef("--bus-credentials, --bus-ca, --bus-certificate and --bus-key need --bus")
	case !c.on():
		return nil
	case (c.Certificate == "") != (c.Key == ""):
		return usagef("--bus-certificate and --bus-key go together")
	}
	if _, err := natsbus.CheckServers(c.Servers); err != nil {
		return usagef("--bus: %v", err)
	}
	return nil
}

// connect returns the bus of the deployment whose authority has a certificate. node is the name
// of this server for people.
func (s *server) connect(node string) (*natsbus.Bus, error) {
	print := sha256.Sum256(s.issuer.Certificate.X509.Raw)
	c := s.c.Bus
	return natsbus.New(natsbus.Options{
		Servers: c.Servers, Credentials: c.Credentials, CA: c.CA, Certificate: c.Certificate, Key: c.Key,
		Deployment: fmt.Sprintf("%x", print[:8]), Node: node, Log: s.log,
	})
}
