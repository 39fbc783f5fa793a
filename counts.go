package muster

// Counts holds how many executions of a job are in each Status; read it with Of. It
// counts executions, not things (jobs-lifecycle.md section 4.2).
type Counts [8]int64

// Of returns how many executions are in status s.
func (c Counts) Of(s Status) int64 { return c[s-1] }

// Add returns c with n more in status s.
func (c Counts) Add(s Status, n int64) Counts {
	c[s-1] += n
	return c
}

// Plus returns the sum of c and d.
func (c Counts) Plus(d Counts) Counts {
	for i := range c {
		c[i] += d[i]
	}
	return c
}

// Pending returns how many executions are not terminal.
func (c Counts) Pending() int64 { return c.Of(Queued) + c.Of(InProgress) }

// Total returns how many executions there are.
func (c Counts) Total() int64 {
	var n int64
	for _, k := range c {
		n += k
	}
	return n
}
