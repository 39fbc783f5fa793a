package awsiot

import (
	"context"
	"slices"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/internal/respond"
)

// The words of the indexing configuration.
const (
	indexingOff     = "OFF"
	indexingOn      = "ON"
	indexingStatus  = "STATUS"
	indexingShadows = "REGISTRY_AND_SHADOW"
)

func (o indexOperations) updateIndexingConfiguration(ctx context.Context, in *wire.UpdateIndexingConfigurationRequest) error {
	t, g := in.ThingIndexingConfiguration, in.ThingGroupIndexingConfiguration
	if t != nil {
		if err := refuseShadows(t); err != nil {
			return err
		}
		if *t.ThingIndexingMode == indexingOff && wire.Or(t.ThingConnectivityIndexingMode, indexingOff) != indexingOff {
			return muster.Errorf(muster.Invalid, "thingConnectivityIndexingMode needs a thingIndexingMode that is not OFF")
		}
		if err := wholeFields(t.CustomFields); err != nil {
			return err
		}
	}
	if g != nil {
		if err := wholeFields(g.CustomFields); err != nil {
			return err
		}
	}
	return o.index.UpdateIndexingConfiguration(ctx, func(c muster.IndexingConfig) muster.IndexingConfig {
		if t != nil {
			c.Things, c.ThingMode = *t.ThingIndexingMode != indexingOff, *t.ThingIndexingMode
			c.Connectivity = wire.Or(t.ThingConnectivityIndexingMode, indexingOff) == indexingStatus
			c.ThingFields = fieldsOf(t.CustomFields)
		}
		if g != nil {
			c.Groups, c.GroupFields = *g.ThingGroupIndexingMode == indexingOn, fieldsOf(g.CustomFields)
		}
		return c
	})
}

// refuseShadows returns an error for a configuration that indexes shadows or the
// findings of Device Defender. Neither is served, so queries on them would find
// nothing.
func refuseShadows(t *wire.ThingIndexingConfiguration) error {
	if *t.ThingIndexingMode == indexingShadows {
		return muster.Errorf(muster.Invalid, "thingIndexingMode %s is not available: shadows are not served. REGISTRY indexes all that there is", indexingShadows)
	}
	if wire.Or(t.NamedShadowIndexingMode, indexingOff) != indexingOff {
		return muster.Errorf(muster.Invalid, "namedShadowIndexingMode must be OFF: shadows are not served")
	}
	if wire.Or(t.DeviceDefenderIndexingMode, indexingOff) != indexingOff {
		return muster.Errorf(muster.Invalid, "deviceDefenderIndexingMode must be OFF: Device Defender is not served")
	}
	if f := t.Filter; f != nil && len(f.NamedShadowNames)+len(f.GeoLocations) > 0 {
		return muster.Errorf(muster.Invalid, "filter must be empty: it chooses shadows and their locations, and shadows are not served")
	}
	for _, f := range slices.Concat(t.CustomFields, t.ManagedFields) {
		name := wire.Or(f.Name, "")
		if strings.HasPrefix(name, "shadow.") || strings.HasPrefix(name, "deviceDefender.") {
			return muster.Errorf(muster.Invalid, "The field %q cannot be indexed: shadows and Device Defender are not served", respond.Clip(name))
		}
	}
	return nil
}

func (o indexOperations) getIndexingConfiguration(ctx context.Context, _ *wire.GetIndexingConfigurationRequest) (*wire.GetIndexingConfigurationResponse, error) {
	c, err := o.index.IndexingConfiguration(ctx)
	if err != nil {
		return nil, err
	}
	connectivity, groups := indexingOff, indexingOff
	if c.Connectivity {
		connectivity = indexingStatus
	}
	if c.Groups {
		groups = indexingOn
	}
	return &wire.GetIndexingConfigurationResponse{
		ThingIndexingConfiguration: &wire.ThingIndexingConfiguration{
			ThingIndexingMode: &c.ThingMode, ThingConnectivityIndexingMode: &connectivity,
			DeviceDefenderIndexingMode: new(indexingOff), NamedShadowIndexingMode: new(indexingOff),
			CustomFields: wireFields(c.ThingFields), ManagedFields: managedThingFields(),
		},
		ThingGroupIndexingConfiguration: &wire.ThingGroupIndexingConfiguration{
			ThingGroupIndexingMode: &groups, CustomFields: wireFields(c.GroupFields), ManagedFields: managedGroupFields(),
		},
	}, nil
}

// wholeFields returns an error unless all fields have a name and a type, which the
// model does not require.
func wholeFields(given []wire.Field) error {
	for _, f := range given {
		if wire.Or(f.Name, "") == "" || f.Type == nil {
			return muster.Errorf(muster.Invalid, "Each of the customFields needs a name and a type")
		}
	}
	return nil
}

func fieldsOf(given []wire.Field) []muster.IndexField {
	var fields []muster.IndexField
	for _, f := range given {
		fields = append(fields, muster.IndexField{Name: wire.Or(f.Name, ""), Type: wire.Or(f.Type, "")})
	}
	return fields
}

func wireFields(fields []muster.IndexField) []wire.Field {
	var all []wire.Field
	for _, f := range fields {
		all = append(all, wire.Field{Name: &f.Name, Type: &f.Type})
	}
	return all
}

func managedThingFields() []wire.Field {
	return wireFields([]muster.IndexField{
		{Name: "thingId", Type: "String"}, {Name: "thingName", Type: "String"}, {Name: "thingTypeName", Type: "String"},
		{Name: "thingGroupNames", Type: "String"},
		{Name: "connectivity.connected", Type: "Boolean"}, {Name: "connectivity.timestamp", Type: "Number"},
		{Name: "connectivity.disconnectReason", Type: "String"},
	})
}

func managedGroupFields() []wire.Field {
	return wireFields([]muster.IndexField{
		{Name: "thingGroupId", Type: "String"}, {Name: "thingGroupName", Type: "String"},
		{Name: "thingGroupDescription", Type: "String"}, {Name: "parentGroupNames", Type: "String"},
	})
}
