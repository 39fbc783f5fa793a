package wiretest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/muster-iot/muster/awsiot/wire"
)

func TestStrictVerify(t *testing.T) {
	c, err := NewStrict()
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		op   *wire.Operation
		body string
		want string // part of the complaint; empty when there must be none
	}{
		"within all limits":         {wire.DescribeThing, `{"thingName":"lamp","attributes":{"a":""}}`, ""},
		"a character out of place":  {wire.DescribeThing, `{"thingName":"la/mp"}`, "does not match"},
		"nothing where one must be": {wire.DescribeThing, `{"thingName":""}`, "the length 0 is less than 1"},
		"a key out of place":        {wire.DescribeThing, `{"attributes":{"a b":""}}`, "does not match"},
		"too long":                  {wire.DescribeThing, `{"thingName":"` + strings.Repeat("a", 129) + `"}`, "the length 129 is more than 128"},
		"characters, not bytes":     {wire.DescribeJob, `{"job":{"comment":"` + strings.Repeat("ä", 2028) + `"}}`, ""},
		"a number out of range":     {wire.DescribeJob, `{"job":{"presignedUrlConfig":{"expiresInSec":59}}}`, "the value 59 is less than 60"},
		"a list that is too short":  {wire.DescribeJob, `{"job":{"targets":[]}}`, "the size 0 is less than 1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			header := http.Header{"Content-Type": {"application/json"}, "X-Amzn-Requestid": {"6b6a"}}
			err := c.Verify(test.op, 200, header, []byte(test.body))
			switch {
			case test.want == "" && err != nil:
				t.Errorf("Verify(%s) = %v, want nil", test.body, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("Verify(%s) = %v, want %q", test.body, err, test.want)
			}
		})
	}
}
