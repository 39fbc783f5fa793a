package rights

import (
	"bytes"
	"sync"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// decodedMax bounds the policies that are remembered.
const decodedMax = 1000

// decodedPolicies remembers policies that were in force for somebody. Thousands of devices
// share a few, and decoding one takes a third of the time of Grounds. A policy is remembered
// for the record that it was decoded from, so it is never out of date.
type decodedPolicies struct {
	mu    sync.Mutex
	known map[string]decodedPolicy // by name
}

type decodedPolicy struct {
	record []byte
	policy muster.Policy
}

// policy is the function of that name.
func (d *decodedPolicies) policy(r store.Reader, name string) (muster.Policy, error) {
	record, err := r.Get(tables.policies.Table, name)
	if err != nil {
		return muster.Policy{}, err
	}
	if record == nil {
		return policy(r, name) // fails
	}
	d.mu.Lock()
	found, ok := d.known[name]
	d.mu.Unlock()
	if ok && bytes.Equal(found.record, record) {
		return found.policy, nil
	}
	p, err := tables.policies.Decode(name, record)
	if err != nil {
		return muster.Policy{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.known) >= decodedMax {
		clear(d.known)
	}
	d.known[name] = decodedPolicy{record, *p}
	return *p, nil
}
