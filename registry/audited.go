package registry

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/store"
)

// Audited says what audit records show of things, their types and groups, and the index.
func Audited() []audit.Shown {
	return []audit.Shown{
		audit.Show(tables.things, func(_ string, t muster.Thing) (string, []audit.Field) {
			return "thing/" + string(t.Name), slices.Concat([]audit.Field{audit.Is("version", t.Version), audit.IfSet("thingTypeName", t.Type)}, audit.Each("attributes", t.Attributes))
		}),
		audit.Show(tables.types, func(_ string, t muster.ThingType) (string, []audit.Field) {
			return "thingtype/" + string(t.Name), []audit.Field{
				audit.IfSet("thingTypeDescription", t.Description), audit.IfSet("searchableAttributes", t.SearchableAttributes), audit.Is("deprecated", t.DeprecatedAt != 0),
			}
		}),
		audit.Show(tables.groups, func(_ string, g muster.Group) (string, []audit.Field) {
			fields := []audit.Field{audit.Is("version", g.Version), audit.IfSet("parentGroupName", g.Parent), audit.IfSet("thingGroupDescription", g.Description)}
			if g.Dynamic != nil {
				fields = append(fields, audit.IfSet("queryString", g.Dynamic.Query))
			}
			return "thinggroup/" + string(g.Name), slices.Concat(fields, audit.Each("attributes", g.Attributes))
		}),
		audit.Show(tables.memberships, func(key string, _ belonging) (string, []audit.Field) {
			of := store.SplitKey(key)
			return "thing/" + of[0], []audit.Field{{Name: "thingGroups." + of[len(of)-1], Value: "member"}}
		}),
		audit.Show(tables.indexStates, func(_ string, s indexState) (string, []audit.Field) {
			return "index", []audit.Field{
				audit.Is("thingIndexingMode", s.Config.Things), audit.Is("thingConnectivityIndexingMode", s.Config.Connectivity), audit.Is("thingGroupIndexingMode", s.Config.Groups),
				audit.IfSet("thingIndexingConfiguration.customFields", s.Config.ThingFields), audit.IfSet("thingGroupIndexingConfiguration.customFields", s.Config.GroupFields),
			}
		}),
	}
}
