// Package rollout says what is to be done for a job in the background (Next), when the
// job may give things executions, how many, and when it must stop: rates, maintenance
// windows, retries, abort criteria, and the checks of the configuration that these are
// made of.
//
// Everything in it is a function of a state and an instant that returns data, on
// which the caller acts within one transaction. It uses no store and no clock, and
// starts no goroutines.
package rollout
