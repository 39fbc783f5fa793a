package muster

import (
	"strings"
	"testing"
	"time"
)

func TestFresh(t *testing.T) {
	const issued = Instant(1_790_000_000_000)
	for name, test := range map[string]struct {
		config PresignedConfig
		issued Instant
		after  time.Duration
		want   bool
	}{
		"never issued":                        {PresignedConfig{}, 0, 0, false},
		"just issued":                         {PresignedConfig{}, issued, 0, true},
		"half of the default life remains":    {PresignedConfig{}, issued, 30 * time.Minute, true},
		"less than half remains":              {PresignedConfig{}, issued, 30*time.Minute + time.Millisecond, false},
		"half of the shortest life remains":   {PresignedConfig{ExpiresInSec: 60}, issued, 30 * time.Second, true},
		"less than half of the shortest life": {PresignedConfig{ExpiresInSec: 60}, issued, 30*time.Second + time.Millisecond, false},
		"half of an odd life":                 {PresignedConfig{ExpiresInSec: 61}, issued, 30500 * time.Millisecond, true},
		"the clock was set back":              {PresignedConfig{}, issued, -time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.config.Fresh(test.issued, issued.Add(test.after)); got != test.want {
				t.Errorf("%+v.Fresh(%d, %s later) = %t, want %t", test.config, test.issued, test.after, got, test.want)
			}
		})
	}
}

func TestCheckPresignedConfig(t *testing.T) {
	for name, test := range map[string]struct {
		config  PresignedConfig
		message string // part of the refusal; empty: none
	}{
		"nothing":          {PresignedConfig{}, ""},
		"a role":           {PresignedConfig{RoleARN: "arn:aws:iam::123456789012:role/service/downloads", ExpiresInSec: 60}, ""},
		"another arn":      {PresignedConfig{RoleARN: "arn:aws:iam::123456789012:user/downloads"}, "is not the ARN of a role"},
		"no arn":           {PresignedConfig{RoleARN: "the role of downloads"}, "is not the ARN of a role"},
		"a short account":  {PresignedConfig{RoleARN: "arn:aws:iam::1:role/service-role/iot_job_role"}, ""},
		"a named account":  {PresignedConfig{RoleARN: "arn:aws-cn:iam::mine12345678:role/downloads"}, ""},
		"no account":       {PresignedConfig{RoleARN: "arn:aws:iam:::role/downloads"}, "is not the ARN of a role"},
		"no name":          {PresignedConfig{RoleARN: "arn:aws:iam::123456789012:role/"}, "is not the ARN of a role"},
		"a life too short": {PresignedConfig{ExpiresInSec: 59}, "expiresInSec must be 60 to 3600; it is 59"},
		"a life too long":  {PresignedConfig{ExpiresInSec: 3601}, "expiresInSec must be 60 to 3600; it is 3601"},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.config.Check()
			if test.message == "" && err != nil || test.message != "" && (err == nil || !strings.Contains(err.Error(), test.message)) {
				t.Errorf("%+v.Check() = %v, want %q", test.config, err, test.message)
			}
		})
	}
}
