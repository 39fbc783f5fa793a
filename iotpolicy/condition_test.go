package iotpolicy_test

import (
	"testing"

	"github.com/muster-iot/muster/iotpolicy"
)

func TestConditions(t *testing.T) {
	vars := known(iotpolicy.ClientID, "pump-7", iotpolicy.ThingName, "pump-7", iotpolicy.ThingIsAttached, "true",
		iotpolicy.SourceIP, "10.1.2.3", "aws:Other", "::ffff:10.1.2.3", "aws:Six", "2001:db8::1",
		iotpolicy.TagKeys, "red", iotpolicy.TagKeys, "blue",
		"aws:PrincipalArn", "arn:aws:iam::123456789012:user/ann", "aws:Level", "7.5", "aws:CurrentTime", "2026-01-02T03:04:05Z",
		iotpolicy.RequestTag("Team"), "pumps", "aws:Word", "seven", "aws:Blank", "")
	for _, test := range []struct {
		condition string
		want      bool
	}{
		{`"StringEquals":{"iot:ClientId":"pump-7"}`, true},
		{`"StringEquals":{"IOT:CLIENTID":"pump-7"}`, true},
		{`"StringEquals":{"iot:ClientId":"pump-8"}`, false},
		{`"StringEquals":{"iot:ClientId":["pump-8","pump-7"]}`, true},
		{`"StringEquals":{"iot:ClientId":"pump-*"}`, false},
		{`"StringEquals":{"iot:ClientId":"${iot:Connection.Thing.ThingName}"}`, true},
		{`"StringEquals":{"iot:ClientId":"${iot:Connection.Thing.ThingTypeName}"}`, false},
		{`"StringEquals":{"aws:RequestTag/Team":"pumps"}`, true},
		{`"StringEquals":{"aws:requesttag/Team":"pumps"}`, true},
		{`"StringEquals":{"aws:RequestTag/team":"pumps"}`, false},
		{`"StringEquals":{"aws:Blank":""}`, true},
		{`"StringNotEquals":{"iot:ClientId":"pump-8"}`, true},
		{`"StringNotEquals":{"iot:ClientId":["pump-8","pump-7"]}`, false},
		{`"StringNotEquals":{"iot:ClientId":"${iot:Connection.Thing.ThingTypeName}"}`, true},
		{`"StringEqualsIgnoreCase":{"iot:ClientId":"PUMP-7"}`, true},
		{`"StringEqualsIgnoreCase":{"iot:ClientId":"PUMP-${*}"}`, false},
		{`"StringEqualsIgnoreCase":{"iot:ClientId":"X${iot:ClientId}"}`, false},
		{`"StringEqualsIgnoreCase":{"iot:ClientId":"X${nothing}"}`, false},
		{`"StringNotEqualsIgnoreCase":{"iot:ClientId":"PUMP-7"}`, false},
		{`"StringLike":{"iot:ClientId":"p*-?"}`, true},
		{`"StringLike":{"iot:ClientId":"p${*}-?"}`, false},
		{`"StringNotLike":{"iot:ClientId":"p*"}`, false},
		// Every operator and every key must hold.
		{`"StringEquals":{"iot:ClientId":"pump-7","aws:Word":"seven"}`, true},
		{`"StringEquals":{"iot:ClientId":"pump-7","aws:Word":"eight"}`, false},
		{`"StringEquals":{"iot:ClientId":"pump-7"},"StringLike":{"aws:Word":"e*"}`, false},
		// Bool, also as a JSON boolean.
		{`"Bool":{"iot:Connection.Thing.IsAttached":["true"]}`, true},
		{`"Bool":{"iot:Connection.Thing.IsAttached":true}`, true},
		{`"Bool":{"iot:Connection.Thing.IsAttached":"false"}`, false},
		{`"Bool":{"aws:SecureTransport":"false"}`, false},
		// ARNs part by part.
		{`"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:user/ann"}`, true},
		{`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/*"}`, true},
		{`"ArnLike":{"aws:PrincipalArn":"arn:*:user/ann"}`, false},
		{`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/${iot:ClientId}"}`, false},
		{`"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::*:user/bob"}`, true},
		{`"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/a*"}`, false},
		{`"ArnLike":{"aws:Word":"*"}`, true},
		// Addresses.
		{`"IpAddress":{"aws:SourceIp":"10.1.0.0/16"}`, true},
		{`"IpAddress":{"aws:SourceIp":["192.168.0.0/16","10.1.2.3"]}`, true},
		{`"IpAddress":{"aws:SourceIp":"10.2.0.0/16"}`, false},
		{`"IpAddress":{"aws:Other":"10.1.0.0/16"}`, true},
		{`"IpAddress":{"aws:Six":"2001:db8::/32"}`, true},
		{`"IpAddress":{"aws:Word":"0.0.0.0/0"}`, false},
		{`"NotIpAddress":{"aws:SourceIp":"10.1.0.0/16"}`, false},
		{`"NotIpAddress":{"aws:SourceIp":"10.2.0.0/16"}`, true},
		// Numbers and dates.
		{`"NumericEquals":{"aws:Level":7.5}`, true},
		{`"NumericNotEquals":{"aws:Level":"7.5"}`, false},
		{`"NumericLessThan":{"aws:Level":"7.5"}`, false},
		{`"NumericLessThanEquals":{"aws:Level":"7.5"}`, true},
		{`"NumericGreaterThan":{"aws:Level":"7"}`, true},
		{`"NumericGreaterThanEquals":{"aws:Level":"8"}`, false},
		{`"NumericEquals":{"aws:Word":"7"}`, false},
		{`"DateEquals":{"aws:CurrentTime":"2026-01-02T03:04:05Z"}`, true},
		{`"DateNotEquals":{"aws:CurrentTime":"1767323045"}`, false},
		{`"DateGreaterThan":{"aws:CurrentTime":"2026-01-02"}`, true},
		{`"DateGreaterThanEquals":{"aws:CurrentTime":"2026-01-02T04:04:05+01:00"}`, true},
		{`"DateLessThan":{"aws:CurrentTime":"2026-01-02T03:04Z"}`, false},
		{`"DateLessThanEquals":{"aws:Word":"2026-01-02"}`, false},
		// Null tests for absence.
		{`"Null":{"aws:Gone":"true"}`, true},
		{`"Null":{"aws:Gone":"false"}`, false},
		{`"Null":{"iot:ClientId":"true"}`, false},
		{`"Null":{"iot:ClientId":false}`, true},
		// A key without a value (AUTH-59).
		{`"StringEquals":{"aws:Gone":"a"}`, false},
		{`"StringNotEquals":{"aws:Gone":"a"}`, true},
		{`"NotIpAddress":{"aws:Gone":"10.0.0.0/8"}`, true},
		{`"StringEqualsIfExists":{"aws:Gone":"a"}`, true},
		{`"StringEqualsIfExists":{"iot:ClientId":"a"}`, false},
		{`"StringNotEqualsIfExists":{"aws:Gone":"a"}`, true},
		{`"ForAllValues:StringEquals":{"aws:Gone":"a"}`, true},
		{`"ForAnyValue:StringEquals":{"aws:Gone":"a"}`, false},
		{`"ForAnyValue:StringNotEquals":{"aws:Gone":"a"}`, false},
		{`"ForAnyValue:StringEqualsIfExists":{"aws:Gone":"a"}`, true},
		// Keys with several values.
		{`"ForAllValues:StringEquals":{"aws:TagKeys":["red","blue","green"]}`, true},
		{`"ForAllValues:StringEquals":{"aws:TagKeys":["red"]}`, false},
		{`"ForAnyValue:StringEquals":{"aws:TagKeys":["green","blue"]}`, true},
		{`"ForAnyValue:StringEquals":{"aws:TagKeys":"green"}`, false},
		{`"ForAllValues:StringNotEquals":{"aws:TagKeys":"green"}`, true},
		{`"ForAllValues:StringNotEquals":{"aws:TagKeys":"red"}`, false},
		{`"ForAnyValue:StringNotEquals":{"aws:TagKeys":"red"}`, true},
		{`"ForAnyValue:StringLike":{"aws:TagKeys":"b*"}`, true},
		{`"StringEquals":{"aws:TagKeys":"red"}`, true},
		{`"StringNotEquals":{"aws:TagKeys":"red"}`, false},
	} {
		set := statements(t, `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{`+test.condition+`}}`)
		if got := set.Decide(iotpolicy.Request{Action: "iot:Connect", Resource: "*", Vars: vars}).Allowed(); got != test.want {
			t.Errorf("%s holds: %t, want %t", test.condition, got, test.want)
		}
	}
}

// For an absent key, only the form of an operator decides, not what it compares.
func TestAUTH59AbsentKeys(t *testing.T) {
	values := map[string]string{"String": `"a"`, "Arn": `"arn:aws:iot:::a"`, "Ip": `"10.0.0.0/8"`, "Numeric": "1", "Date": `"2026-01-02"`}
	for kind, forms := range map[string][]string{
		"String":  {"StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"},
		"Arn":     {"ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"},
		"Ip":      {"IpAddress", "NotIpAddress"},
		"Numeric": {"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericGreaterThan"},
		"Date":    {"DateEquals", "DateNotEquals", "DateLessThan", "DateGreaterThan"},
	} {
		for i, operator := range forms {
			negated := i%2 == 1 && (kind != "Numeric" && kind != "Date" || i == 1)
			for name, want := range map[string]bool{
				operator:                               negated,
				operator + "IfExists":                  true,
				"ForAllValues:" + operator:             true,
				"ForAnyValue:" + operator:              false,
				"ForAnyValue:" + operator + "IfExists": true,
			} {
				set := statements(t, `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"`+name+`":{"aws:Gone":`+values[kind]+`}}}`)
				if got := set.Decide(iotpolicy.Request{Action: "iot:Connect", Resource: "*"}).Allowed(); got != want {
					t.Errorf("%s of an absent key holds: %t, want %t", name, got, want)
				}
			}
		}
	}
}
