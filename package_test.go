package muster

import (
	"errors"
	"maps"
	"strings"
	"testing"
)

func TestVersionMoves(t *testing.T) {
	tests := map[string]struct {
		from   VersionStatus
		update VersionUpdate
		want   VersionStatus // empty: a Conflict
	}{
		"a draft is published":                  {VersionDraft, VersionUpdate{Action: PublishVersion}, VersionPublished},
		"a draft cannot be deprecated":          {VersionDraft, VersionUpdate{Action: DeprecateVersion}, ""},
		"a draft gets other attributes":         {VersionDraft, VersionUpdate{Attributes: map[string]string{"a": "1"}}, VersionDraft},
		"and is published with them":            {VersionDraft, VersionUpdate{Attributes: map[string]string{"a": "1"}, Action: PublishVersion}, VersionPublished},
		"it is not published twice":             {VersionPublished, VersionUpdate{Action: PublishVersion}, ""},
		"it is deprecated":                      {VersionPublished, VersionUpdate{Action: DeprecateVersion}, VersionDeprecated},
		"and comes back":                        {VersionDeprecated, VersionUpdate{Action: PublishVersion}, VersionPublished},
		"not twice deprecated":                  {VersionDeprecated, VersionUpdate{Action: DeprecateVersion}, ""},
		"published attributes stay":             {VersionPublished, VersionUpdate{Attributes: map[string]string{}}, ""},
		"a published artifact stays":            {VersionPublished, VersionUpdate{Artifact: &Object{}}, ""},
		"a deprecated recipe stays":             {VersionDeprecated, VersionUpdate{Recipe: new("x")}, ""},
		"a published description may change":    {VersionPublished, VersionUpdate{Description: new("x")}, VersionPublished},
		"nothing asked of a version is allowed": {VersionDeprecated, VersionUpdate{}, VersionDeprecated},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := PackageVersion{Package: "p", Name: "1", Status: test.from}
			got, err := before.Apply(test.update, 7)
			if test.want == "" {
				if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Conflict {
					t.Errorf("Apply(%+v) of a %s = %v, want a Conflict", test.update, test.from, err)
				}
				return
			}
			if err != nil || got.Status != test.want || got.ModifiedAt != 7 {
				t.Errorf("Apply(%+v) of a %s = %+v, %v, want %s at 7", test.update, test.from, got, err, test.want)
			}
		})
	}
}

func TestAttributesHaveALimit(t *testing.T) {
	v := PackageVersion{Attributes: map[string]string{"a": strings.Repeat("b", VersionAttributesMax)}}
	if e, ok := errors.AsType[*Error](v.Check()); !ok || e.Kind != Invalid {
		t.Errorf("Check of too many attributes = %v, want Invalid", v.Check())
	}
}

func TestReleaseARN(t *testing.T) {
	a := Account{ID: "111122223333", Region: "eu-west-1"}
	for _, r := range []Release{{"app", "1.0"}, {"a.b-c_d", DefaultVersion}, {"app", NoVersion}} {
		if got, err := a.Release(a.ReleaseARN(r)); got != r || err != nil {
			t.Errorf("Release(%s) = %v, %v, want %v", a.ReleaseARN(r), got, err, r)
		}
	}
	for arn, kind := range map[string]Kind{
		a.PackageARN("app"):                 Invalid,
		a.ARN("package", "app/version/"):    Invalid,
		a.ARN("package", "app/version/1/2"): Invalid,
		a.ARN("thing", "app/version/1"):     Invalid,
		"x":                                 Invalid,
		"arn:aws:iot:eu-west-1:1:package/app/version/1":  NotFound,
		"arn:aws:iot:x:111122223333:package/p/version/1": NotFound,
	} {
		_, err := a.Release(arn)
		if e, ok := errors.AsType[*Error](err); !ok || e.Kind != kind {
			t.Errorf("Release(%s) = %v, want an error of kind %d", arn, err, kind)
		}
	}
}

func TestInstalledAfter(t *testing.T) {
	before := Installed{"app": {"1", map[string]string{"a": "b"}}, "lib": {"7", nil}}
	kept := maps.Clone(before)
	after := before.After([]PackageVersion{{Package: "app", Name: "2"}, {Package: "lib", Name: NoVersion}, {Package: "new", Name: "1"}})
	if len(after) != 2 || after["app"].Version != "2" || after["app"].Attributes == nil || after["new"].Version != "1" {
		t.Errorf("After = %v, want app 2 and new 1", after)
	}
	if len(before) != len(kept) || before["app"].Version != "1" {
		t.Errorf("After changed what there was to %v", before)
	}
}
