package s3api_test

import (
	"strings"
	"testing"

	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/files/s3api"
)

// An upload by a URL for a device has the limit that the operator set; one by an access
// key has not.
func TestAnUploadByALinkHasALimit(t *testing.T) {
	e := newEnv(t, s3api.Options{Limits: s3api.Limits{LinkBytes: 10}}, everything, diskstore.Limits{})
	fits, exceeds := strings.Repeat("x", 10), strings.Repeat("x", 11)
	if got := e.send(e.presigned(own, "PUT", "/lab/log", fits)); got.status != 200 {
		t.Errorf("10 bytes = %s, want 200", got)
	}
	if got := e.send(e.presigned(own, "PUT", "/lab/log", exceeds)); got.status != 400 || !strings.Contains(got.body, "<Code>EntityTooLarge</Code>") {
		t.Errorf("11 bytes = %s, want 400 EntityTooLarge", got)
	}
	if got := e.send(e.signed(admin, "PUT", "/lab/large", exceeds)); got.status != 200 {
		t.Errorf("11 bytes of an administrator = %s, want 200", got)
	}
	if got := e.send(e.presigned(admin, "PUT", "/lab/large", exceeds)); got.status != 200 {
		t.Errorf("11 bytes by a URL of an administrator = %s, want 200", got)
	}
}

const everything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
