package muster

// Object names a file in an object store.
type Object struct {
	Region, Bucket, Key string
	Version             string // empty: the latest
}
