package iotdata

import (
	"context"
	"testing"

	"github.com/muster-iot/muster"
)

func TestTheShadowOfPackages(t *testing.T) {
	b := newBench(t)
	b.o.Inventory = func(_ context.Context, thing muster.ThingName) (muster.Inventory, error) {
		if thing != "lamp" {
			return muster.Inventory{}, muster.Errorf(muster.NotFound, "There is no thing %s", thing)
		}
		return muster.Inventory{
			Installed: muster.Installed{"app": {Version: "2", Attributes: map[string]string{"size": "7"}}},
			Version:   3, ChangedAt: 1_790_000_000_123,
		}, nil
	}
	mayLamp := `{"Effect":"Allow","Action":"iot:GetThingShadow","Resource":"arn:aws:iot:us-east-1:000000000000:thing/lamp/$package"}`
	tests := map[string]struct {
		statement, target string
		status            int
		want              string
	}{
		"what the thing carries":        {mayLamp, "/things/lamp/shadow?name=%24package", 200, `{"state":{"reported":{"app":{"version":"2","attributes":{"size":"7"}}}},"version":3,"timestamp":1790000000}`},
		"of nothing known":              {everything, "/things/x/shadow?name=$package", 404, `ResourceNotFoundException {"message":"There is no thing x","traceId":"id-7"}`},
		"another shadow":                {everything, "/things/lamp/shadow?name=config", 404, `ResourceNotFoundException {"message":"No shadow exists with name: 'lamp/config'","traceId":"id-7"}`},
		"the one without a name":        {everything, "/things/lamp/shadow", 404, `ResourceNotFoundException {"message":"No shadow exists with name: 'lamp'","traceId":"id-7"}`},
		"an empty name":                 {everything, "/things/lamp/shadow?name=", 400, `InvalidRequestException {"message":"'name' must be 1 to 64 characters of [$a-zA-Z0-9:_-]","traceId":"id-7"}`},
		"a thing that cannot be":        {everything, "/things/a%20b/shadow?name=$package", 400, `InvalidRequestException {"message":"'thingName' must be 1 to 128 characters of [a-zA-Z0-9:_-]","traceId":"id-7"}`},
		"the shadow of somebody's else": {mayLamp, "/things/other/shadow?name=$package", 403, `ForbiddenException {"message":"Forbidden","traceId":"id-7"}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if status, got := b.ask(test.statement, "GET", test.target, ""); status != test.status || got != test.want {
				t.Errorf("GET %s = %d %s, want %d %s", test.target, status, got, test.status, test.want)
			}
		})
	}
}
