package awsiot

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestRegistrationCode(t *testing.T) {
	env := newEnv(t)
	code := func() string { return said(t, env.must("GET", "/registrationcode", ""), "registrationCode") }
	first := code()
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(first) || code() != first {
		t.Errorf("the registration code is %q, then %q; want 64 hex digits, and the same", first, code())
	}
	env.want("DeleteRegistrationCode", env.must("DELETE", "/registrationcode", ""), `{}`)
	if second := code(); second == first {
		t.Errorf("after its deletion the code is still %s", second)
	}
	env.must("DELETE", "/registrationcode", "")
	env.must("DELETE", "/registrationcode", "")
}

func TestAUTH33RegisterCACertificate(t *testing.T) {
	env := newEnv(t)
	acme, other := newSigner(t, "Acme CA"), newSigner(t, "Other CA")
	code := said(t, env.must("GET", "/registrationcode", ""), "registrationCode")
	register := func(members map[string]any) reply {
		return env.send("POST", "/cacertificate?setAsActive=true", object(members))
	}
	for name, test := range map[string]struct {
		members   map[string]any
		errorType string
	}{
		"no proof": {map[string]any{"caCertificate": acme.PEM}, "InvalidRequestException"},
		"a proof of another code": {map[string]any{"caCertificate": acme.PEM, "verificationCertificate": acme.device(t, "code").PEM},
			"RegistrationCodeValidationException"},
		"a proof by another CA": {map[string]any{"caCertificate": acme.PEM, "verificationCertificate": other.device(t, code).PEM},
			"RegistrationCodeValidationException"},
		"a proof that cannot be read": {map[string]any{"caCertificate": acme.PEM, "verificationCertificate": "x"}, "CertificateValidationException"},
		"a CA that cannot be read":    {map[string]any{"caCertificate": "x", "verificationCertificate": acme.device(t, code).PEM}, "CertificateValidationException"},
		"no CA:TRUE": {map[string]any{"caCertificate": acme.device(t, "x").PEM, "verificationCertificate": acme.device(t, code).PEM},
			"CertificateValidationException"},
		"a proof where none is wanted": {map[string]any{"caCertificate": acme.PEM, "certificateMode": "SNI_ONLY", "verificationCertificate": acme.device(t, code).PEM},
			"InvalidRequestException"},
	} {
		if got := register(test.members); got.errorType() != test.errorType {
			t.Errorf("%s: %d %s %s, want %s", name, got.status, got.errorType(), got.body, test.errorType)
		}
	}
	good := map[string]any{"caCertificate": acme.PEM, "verificationCertificate": acme.device(t, code).PEM}
	env.want("RegisterCACertificate", register(good).body, `{"certificateArn":"`+arnPrefix+`cacert/`+acme.id()+`","certificateId":"`+acme.id()+`"}`)
	got := register(good)
	if got.errorType() != "ResourceAlreadyExistsException" || said(t, got.body, "resourceId") != acme.id() {
		t.Errorf("again: %d %s", got.status, got.body)
	}
	if got := register(map[string]any{"caCertificate": other.PEM, "certificateMode": "SNI_ONLY"}); got.status != 200 {
		t.Errorf("SNI_ONLY without a proof: %d %s", got.status, got.body)
	}
	for i := range 9 {
		if got := register(map[string]any{"caCertificate": newSigner(t, "Acme CA").PEM, "certificateMode": "SNI_ONLY"}); got.status != 200 {
			t.Fatalf("CA %d with the subject: %d %s", i+2, got.status, got.body)
		}
	}
	if got := register(map[string]any{"caCertificate": newSigner(t, "Acme CA").PEM, "certificateMode": "SNI_ONLY"}); got.errorType() != "LimitExceededException" {
		t.Errorf("the eleventh CA with one subject: %d %s", got.status, got.body)
	}
}

func TestCACertificateFromRegisterToDelete(t *testing.T) {
	env := newEnv(t)
	acme := newSigner(t, "Acme CA")
	env.must("POST", "/cacertificate?allowAutoRegistration=true", object(map[string]any{
		"caCertificate": acme.PEM, "certificateMode": "SNI_ONLY", "tags": []any{map[string]any{"Key": "k", "Value": "v"}},
		"registrationConfig": map[string]any{"templateBody": "{}", "roleArn": "arn:aws:iam::111122223333:role/r", "templateName": "t"},
	}))
	path := "/cacertificate/" + acme.id()
	env.want("DescribeCACertificate", masked(env.must("GET", path, "")),
		`{"certificateDescription":{"autoRegistrationStatus":"ENABLE","certificateArn":"`+arnPrefix+`cacert/`+acme.id()+`","certificateId":"`+acme.id()+`",`+
			`"certificateMode":"SNI_ONLY","certificatePem":"`+strings.ReplaceAll(acme.PEM, "\n", `\n`)+`","creationDate":1790000000.123,"customerVersion":1,`+
			`"generationId":"<id>","lastModifiedDate":1790000000.123,"ownedBy":"111122223333","status":"INACTIVE",`+
			`"validity":{"notAfter":1790003600,"notBefore":1789996400}},`+
			`"registrationConfig":{"roleArn":"arn:aws:iam::111122223333:role/r","templateBody":"{}","templateName":"t"}}`)
	env.want("its tags", env.must("GET", "/tags?resourceArn="+arnPrefix+"cacert/"+acme.id(), ""), `{"tags":[{"Key":"k","Value":"v"}]}`)
	env.want("ListCACertificates", env.must("GET", "/cacertificates", ""),
		`{"certificates":[{"certificateArn":"`+arnPrefix+`cacert/`+acme.id()+`","certificateId":"`+acme.id()+`","creationDate":1790000000.123,"status":"INACTIVE"}]}`)
	for template, want := range map[string]int{"t": 1, "u": 0} {
		if got := env.listed("/cacertificates?templateName="+template, "certificates", "certificateId"); len(got) != want {
			t.Errorf("ListCACertificates of template %s lists %v, want %d", template, got, want)
		}
	}
	env.must("PUT", path+"?newStatus=ACTIVE", "")
	env.wantError("DELETE", path, "", http.StatusNotAcceptable, "CertificateStateException")
	env.must("PUT", path+"?newAutoRegistrationStatus=DISABLE", `{"registrationConfig":{"templateName":"u"}}`)
	got := env.must("GET", path, "")
	for _, want := range []string{`"autoRegistrationStatus":"DISABLE"`, `"status":"ACTIVE"`, `"customerVersion":3`, `"registrationConfig":{"templateName":"u"}`} {
		if !strings.Contains(got, want) {
			t.Errorf("after the updates: %s, want %s", got, want)
		}
	}
	env.must("PUT", path+"?newStatus=INACTIVE&newAutoRegistrationStatus=ENABLE", `{"removeAutoRegistration":true}`)
	if got := env.must("GET", path, ""); strings.Contains(got, "registrationConfig") || !strings.Contains(got, `"autoRegistrationStatus":"DISABLE"`) {
		t.Errorf("after removeAutoRegistration: %s", got)
	}
	env.want("DeleteCACertificate", env.must("DELETE", path, ""), `{}`)
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		env.wantError(method, path, "", http.StatusNotFound, "ResourceNotFoundException")
	}
}
