package iotdata

import (
	"context"
	"encoding/json"
	"regexp"

	"github.com/muster-iot/muster"
)

// packageShadow is the reserved named shadow that says which versions of
// packages a thing carries (jobs-lifecycle.md section 13). Muster has no other
// shadow, and clients cannot write this one: jobs do.
const packageShadow = "$package"

// shadowName is the pattern that the model has for names of shadows.
var shadowName = regexp.MustCompile(`^[$a-zA-Z0-9:_-]{1,64}$`)

// shadow serves GetThingShadow.
func (s *Service) shadow(ctx context.Context, c *call) ([]byte, error) {
	thing, name := c.request.Labels.Get("thingName"), c.request.Query.Get("name")
	switch {
	case !muster.ValidThingName(thing):
		return nil, muster.Errorf(muster.Invalid, "'thingName' must be 1 to 128 characters of [a-zA-Z0-9:_-]")
	case c.request.Query.Has("name") && !shadowName.MatchString(name):
		return nil, muster.Errorf(muster.Invalid, "'name' must be 1 to 64 characters of [$a-zA-Z0-9:_-]")
	}
	resource := "thing/" + thing
	if name != "" {
		resource += "/" + name
	}
	if err := c.sender.may("iot:GetThingShadow", resource); err != nil {
		return nil, forbidden(err)
	}
	if name != packageShadow || s.o.Inventory == nil {
		return nil, muster.Errorf(muster.NotFound, "No shadow exists with name: '%s'", resource[len("thing/"):])
	}
	i, err := s.o.Inventory(ctx, muster.ThingName(thing))
	if err != nil {
		return nil, err
	}
	var shown struct {
		State struct {
			Reported muster.Installed `json:"reported"`
		} `json:"state"`
		Version   int64 `json:"version"`
		Timestamp int64 `json:"timestamp"` // seconds
	}
	shown.State.Reported, shown.Version, shown.Timestamp = i.Installed, i.Version, i.ChangedAt.Seconds()
	return json.Marshal(shown)
}
