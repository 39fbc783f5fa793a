package iotpolicy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/muster-iot/muster/iotpolicy"
)

func TestParseRefuses(t *testing.T) {
	statement := func(elements string) string { return `{"Version":"2012-10-17","Statement":[{` + elements + `}]}` }
	condition := func(c string) string {
		return statement(`"Effect":"Allow","Action":"*","Resource":"*","Condition":` + c)
	}
	for name, test := range map[string]struct{ document, want string }{
		"nothing":                     {``, "at line 1, column 1: unexpected end of the text"},
		"no JSON":                     {`allow everything`, "at line 1, column 1: unexpected 'a', expected a value"},
		"a list":                      {`[]`, "must be a JSON object"},
		"half a document":             {`{"Statement":[`, "is not valid JSON"},
		"an unfinished object":        {`{"Version":"2012-10-17"`, "is not valid JSON"},
		"a comma too many":            {"{\n\t\"Version\": \"2012-10-17\",\n}", "the policy document is not valid JSON at line 3, column 1: unexpected '}', expected a name in double quotes"},
		"something after it":          {`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}} {}`, "column 62: unexpected '{', expected the end of the text"},
		"invalid UTF-8":               {"{\"Id\":\"\xff\"}", "at line 1, column 8: unexpected byte that is not UTF-8"},
		"another version":             {`{"Version":"2020-01-01","Statement":[]}`, "Version: must be 2012-10-17 or 2008-10-17"},
		"a version that is a number":  {`{"Version":2012}`, "Version: must be"},
		"an element in another case":  {`{"version":"2012-10-17"}`, "version: is not an element of a policy"},
		"an element twice, escaped":   {`{"Id":"a","\u0049d":"b"}`, `"Id" appears twice`},
		"an element twice":            {`{"Id":"a","Id":"b"}`, `"Id" appears twice`},
		"no statement":                {`{"Version":"2012-10-17"}`, "Statement: is missing or empty"},
		"an empty statement list":     {`{"Version":"2012-10-17","Statement":[]}`, "Statement: is missing or empty"},
		"a statement that is text":    {`{"Statement":["Allow"]}`, "Statement[0]: must be a JSON object"},
		"no effect":                   {statement(`"Action":"*","Resource":"*"`), "Statement[0]: Effect is missing"},
		"another effect":              {statement(`"Effect":"allow","Action":"*","Resource":"*"`), "Statement[0].Effect: must be Allow or Deny"},
		"no action":                   {statement(`"Effect":"Allow","Resource":"*"`), "either Action or NotAction"},
		"two kinds of action":         {statement(`"Effect":"Allow","Action":"*","NotAction":"iot:*","Resource":"*"`), "either Action or NotAction"},
		"an empty action list":        {statement(`"Effect":"Allow","Action":[],"Resource":"*"`), "Statement[0].Action: must not be empty"},
		"an action that is a number":  {statement(`"Effect":"Allow","Action":1,"Resource":"*"`), "must be a string or a list of strings"},
		"an action that is null":      {statement(`"Effect":"Allow","Action":null,"Resource":"*"`), "must be a string or a list of strings"},
		"no resource":                 {statement(`"Effect":"Allow","Action":"*"`), "either Resource or NotResource"},
		"two kinds of resource":       {statement(`"Effect":"Allow","Action":"*","Resource":"*","NotResource":"*"`), "either Resource or NotResource"},
		"a resource that is no ARN":   {statement(`"Effect":"Allow","Action":"*","Resource":"topic/a"`), `Statement[0].Resource: "topic/a" must be * or an ARN`},
		"a resource in a list":        {statement(`"Effect":"Allow","Action":"*","Resource":["*",["*"]]`), "must be a string or a list of strings"},
		"an empty resource":           {statement(`"Effect":"Allow","Action":"*","Resource":""`), "must be * or an ARN"},
		"a principal":                 {statement(`"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"`), "Statement[0].Principal: is not allowed here"},
		"an unknown element":          {statement(`"Effect":"Allow","Actions":"*","Resource":"*"`), "Statement[0].Actions: is not an element"},
		"a statement's element twice": {statement(`"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"`), `Statement[0]: "Effect" appears twice`},
		"a Sid that is a number":      {statement(`"Sid":1,"Effect":"Allow","Action":"*","Resource":"*"`), "Statement[0].Sid: must be a string"},
		"a condition that is text":    {condition(`"always"`), "Statement[0].Condition: must be a JSON object"},
		"an operator without keys":    {condition(`{"StringEquals":"a"}`), "Condition.StringEquals: must be a JSON object"},
		"an unknown operator":         {condition(`{"StringMatches":{"a":"b"}}`), `there is no operator "StringMatches"`},
		"a negation of its own":       {condition(`{"NotBool":{"a":"true"}}`), `there is no operator "NotBool"`},
		"an operator of nothing":      {condition(`{"IfExists":{"a":"true"}}`), `there is no operator "IfExists"`},
		"Null for a set":              {condition(`{"ForAnyValue:Null":{"a":"true"}}`), `there is no operator`},
		"Null of something else":      {condition(`{"Null":{"a":"b"}}`), `"b" is not true or false`},
		"no value":                    {condition(`{"StringEquals":{"a":[]}}`), "must not be empty"},
		"a value that is an object":   {condition(`{"StringEquals":{"a":{}}}`), "must be a string or a list of strings"},
		"a bool that is none":         {condition(`{"Bool":{"a":"yes"}}`), `"yes" is not true or false`},
		"an address that is none":     {condition(`{"IpAddress":{"a":"10.0.0.0/33"}}`), "is not an IP address or CIDR range"},
		"a number that is none":       {condition(`{"NumericEquals":{"a":"ten"}}`), `"ten" is not a number`},
		"a date that is none":         {condition(`{"DateEquals":{"a":"soon"}}`), `"soon" is not a date`},
		"a document too long":         {statement(`"Effect":"Allow","Action":"` + strings.Repeat("a", 2048) + `","Resource":"*"`), "longer than 2048 characters"},
		"endless white space":         {strings.Repeat(" ", 404_601), "longer than 2048 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := iotpolicy.Parse("p", test.document)
			var malformed *iotpolicy.MalformedError
			if !errors.As(err, &malformed) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Parse(%.200s) = %v, want a MalformedError with %q", test.document, err, test.want)
			}
		})
	}
}

func TestParseAccepts(t *testing.T) {
	for name, document := range map[string]string{
		"one statement in place of a list": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`,
		"the older version":                `{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
		"an Id":                            `{"Id":"x","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
		"an unknown action":                `{"Statement":[{"Effect":"Allow","Action":["nonsense","s3:GetObject"],"Resource":"*"}]}`,
		"white space without end":          `{"Statement":[` + strings.Repeat(" \n\t", 10000) + `{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
		"exactly the longest document":     longest(),
	} {
		if _, err := iotpolicy.Parse("p", document); err != nil {
			t.Errorf("%s: Parse(%.200s) = %v, want no error", name, document, err)
		}
	}
}

// longest is a document of MaxDocument characters and of more bytes.
func longest() string {
	const frame = `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Sid":""}}`
	return strings.Replace(frame, `""`, `"`+strings.Repeat("é", iotpolicy.MaxDocument-len(frame))+`"`, 1)
}

// Every policy that Parse accepts can decide, and an empty request is never allowed by a policy
// that only denies.
func FuzzParse(f *testing.F) {
	f.Add(minimal, "iot:Publish", "arn:aws:iot:us-east-1:123456789012:topic/a")
	f.Add(`{"Statement":{"Effect":"Deny","NotAction":"iot:*","NotResource":"arn:${*}${iot:ClientId}?*","Condition":{"ForAllValues:StringNotLikeIfExists":{"aws:TagKeys":["a*",1]}}}}`, "", "")
	f.Add(`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnLike":{"a":"${x:y}:b"},"IpAddress":{"aws:SourceIp":"::1"}}}]}`, "s3:x", "*")
	vars := known(iotpolicy.ClientID, "c", iotpolicy.TagKeys, "a", iotpolicy.TagKeys, "b", iotpolicy.SourceIP, "::1")
	f.Fuzz(func(t *testing.T, document, action, resource string) {
		p, err := iotpolicy.Parse("p", document)
		if err != nil {
			if _, ok := errors.AsType[*iotpolicy.MalformedError](err); !ok {
				t.Errorf("Parse(%q) = %v, want a MalformedError", document, err)
			}
			return
		}
		d := iotpolicy.Set{p}.Decide(iotpolicy.Request{Action: action, Resource: resource, Vars: vars})
		if d.Allowed() && !strings.Contains(document, "Allow") && !strings.Contains(document, `\u`) {
			t.Errorf("Parse(%q) allows %s on %s without an Allow", document, action, resource)
		}
	})
}
