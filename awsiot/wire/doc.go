// Package wire is the AWS IoT API as Go types: every operation of the three
// models (control plane, jobs data plane, data plane) with its binding and its
// modeled errors, and for those that Muster serves also the input and output
// shapes, with decoding, validation and encoding; package dataplane reads and
// writes those of the jobs data plane itself. Files ending in _gen.go are
// generated from the model; the rest is their runtime.
//
// The package does not route or authenticate, has no state, and does not write to
// connections. It applies the limits of the models only. A rule that needs state, or
// that the specification adds to the models, is elsewhere.
//
// # Shapes
//
// A scalar or structure member is a pointer, a list a slice, a map a map; nil
// is absent, so an absent member and a zero value stay distinct. Elements of
// lists and maps are plain values. Enumerations are strings, limited by
// validation. A blob is []byte, base64 in JSON.
//
// # JSON
//
// Bodies are read and written by generated code over a small scanner and not by
// encoding/json, which matches names in any letter case, merges duplicate
// members, turns a null list element into a zero value, and names Go fields
// instead of wire members in its errors. Here names are exact, the last of
// duplicate members wins, unknown members are skipped, null is absent
// (registry.md REG-3), and a wrong type names its member.
package wire

//go:generate go run github.com/muster-iot/muster/internal/wiregen/cmd/wiregen
