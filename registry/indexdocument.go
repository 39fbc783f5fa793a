package registry

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/store"
)

// documentOf returns the document of a thing that the index stores: its record, its
// groups and, if c indexes it, its connectivity. The status of jobs is not stored; it is
// added for the queries that ask for it (addAsked).
func documentOf(r store.Reader, c muster.IndexingConfig, t muster.Thing) (fleetquery.Document, error) {
	in, err := groupsOf(r, t.Name)
	if err != nil {
		return nil, err
	}
	return documentIn(r, c, t, in)
}

// documentIn is documentOf for a thing that is in these groups.
func documentIn(r store.Reader, c muster.IndexingConfig, t muster.Thing, in []muster.Group) (fleetquery.Document, error) {
	d := recordDocument(&t)
	for _, g := range in {
		d.Add(fleetquery.ThingGroupNames, string(g.Name))
	}
	return d, addConnectivity(r, c, d, t.Name)
}

// addAsked adds to the document of a thing those of its connectivity and the status of
// its jobs that a query asks for.
func addAsked(r store.Reader, c muster.IndexingConfig, d fleetquery.Document, t muster.Thing, q *fleetquery.Query) error {
	if _, has := d[fleetquery.Connected]; !has && asksConnectivity(q) {
		if err := addConnectivity(r, c, d, t.Name); err != nil {
			return err
		}
	}
	for _, field := range q.Fields() {
		job := fleetquery.JobOf(field)
		if job == "" || d[field] != nil {
			continue
		}
		x, err := ownLatest(r, t, muster.JobID(job))
		if err != nil {
			return err
		}
		if x != nil {
			d.Add(field, x.Status.String())
		}
	}
	return nil
}

func asksConnectivity(q *fleetquery.Query) bool {
	return q.Mentions(fleetquery.Connected) || q.Mentions(fleetquery.ConnectedAt) || q.Mentions(fleetquery.DisconnectReason)
}

// ownLatest returns the latest execution of a job on a thing, or nil if there is none
// or it belongs to an earlier thing of the same name.
func ownLatest(r store.Reader, t muster.Thing, job muster.JobID) (*muster.Execution, error) {
	x, err := store.LatestOf(r, t.Name, job)
	if err != nil || !t.Had(x) {
		return nil, err
	}
	return x, nil
}

// recordDocument returns the part of a thing's document that comes from its record. It
// is empty for nil.
func recordDocument(t *muster.Thing) fleetquery.Document {
	d := fleetquery.Document{}
	if t == nil {
		return d
	}
	d.Add(fleetquery.ThingName, string(t.Name))
	d.Add(fleetquery.ThingID, t.ID)
	d.Add(fleetquery.ThingTypeName, string(t.Type))
	for name, value := range t.Attributes {
		d.Add(fleetquery.Attribute(name), value)
	}
	return d
}

// groupDocument returns the part of a document with the groups of a thing.
func groupDocument(names ...muster.GroupName) fleetquery.Document {
	d := fleetquery.Document{}
	for _, name := range names {
		d.Add(fleetquery.ThingGroupNames, string(name))
	}
	return d
}
