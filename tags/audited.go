package tags

import (
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
)

// Audited says what audit records show of tags.
func Audited() []audit.Shown {
	return []audit.Shown{audit.Show(Table, func(key string, tags []muster.Tag) (string, []audit.Field) {
		var fields []audit.Field
		for _, t := range tags {
			fields = append(fields, audit.Is("tags."+t.Key, t.Value))
		}
		return strings.ReplaceAll(key, "\x00", "/"), fields
	})}
}
