package metrics

import "github.com/muster-iot/muster/webhook"

// Webhook holds the figures of the webhook.
type Webhook struct {
	webhook.Stats
	Backlog int // events that it has not taken yet, as far as they are counted
	Dead    int // dead letters stored now
}

// Webhook adds the counters of the webhook. Call it once.
func (m *Metrics) Webhook(stats func() Webhook) {
	type s = Webhook
	m.registry.MustRegister(collector[s]{stats, []series[s]{
		counter("muster_webhook_delivered_total", "Events that the webhook took.", func(s s) uint64 { return s.Delivered }),
		counter("muster_webhook_requests_total", "Requests sent to the webhook.", func(s s) uint64 { return s.Requests }),
		counter("muster_webhook_failures_total", "Of these, the ones that it did not take.", func(s s) uint64 { return s.Failures }),
		counter("muster_webhook_given_up_total", "Events that became dead letters.", func(s s) uint64 { return s.DeadLetters }),
		gauge("muster_webhook_backlog", "Events that wait for the webhook; no more than 100,000 are counted.", func(s s) int64 { return int64(s.Backlog) }),
		gauge("muster_webhook_dead_letters", "Dead letters that wait for an operator.", func(s s) int64 { return int64(s.Dead) }),
	}})
}
