package awsiot

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestTagsOnTheWire(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.job("fix", "lamp")
	env.must("POST", "/thing-groups/house", `{"tags":[{"Key":"owner","Value":"me"}]}`)
	env.must("POST", "/thing-types/light", "")
	env.must("PUT", "/job-templates/nightly", `{"description":"d","document":"{}"}`)
	for _, resource := range []string{"job/fix", "jobtemplate/nightly", "thinggroup/house", "thingtype/light"} {
		arn := arnPrefix + resource
		list := "/tags?resourceArn=" + url.QueryEscape(arn)
		env.want("TagResource", env.must("POST", "/tags", `{"resourceArn":"`+arn+`","tags":[{"Key":"owner","Value":"you"},{"Key":"a b"}]}`), `{}`)
		env.want("ListTagsForResource of "+resource, env.must("GET", list, ""), `{"tags":[{"Key":"a b","Value":""},{"Key":"owner","Value":"you"}]}`)
		env.want("UntagResource", env.must("POST", "/untag", `{"resourceArn":"`+arn+`","tagKeys":["owner","absent"]}`), `{}`)
		env.want("ListTagsForResource of "+resource, env.must("GET", list, ""), `{"tags":[{"Key":"a b","Value":""}]}`)
		env.wantError("GET", list+"&nextToken=abc", "", http.StatusBadRequest, "InvalidRequestException")
	}
}

func TestTagsRefuse(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.must("POST", "/thing-groups/house", "")
	var many []string
	for i := range 51 {
		many = append(many, fmt.Sprintf(`{"Key":"k%d","Value":""}`, i))
	}
	one := `[{"Key":"a","Value":"1"}]`
	for name, test := range map[string]struct {
		arn, tags string
		status    int
		errorType string
	}{
		"a thing (REG-30)":        {arnPrefix + "thing/lamp", one, 400, "InvalidRequestException"},
		"a managed job template":  {"arn:aws:iot:eu-west-1::jobtemplate/AWS-Reboot:1.0", one, 404, "ResourceNotFoundException"},
		"an unknown job template": {arnPrefix + "jobtemplate/none", one, 404, "ResourceNotFoundException"},
		"no ARN":                  {"house", one, 400, "InvalidRequestException"},
		"an unknown group":        {arnPrefix + "thinggroup/none", one, 404, "ResourceNotFoundException"},
		"another region (REG-10)": {"arn:aws:iot:us-east-1:111122223333:thinggroup/house", one, 404, "ResourceNotFoundException"},
		"51 tags":                 {arnPrefix + "thinggroup/house", "[" + strings.Join(many, ",") + "]", 410, "LimitExceededException"},
		"a reserved key":          {arnPrefix + "thinggroup/house", `[{"Key":"aws:a"}]`, 400, "InvalidRequestException"},
		"a key given twice":       {arnPrefix + "thinggroup/house", `[{"Key":"a"},{"Key":"a"}]`, 400, "InvalidRequestException"},
		"a lower case key member": {arnPrefix + "thinggroup/house", `[{"key":"a"}]`, 400, "InvalidRequestException"},
	} {
		t.Run(name, func(t *testing.T) {
			env.wantError("POST", "/tags", `{"resourceArn":"`+test.arn+`","tags":`+test.tags+`}`, test.status, test.errorType)
		})
	}
	env.want("ListTagsForResource", env.must("GET", "/tags?resourceArn="+url.QueryEscape(arnPrefix+"thinggroup/house"), ""), `{"tags":[]}`)
	env.wantError("GET", "/tags", "", http.StatusBadRequest, "InvalidRequestException")
}
