package audit

import "github.com/muster-iot/muster"

// Entry is a record as people and programs get it.
type Entry struct {
	At string `json:"at"` // RFC 3339, in UTC, with milliseconds
	Record
}

// EntryOf returns the entry of a record.
func EntryOf(r Record) Entry {
	return Entry{r.At.Time().Format(muster.InstantForm), r}
}
