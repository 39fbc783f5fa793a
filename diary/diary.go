// Package diary keeps what the gateway and the data plane have seen of each thing last (muster.Diary), and who was refused. It gathers
// what it is told in memory and writes it in batches, so a diary may be five seconds behind.
package diary
