package main

import (
	"github.com/spf13/pflag"

	"github.com/muster-iot/muster/audit"
)

// auditConfig are the flags of `muster serve` about audit records.
type auditConfig struct {
	Days      int      // that records are kept; zero: none is
	Max       byteSize // of all records; zero: no bound
	Addresses string   // addressesOn or addressesOff
}

const (
	addressesOn  = "on"
	addressesOff = "off"
)

func defaultAudit() auditConfig {
	return auditConfig{Days: 400, Max: 4 << 30, Addresses: addressesOn}
}

func (c *auditConfig) register(fs *pflag.FlagSet) {
	fs.IntVar(&c.Days, "audit-days", c.Days, "`number` of days that the audit keeps who changed what; 0 keeps nothing and removes what there is")
	fs.Var(&c.Max, "audit-max", "`size` of all audit records, of which the oldest are removed first, such as 4GiB; 0 is no bound")
	fs.StringVar(&c.Addresses, "audit-addresses", c.Addresses, "whether audit records have the addresses of clients, `on|off`")
}

// check reports the first mistake in the flags.
func (c auditConfig) check() error {
	switch {
	case c.Days < 0:
		return usagef("--audit-days is %d; it must not be negative", c.Days)
	case c.Addresses != addressesOn && c.Addresses != addressesOff:
		return usagef("--audit-addresses must be on or off; it is %q", c.Addresses)
	}
	return nil
}

func (c auditConfig) settings() audit.Settings {
	return audit.Settings{Days: c.Days, Max: int64(c.Max), HideAddresses: c.Addresses == addressesOff}
}
