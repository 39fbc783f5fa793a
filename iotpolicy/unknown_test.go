package iotpolicy_test

import (
	"slices"
	"testing"

	"github.com/muster-iot/muster/iotpolicy"
)

func TestUnknownActions(t *testing.T) {
	known := []string{"iot:CreateJob", "iot:ListJobs", "iotjobsdata:UpdateJobExecution", "muster:Backup"}
	for action, want := range map[string][]string{
		`"*"`:                      nil,
		`"iot:CreateJob"`:          nil,
		`"IOT:createjob"`:          nil,
		`"iot:List*"`:              nil,
		`"iot:UpdateJobExecution"`: nil, // the other name of iotjobsdata:UpdateJobExecution
		`"*:Backup"`:               nil,
		`"iot:CreatJob"`:           {"iot:creatjob"},
		`"iot:Lst*"`:               {"iot:lst*"},
		`"iot:CreateJo"`:           {"iot:createjo"},
		`"CreateJob"`:              {"createjob"},
		`""`:                       {""},
		`["muster:Backup","muster:Backups","muster:BackUps","s3:*"]`: {"muster:backups", "s3:*"},
	} {
		for _, element := range []string{"Action", "NotAction"} {
			p, err := iotpolicy.Parse("p", `{"Statement":{"Effect":"Allow","Resource":"*","`+element+`":`+action+`}}`)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.UnknownActions(known); !slices.Equal(got, want) {
				t.Errorf("%s %s: UnknownActions() = %q, want %q", element, action, got, want)
			}
		}
	}
}
