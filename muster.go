// Package muster holds the nouns and rules of device jobs: things, groups, jobs,
// executions, queues, and what may happen to them.
//
// Everything here is pure: a rule is a function of a state and an instant that
// returns a new state, and the same arguments always give the same answer. The
// package does no I/O, reads no clock, and imports only the standard library.
package muster

import "time"

// ThingName names a device in the registry: 1 to 128 characters of
// [a-zA-Z0-9:_-] (registry.md section 1.2).
type ThingName string

// GroupName names a thing group; it has the alphabet and length of a ThingName.
type GroupName string

// TypeName names a thing type; it has the alphabet and length of a ThingName.
type TypeName string

// JobID names a job: 1 to 64 characters of [a-zA-Z0-9_-].
type JobID string

// Namespace separates a thing's jobs into independent queues. The empty
// namespace is the default one (jobs-data-plane.md section 4.2).
type Namespace string

// Instant is a point in time in milliseconds since the Unix epoch. Zero means unset.
// Every time in a rule or a record is an Instant, so that records compare with ==
// and do not depend on a time zone.
type Instant int64

// At returns the instant of t, floored to the millisecond.
func At(t time.Time) Instant { return Instant(t.UnixMilli()) }

// Seconds returns i floored to whole seconds, the data plane's unit.
func (i Instant) Seconds() int64 { return int64(i) / 1000 }

// InstantForm is the layout in which instants are shown to people and programs, for time.Time.Format: RFC 3339 to the millisecond.
const InstantForm = "2006-01-02T15:04:05.000Z07:00"

// Time returns i in UTC.
func (i Instant) Time() time.Time { return time.UnixMilli(int64(i)).UTC() }

// Add returns the instant d later, floored to the millisecond.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d.Milliseconds()) }

// Minutes returns the instant n minutes later.
func (i Instant) Minutes(n int) Instant { return i + Instant(n)*60_000 }
