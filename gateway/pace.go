package gateway

import "time"

// pace is a token bucket for one connection's publishes (MQ-30). The zero pace is a full bucket.
type pace struct {
	spent float64 // tokens missing from a full bucket
	at    time.Time
}

// take takes one token, rate of which come back each second up to burst, and returns how long to wait for it.
func (p *pace) take(now time.Time, rate, burst float64) time.Duration {
	p.spent = max(0, p.spent-now.Sub(p.at).Seconds()*rate) + 1
	p.at = now
	if p.spent <= burst {
		return 0
	}
	return time.Duration((p.spent - burst) / rate * float64(time.Second))
}
