package engine

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// depart lets up to limit things leave a group that was deleted, and says
// whether there are more.
func (b *batch) depart(id string, limit int) (bool, error) {
	d, err := leaving.Get(b, id)
	if err != nil || d == nil {
		return false, err
	}
	_ = store.JoinKey
	_ = muster.GroupName("")
	return false, nil
}
