// Package rollout says when a job may give things executions, how many, and
// when it must stop: rates, maintenance windows, retries, abort criteria, and
// the checks of the configuration that these are made of.
//
// Everything in it is a function of a state and an instant. It never acts: it
// touches no store, reads no clock and starts nothing. It answers with data,
// and the engine acts on it within one transaction.
package rollout
