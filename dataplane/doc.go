// Package dataplane is the jobs data plane as devices see it: the four
// operations and the two notifications of jobs-data-plane.md, over MQTT and
// over HTTPS. What both protocols share, from reading a request to the words of
// a refusal, is written once; MQTT, HTTP and Notifier add what only one has.
//
// It holds no rule and no state of jobs: every request is one call of Jobs. It
// does not authenticate callers, keeps no connection, and does not know how a
// message reaches its subscribers.
package dataplane
