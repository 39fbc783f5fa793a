package registry

import (
	"context"
	"strconv"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/store"
)

// Aggregate collects the values of one field over the things that match a query
// (registry.md section 5.1). It reads each of them, so it may take long, and ends with
// the error of ctx. Values are in their original case. An empty field means the version
// of the things. It fails as SearchIndex does, and with Invalid for a field that cannot
// be aggregated.
func (s *Registry) Aggregate(ctx context.Context, q IndexQuery, field string) (*fleetquery.Aggregate, error) {
	a := &fleetquery.Aggregate{}
	if field == "" {
		field = fleetquery.RegistryVersion
	}
	if err := checkQueryVersion(q.Version); err != nil {
		return nil, err
	}
	if err := fleetquery.CheckAggregated(field); err != nil {
		return nil, err
	}
	err := s.withSearch(ctx, q, func(on search) error {
		at, err := coverOf(on.Reader, on.query)
		if err != nil {
			return err
		}
		for c, err := range commit.Ahead(on.Reader, stepMax, candidates(on.Reader, at), on.want) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			t, d, err := on.hit(c)
			if err != nil {
				return err
			}
			if t == nil {
				continue
			}
			values, err := valuesOf(on, *t, d, field)
			if err != nil {
				return err
			}
			if err := a.Add(values); err != nil {
				return err
			}
		}
		return nil
	})
	return a, err
}

// valuesOf returns the values of a field of a thing in their original case; the
// document has them in lower case.
func valuesOf(r store.Reader, t muster.Thing, d fleetquery.Document, field string) ([]string, error) {
	switch {
	case field == fleetquery.RegistryVersion:
		return []string{strconv.FormatInt(t.Version, 10)}, nil
	case field == fleetquery.ThingName:
		return []string{string(t.Name)}, nil
	case field == fleetquery.ThingTypeName && t.Type != "":
		return []string{string(t.Type)}, nil
	case field == fleetquery.ThingGroupNames:
		in, err := groupsOf(r, t.Name)
		var names []string
		for _, g := range in {
			names = append(names, string(g.Name))
		}
		return names, err
	case fleetquery.JobOf(field) != "":
		x, err := ownLatest(r, t, muster.JobID(fleetquery.JobOf(field)))
		if err != nil || x == nil {
			return nil, err
		}
		return []string{x.Status.String()}, nil
	}
	for name, value := range t.Attributes {
		if fleetquery.Attribute(name) == field {
			return []string{value}, nil
		}
	}
	return d[field], nil
}
