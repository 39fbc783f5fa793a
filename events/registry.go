package events

import (
	"crypto/sha256"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/internal/uuid"
)

// registryTopic returns the topic of an event of the registry, without
// "$aws/events/" and the operation (registry.md section 6.7).
func registryTopic(e eventlog.Event) string {
	switch e.Type {
	case muster.EventThing:
		return "thing/" + string(e.Thing.Name)
	case muster.EventThingTypeAssociation:
		return "thingTypeAssociation/thing/" + string(e.Thing.Name) + "/thingType/" + string(e.Thing.Type)
	case muster.EventThingType:
		return "thingType/" + string(e.ThingType.Name)
	case muster.EventThingGroupMembership:
		return "thingGroupMembership/thingGroup/" + string(e.Group.Name) + "/thing/" + string(e.Thing.Name)
	case muster.EventThingGroupHierarchy:
		return "thingGroupHierarchy/thingGroup/" + string(e.Group.Parent) + "/childThingGroup/" + string(e.Group.Name)
	}
	return "thingGroup/" + string(e.Group.Name)
}

// registryPayload is what the events of the registry have in common. Their
// timestamp is in milliseconds.
type registryPayload struct {
	EventType string `json:"eventType"`
	EventID   string `json:"eventId"`
	Timestamp int64  `json:"timestamp"`
	Operation string `json:"operation"`
	Account   string `json:"accountId"`
}

type thingPayload struct {
	registryPayload
	ThingID    string            `json:"thingId"`
	ThingName  string            `json:"thingName"`
	Version    int64             `json:"versionNumber"`
	Type       *string           `json:"thingTypeName"`
	Attributes map[string]string `json:"attributes"`
}

type associationPayload struct {
	registryPayload
	ThingID   string `json:"thingId"`
	ThingName string `json:"thingName"`
	Type      string `json:"thingTypeName"`
}

type thingTypePayload struct {
	registryPayload
	ID          string   `json:"thingTypeId"`
	Name        string   `json:"thingTypeName"`
	Deprecated  bool     `json:"isDeprecated"`
	Since       *int64   `json:"deprecationDate"`
	Searchable  []string `json:"searchableAttributes"`
	Description string   `json:"description"`
}

type groupPayload struct {
	registryPayload
	ID          string            `json:"thingGroupId"`
	Name        string            `json:"thingGroupName"`
	Version     int64             `json:"versionNumber"`
	Parent      *string           `json:"parentGroupName"`
	ParentID    *string           `json:"parentGroupId"`
	Description string            `json:"description"`
	Above       []groupAbove      `json:"rootToParentThingGroups"`
	Attributes  map[string]string `json:"attributes"`
	Dynamic     *string           `json:"dynamicGroupMappingId"`
}

type groupAbove struct {
	ARN string `json:"groupArn"`
	ID  string `json:"groupId"`
}

type hierarchyPayload struct {
	registryPayload
	ParentID string `json:"thingGroupId"`
	Parent   string `json:"thingGroupName"`
	ChildID  string `json:"childGroupId"`
	Child    string `json:"childGroupName"`
}

type membershipPayload struct {
	registryPayload
	GroupARN string `json:"groupArn"`
	GroupID  string `json:"groupId"`
	ThingARN string `json:"thingArn"`
	ThingID  string `json:"thingId"`
	ID       string `json:"membershipId"`
}

func registryEvent(e eventlog.Event, account muster.Account) any {
	head := registryPayload{
		EventType: e.Type.String() + "_EVENT", EventID: e.ID, Timestamp: int64(e.At),
		Operation: strings.ToUpper(string(e.Operation)), Account: account.ID,
	}
	switch t, g := e.Thing, e.Group; e.Type {
	case muster.EventThing:
		return thingPayload{head, t.ID, string(t.Name), t.Version, orNull(t.Type), orEmpty(t.Attributes)}
	case muster.EventThingTypeAssociation:
		return associationPayload{head, t.ID, string(t.Name), string(t.Type)}
	case muster.EventThingType:
		return thingTypeEvent(head, *e.ThingType)
	case muster.EventThingGroupMembership:
		return membershipPayload{head, account.ARN("thinggroup", string(g.Name)), g.ID, account.ARN("thing", string(t.Name)), t.ID, membershipID(*g, *t)}
	case muster.EventThingGroupHierarchy:
		return hierarchyPayload{head, e.Above[len(e.Above)-1].ID, string(g.Parent), g.ID, string(g.Name)}
	}
	return groupEvent(head, *e.Group, e.Above, account)
}

func thingTypeEvent(head registryPayload, t muster.ThingType) thingTypePayload {
	event := thingTypePayload{
		registryPayload: head, ID: t.ID, Name: string(t.Name), Deprecated: t.DeprecatedAt != 0,
		Searchable: append([]string{}, t.SearchableAttributes...), Description: t.Description,
	}
	if event.Deprecated {
		event.Since = new(int64(t.DeprecatedAt))
	}
	return event
}

func groupEvent(head registryPayload, g muster.Group, above []muster.Group, account muster.Account) groupPayload {
	event := groupPayload{
		registryPayload: head, ID: g.ID, Name: string(g.Name), Version: g.Version, Parent: orNull(g.Parent),
		Description: g.Description, Above: []groupAbove{}, Attributes: orEmpty(g.Attributes),
	}
	for _, a := range above {
		event.Above = append(event.Above, groupAbove{account.ARN("thinggroup", string(a.Name)), a.ID})
		event.ParentID = new(a.ID) // the last is the parent
	}
	return event
}

// membershipID derives the id of a thing's membership in a group from theirs, so
// that it is the same each time: the registry stores none.
func membershipID(g muster.Group, t muster.Thing) string {
	sum := sha256.Sum256([]byte(g.ID + "/" + t.ID))
	return uuid.Format([16]byte(sum[:16]), 8)
}

// orNull returns a name for a member that is null when there is none.
func orNull[S ~string](name S) *string {
	if name == "" {
		return nil
	}
	return new(string(name))
}

// orEmpty returns attributes for a member that is {} when there are none.
func orEmpty(attributes map[string]string) map[string]string {
	if attributes == nil {
		return map[string]string{}
	}
	return attributes
}
