package eventlog

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
)

// Audited says what audit records show of the configuration of events.
func Audited() []audit.Shown {
	return []audit.Shown{audit.Show(tables.config, func(_ string, c muster.EventConfig) (string, []audit.Field) {
		var fields []audit.Field
		for _, t := range muster.EventTypes() {
			fields = append(fields, audit.Is("eventConfigurations."+t.String(), c.Enabled(t)))
		}
		return "eventconfigurations", fields
	})}
}
