package awsiot

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/listing"
)

// This file holds what several converters between the wire and the rules share. A
// member that is absent on the wire is a zero value in the rules.

// text returns s for a member that is absent when s is empty.
func text[S ~string](s S) *string {
	if s == "" {
		return nil
	}
	return new(string(s))
}

// instant returns i for a member that is absent when i is zero.
func instant(i muster.Instant) *wire.Timestamp {
	if i == 0 {
		return nil
	}
	return new(wire.Timestamp(i))
}

// yes returns b for a member that is absent when b is false.
func yes(b bool) *bool {
	if !b {
		return nil
	}
	return &b
}

// value returns an optional member of the wire, "" if it is absent.
func value[R ~string](s *string) R { return R(wire.Or(s, "")) }

// optional is like value, but nil if the member is absent.
func optional[R ~string](s *string) *R {
	if s == nil {
		return nil
	}
	return new(R(*s))
}

func page(limit *int, token *string) listing.Page {
	return listing.Page{Limit: wire.Or(limit, 0), Token: wire.Or(token, "")}
}

// each converts a list between the wire and the rules, one element at a time. It
// never returns nil: a list on the wire is there even when it is empty (REG-4).
func each[From, To any](all []From, convert func(From) To) []To {
	converted := make([]To, 0, len(all))
	for _, one := range all {
		converted = append(converted, convert(one))
	}
	return converted
}

func tagsOf(given []wire.Tag) []muster.Tag {
	return each(given, func(t wire.Tag) muster.Tag {
		return muster.Tag{Key: wire.Or(t.Key, ""), Value: wire.Or(t.Value, "")}
	})
}
