package diskstore

import (
	"context"

	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/store"
)

// supersede removes the current version of an object to make room for a new one, or
// keeps it as an older version, by the versioning of the bucket. It returns the
// contents that are no longer needed.
func supersede(tx store.Tx, bucket, key string, v Versioning, now *record) (freed []string, err error) {
	if v == Suspended && (now == nil || !now.Null) { // a null version, if there is one, is among the old ones
		old, err := oldVersion(tx, bucket, key, NullVersion)
		if err != nil {
			return nil, err
		}
		if old != nil {
			freed = dropOld(tx, bucket, key, *old)
		}
	}
	switch {
	case now == nil:
	case v != Enabled && now.Null:
		freed = append(freed, now.Blob)
	default:
		olds.Put(tx, store.JoinKey(bucket, key, now.Order), *now)
	}
	return freed, nil
}

func dropOld(tx store.Tx, bucket, key string, old record) (freed []string) {
	olds.Delete(tx, store.JoinKey(bucket, key, old.Order))
	if old.Blob == "" {
		return nil
	}
	return []string{old.Blob}
}

// Deleted is the outcome of a deletion.
type Deleted struct {
	Version string // the one that was deleted, or that of the delete marker that was made; empty without versioning
	Marker  bool   // Version is of a delete marker
}

// Delete deletes an object by the versioning of its bucket or, unless version is empty,
// one version of it. Deleting what does not exist is no error.
func (s *Store) Delete(ctx context.Context, bucket, key, version string) (Deleted, error) {
	if err := checkKey(key); err != nil {
		return Deleted{}, err
	}
	var done Deleted
	now := s.o.Now()
	err := s.update(ctx, reserve.Finish, func(tx store.Tx) (freed []string, err error) {
		b, err := bucketOf(tx, bucket)
		if err != nil {
			return nil, err
		}
		before, then, err := current(tx, bucket, key)
		if err != nil {
			return nil, err
		}
		if version != "" {
			done, freed, err = deleteVersion(tx, bucket, key, version, before)
			return freed, err
		}
		freed, err = supersede(tx, bucket, key, b.Versioning, before)
		objects.Delete(tx, store.JoinKey(bucket, key))
		if b.Versioning == Unversioned || err != nil {
			return freed, err
		}
		marker := record{Marker: true, Null: b.Versioning == Suspended, Order: nextOrder(now, before, then), Modified: now.UnixMilli()}
		olds.Put(tx, store.JoinKey(bucket, key, marker.Order), marker)
		done = Deleted{marker.version(), true}
		return freed, nil
	})
	return done, err
}

// deleteVersion deletes one version. The newest one left becomes the current one, unless
// it is a delete marker.
func deleteVersion(tx store.Tx, bucket, key, version string, now *record) (Deleted, []string, error) {
	done := Deleted{Version: version}
	if now != nil && now.version() == version {
		objects.Delete(tx, store.JoinKey(bucket, key))
		return done, []string{now.Blob}, promote(tx, bucket, key)
	}
	old, err := oldVersion(tx, bucket, key, version)
	if err != nil || old == nil {
		return done, nil, err
	}
	done.Marker = old.Marker
	freed := dropOld(tx, bucket, key, *old)
	if now != nil {
		return done, freed, nil
	}
	return done, freed, promote(tx, bucket, key)
}

// promote makes the newest of the older versions the current one.
func promote(tx store.Tx, bucket, key string) error {
	_, then, err := current(tx, bucket, key)
	if err != nil || then == nil || then.Marker {
		return err
	}
	olds.Delete(tx, store.JoinKey(bucket, key, then.Order))
	objects.Put(tx, store.JoinKey(bucket, key), *then)
	return nil
}
