// Package watch reads what screens and commands show of jobs and things: why they do not move, and what became of them when. It gathers
// facts from the rooms, in one view of the store, and knows no protocol.
package watch
