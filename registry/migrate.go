package registry

import (
	"cmp"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/store"
)

// This file holds the registry's steps from one format to the next: to format 2, in which
// records that named things and groups by their names name them by their ids (arbitration
// A22), and to format 4, in which connectivity has an index of its own.

// GoneID returns the id of a target that was deleted before ids were kept. No thing
// or group has it.
func GoneID(t muster.Target) string {
	if t.Group {
		return "gone:group:" + t.Name
	}
	return "gone:thing:" + t.Name
}

// GroupPaths is the step of a migration from format 1 to 2 that writes into each group
// the ids of the groups above it.
func GroupPaths(s store.Records, after string, limit int, _ func(string)) (string, bool, error) {
	return store.EachAfter(s, tables.groups, after, limit, func(row store.Row[muster.Group]) error {
		g := row.Value
		if len(g.Path) == 0 {
			return nil
		}
		g.PathIDs = nil
		for _, name := range g.Path {
			above, err := thingGroup(s, name)
			if err != nil {
				return err
			}
			g.PathIDs = append(g.PathIDs, above.ID)
		}
		tables.groups.Put(s, row.Key, g)
		return nil
	})
}

// DepartureIDs is the step of a migration from format 1 to 2 that writes into each
// departure the ids of the groups that its things leave.
func DepartureIDs(s store.Records, after string, limit int, _ func(string)) (string, bool, error) {
	type named struct { // as format 1 has it
		Lineage []muster.GroupName
		After   string
	}
	return store.EachAfter(s, store.Of[named](tables.departures), after, limit, func(row store.Row[named]) error {
		if len(row.Value.Lineage) == 0 {
			return nil
		}
		d := departure{Group: row.Value.Lineage[0], IDs: []string{row.Key}, After: row.Value.After}
		for _, name := range row.Value.Lineage[1:] {
			above := muster.Target{Group: true, Name: string(name)}
			id, _, err := Lookup{}.Target(s, above)
			if err != nil {
				return err
			}
			d.IDs = append(d.IDs, cmp.Or(id, GoneID(above)))
		}
		tables.departures.Put(s, row.Key, d)
		return nil
	})
}

// DepartingID returns the id of a deleted group that had the name of t and whose members
// have not all left yet, or "".
func DepartingID(s store.Records, t muster.Target) (string, error) {
	for row, err := range tables.departures.Scan(s, "", "") {
		if err != nil {
			return "", err
		}
		if t.Group && string(row.Value.Group) == t.Name {
			return row.Key, nil
		}
	}
	return "", nil
}

// ConnectivityRows is the step of a migration from format 3 to 4 that writes the index of
// connectivity.
func ConnectivityRows(s store.Records, after string, limit int, _ func(string)) (string, bool, error) {
	return store.EachAfter(s, tables.connections, after, limit, func(row store.Row[connection]) error {
		if known := row.Value.Connectivity; known != (muster.Connectivity{}) {
			tables.connectivity.Put(s, connectivityKey(muster.ThingName(row.Key), known), store.Link{})
		}
		return nil
	})
}

// formerConnected were the things that are connected.
var formerConnected = store.Of[store.Link]{Table: "present"} // thing

// FormerTables are the tables of former formats, which only migrations read.
func FormerTables() []store.Table { return []store.Table{formerConnected.Name()} }

// NoneConnected is the step of a migration from format 3 to 4 that removes the table of
// things that are connected.
func NoneConnected(s store.Records, after string, limit int, _ func(string)) (string, bool, error) {
	return store.EachAfter(s, formerConnected, after, limit, func(row store.Row[store.Link]) error {
		formerConnected.Delete(s, row.Key)
		return nil
	})
}

// NoConnectivityEntries is the step of a migration from format 3 to 4 that removes the
// entries of connectivity from the fleet index.
func NoConnectivityEntries(s store.Records, _ string, limit int, _ func(string)) (string, bool, error) {
	n := 0
	for _, table := range []store.Of[store.Link]{tables.entries, tables.numbers} {
		for _, field := range []string{fleetquery.Connected, fleetquery.ConnectedAt, fleetquery.DisconnectReason} {
			from, to := store.Under(field)
			for row, err := range s.Scan(table.Table, from, to) {
				if err != nil || n == limit {
					return "", true, err
				}
				n++
				table.Delete(s, row.Key)
			}
		}
	}
	return "", false, nil
}
