package identity

import "testing"

func TestUnrestrictedMayDoEverything(t *testing.T) {
	c := Unrestricted("arn:aws:iam::111122223333:user/anonymous")
	if err := c.Authorize("iot:DeleteJob", []string{"arn:aws:iot:eu-west-1:111122223333:job/fw"}, nil); err != nil {
		t.Errorf("Authorize(iot:DeleteJob): %v", err)
	}
}
