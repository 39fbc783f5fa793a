package sigv4_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/muster-iot/muster/sigv4"
)

func TestSecretsStayOutOfSight(t *testing.T) {
	c := sigv4.Credential{AccessKeyID: "AKIDEXAMPLE", Secret: "hunter2", SessionToken: "hunter2"}
	shown := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown["fmt "+verb] = fmt.Sprintf(verb, c) + fmt.Sprintf(verb, &c) + fmt.Sprintf(verb, c.Secret)
	}
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	shown["encoding/json"] = string(encoded)
	var text, js bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("key", "credential", c, "secret", c.Secret)
	slog.New(slog.NewJSONHandler(&js, nil)).Info("key", "credential", c, "secret", c.Secret)
	shown["slog text"], shown["slog JSON"] = text.String(), js.String()
	for how, got := range shown {
		if strings.Contains(got, "hunter2") || strings.Contains(got, "68756e74657232") {
			t.Errorf("%s shows the secret: %s", how, got)
		}
		if !strings.Contains(got, "[redacted]") {
			t.Errorf("%s shows %s, want [redacted] in it", how, got)
		}
	}
}
