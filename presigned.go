package muster

import (
	"strings"
	"time"
)

// PresignedConfig configures the presigned URLs in a job's document
// (jobs-control-plane.md section 6.3). The JSON names are in stored records and must
// never change.
type PresignedConfig struct {
	RoleARN      string `json:"roleArn,omitempty"` // required by documents with links; only its form is checked
	ExpiresInSec int    `json:"expiresInSec,omitempty"`
}

// The range of ExpiresInSec, and what zero means.
const (
	ExpiresInSecMin     = 60
	ExpiresInSecMax     = 3600
	expiresInSecDefault = 3600
)

// Check returns an Invalid error unless the fields of c that were given are valid.
func (c PresignedConfig) Check() error {
	if c.RoleARN != "" && !isRole(c.RoleARN) {
		return Errorf(Invalid, "The roleArn %s is not the ARN of a role, such as arn:aws:iam::000000000000:role/downloads", c.RoleARN)
	}
	if c.ExpiresInSec != 0 && (c.ExpiresInSec < ExpiresInSecMin || c.ExpiresInSec > ExpiresInSecMax) {
		return Errorf(Invalid, "expiresInSec must be %d to %d; it is %d", ExpiresInSecMin, ExpiresInSecMax, c.ExpiresInSec)
	}
	return nil
}

// isRole reports whether arn has the form of the ARN of a role. It accepts any
// account: nothing is looked up in it, and tests of clients use accounts such as 1.
func isRole(arn string) bool {
	parts := strings.SplitN(arn, ":", 6)
	return len(parts) == 6 && parts[0] == "arn" && strings.HasPrefix(parts[1], "aws") && parts[2] == "iam" && parts[3] == "" &&
		parts[4] != "" && strings.HasPrefix(parts[5], "role/") && parts[5] != "role/"
}

// CheckLinks returns an Invalid error unless a job with c may have a document
// with links (jobs-control-plane.md section 3.1, check 11).
func (c PresignedConfig) CheckLinks() error {
	if c.RoleARN == "" {
		return Errorf(Invalid, "presignedUrlConfig role ARN is required to generate an S3 presigned url in job document.")
	}
	return nil
}

// Life returns how long a URL is valid after it was signed, in whole seconds.
func (c PresignedConfig) Life() time.Duration {
	if c.ExpiresInSec == 0 {
		return expiresInSecDefault * time.Second
	}
	return time.Duration(c.ExpiresInSec) * time.Second
}

// Fresh reports whether URLs that were signed at the instant issued, zero for never,
// are handed out again at now: while at least half of their life remains
// (arbitration A1). It reports false when issued is in the future, as it is after
// the clock was set back.
func (c PresignedConfig) Fresh(issued, now Instant) bool {
	return issued != 0 && issued <= now && issued.Add(c.Life()/2) >= now
}
