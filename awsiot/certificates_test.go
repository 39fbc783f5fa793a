package awsiot

import (
	"net/http"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
)

func TestDescribeCertificate(t *testing.T) {
	env := newEnv(t)
	c := newSigner(t, "lamp")
	env.must("POST", "/certificate/register-no-ca", object(map[string]any{"certificatePem": c.PEM}))
	env.want("DescribeCertificate", masked(env.must("GET", "/certificates/"+c.id(), "")),
		`{"certificateDescription":{"certificateArn":"`+certARN(c.id())+`","certificateId":"`+c.id()+`","certificateMode":"SNI_ONLY",`+
			`"certificatePem":"`+strings.ReplaceAll(c.PEM, "\n", `\n`)+`","creationDate":1790000000.123,"customerVersion":1,"generationId":"<id>",`+
			`"lastModifiedDate":1790000000.123,"ownedBy":"111122223333","status":"INACTIVE","validity":{"notAfter":1790003600,"notBefore":1789996400}}}`)
	env.pass(1000)
	env.must("PUT", "/certificates/"+c.id()+"?newStatus=ACTIVE", "")
	got := env.must("GET", "/certificates/"+c.id(), "")
	for _, want := range []string{`"status":"ACTIVE"`, `"customerVersion":2`, `"creationDate":1790000000.123`, `"lastModifiedDate":1790000001.123`} {
		if !strings.Contains(got, want) {
			t.Errorf("after the update: %s, want %s", got, want)
		}
	}
	env.wantError("GET", "/certificates/"+someID, "", http.StatusNotFound, "ResourceNotFoundException")
	env.wantError("GET", "/certificates/"+someID[1:], "", http.StatusBadRequest, "InvalidRequestException")
}

func TestAUTH20AnIDMayHaveAPrefixAndUpperCase(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	id := env.certificate("lamp", muster.CertificateActive)
	env.must("POST", "/policies/p", object(map[string]any{"policyDocument": everything}))
	loud := "0x" + strings.ToUpper(id)
	for _, call := range []struct{ method, target, body string }{
		{"GET", "/certificates/" + loud, ""},
		{"PUT", "/certificates/" + loud + "?newStatus=INACTIVE", ""},
		{"PUT", "/target-policies/p", object(map[string]any{"target": certARN(loud)})},
		{"POST", "/attached-policies/" + strings.ReplaceAll(certARN(loud), "/", "%2F"), ""},
		{"POST", "/target-policies/p", object(map[string]any{"target": certARN(loud)})},
		{"PUT", "/things/lamp/principals", ""},
		{"GET", "/principals/things", ""},
		{"DELETE", "/things/lamp/principals", ""},
		{"GET", "/principal-policies", ""},
		{"DELETE", "/certificates/" + loud, ""},
	} {
		env.mustWith(by(loud), call.method, call.target, call.body)
	}
	env.wantError("GET", "/certificates/"+id, "", http.StatusNotFound, "ResourceNotFoundException")
}

// A policy that denies a certificate denies it in every spelling of its id.
func TestAUTH20PermissionsSeeTheIDInOneSpelling(t *testing.T) {
	env := newEnvWith(t, Options{Keys: testKeys{`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
		{"Effect":"Deny","Action":"*","Resource":"` + certARN(someID) + `"}]}`}})
	env.key = limited
	for _, id := range []string{someID, strings.ToUpper(someID), "0x" + someID, "0X" + someID} {
		for _, call := range []struct{ method, target, body string }{
			{"GET", "/certificates/" + id, ""},
			{"PUT", "/target-policies/p", object(map[string]any{"target": certARN(id)})},
			{"POST", "/target-policies/p", object(map[string]any{"target": certARN(id)})},
			{"POST", "/attached-policies/" + strings.ReplaceAll(certARN(id), "/", "%2F"), ""},
			{"PUT", "/principal-policies/p", ""},
			{"DELETE", "/principal-policies/p", ""},
			{"GET", "/principal-policies", ""},
			{"PUT", "/things/t/principals", ""},
			{"DELETE", "/things/t/principals", ""},
			{"GET", "/principals/things", ""},
			{"GET", "/principals/things-v2", ""},
			{"POST", "/effective-policies", object(map[string]any{"principal": certARN(id)})},
			{"POST", "/test-authorization", object(map[string]any{"principal": certARN(id), "authInfos": []any{map[string]any{"resources": []any{}}}})},
		} {
			env.wantErrorWith(by(id), call.method, call.target, call.body, http.StatusForbidden, "AccessDeniedException")
		}
	}
}

func TestAUTH30StatusesThatCanBeSet(t *testing.T) {
	env := newEnv(t)
	id := env.certificate("lamp", muster.CertificateInactive)
	for status, want := range map[string]int{
		"ACTIVE": 200, "INACTIVE": 200, "REVOKED": 200, "REGISTER_INACTIVE": 200,
		"PENDING_TRANSFER": 400, "PENDING_ACTIVATION": 400, "active": 400, "": 400,
	} {
		for range 2 { // again changes nothing
			if got := env.send("PUT", "/certificates/"+id+"?newStatus="+status, ""); got.status != want {
				t.Errorf("newStatus=%s: %d %s, want %d", status, got.status, got.body, want)
			}
		}
	}
	env.must("PUT", "/certificates/"+id+"?newStatus=REVOKED", "")
	env.must("PUT", "/certificates/"+id+"?newStatus=ACTIVE", "")
	env.wantError("PUT", "/certificates/"+id, "", http.StatusBadRequest, "InvalidRequestException")
	env.wantError("PUT", "/certificates/"+someID+"?newStatus=ACTIVE", "", http.StatusNotFound, "ResourceNotFoundException")
}

func TestAUTH32DeleteCertificate(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	id := env.certificate("lamp", muster.CertificateActive)
	env.must("POST", "/policies/p", object(map[string]any{"policyDocument": everything}))
	env.must("PUT", "/target-policies/p", object(map[string]any{"target": certARN(id)}))
	env.mustWith(by(id), "PUT", "/things/lamp/principals", "")

	env.wantError("DELETE", "/certificates/"+id+"?forceDelete=true", "", http.StatusNotAcceptable, "CertificateStateException").
		wantMessage(t, "Certificate must be deactivated (not ACTIVE) before deletion. Id: "+id)
	env.must("PUT", "/certificates/"+id+"?newStatus=INACTIVE", "")
	env.wantError("DELETE", "/certificates/"+id+"?forceDelete=true", "", http.StatusConflict, "DeleteConflictException").
		wantMessage(t, "Things must be detached before deletion (arn: "+certARN(id)+")")
	env.mustWith(by(id), "DELETE", "/things/lamp/principals", "")
	env.wantError("DELETE", "/certificates/"+id, "", http.StatusConflict, "DeleteConflictException")
	env.must("DELETE", "/certificates/"+id+"?forceDelete=true", "")
	env.wantError("DELETE", "/certificates/"+id, "", http.StatusNotFound, "ResourceNotFoundException")
	env.want("ListTargetsForPolicy", env.must("POST", "/policy-targets/p", ""), `{"targets":[]}`)
}

func TestListCertificatesByCreation(t *testing.T) {
	env := newEnv(t)
	var ids []string
	for _, name := range []string{"a", "b", "c"} {
		ids = append(ids, env.certificate(name, muster.CertificateActive))
		env.pass(1)
	}
	for query, want := range map[string][]string{
		"":                                    {ids[2], ids[1], ids[0]},
		"?isAscendingOrder=True":              ids,
		"?pageSize=2":                         {ids[2], ids[1]},
		"?pageSize=2&isAscendingOrder=true":   {ids[0], ids[1]},
		"?pageSize=250&isAscendingOrder=true": ids,
	} {
		if got := env.listed("/certificates"+query, "certificates", "certificateId"); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("GET /certificates%s lists %v, want %v (REG-17)", query, got, want)
		}
	}
	first := env.must("GET", "/certificates?pageSize=2", "")
	marker := said(t, first, "nextMarker")
	if strings.Trim(marker, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") != "" || len(marker) > 1024 || marker == "" {
		t.Errorf("the marker is %q, want up to 1024 of [A-Za-z0-9+/] (registry.md section 1.2)", marker)
	}
	env.wantError("GET", "/certificates?isAscendingOrder=true&marker="+escaped(marker), "", http.StatusBadRequest, "InvalidRequestException")
	env.wantError("GET", "/policies?marker="+escaped(marker), "", http.StatusBadRequest, "InvalidRequestException")
	env.wantError("GET", "/certificates?pageSize=251", "", http.StatusBadRequest, "InvalidRequestException")
	env.wantError("GET", "/certificates?marker=%2A", "", http.StatusBadRequest, "InvalidRequestException")
	rest := env.must("GET", "/certificates?pageSize=2&marker="+escaped(marker), "")
	if !strings.Contains(rest, ids[0]) || strings.Contains(rest, "nextMarker") {
		t.Errorf("the last page is %s, want certificate %s and no marker (REG-16)", rest, ids[0])
	}
}

func TestTransfersAreRefused(t *testing.T) {
	env := newEnvWith(t, Options{Keys: testKeys{allowing(nil)}})
	for _, call := range []struct{ method, target string }{
		{"PATCH", "/transfer-certificate/" + someID + "?targetAwsAccount=111122223333"},
		{"PATCH", "/accept-certificate-transfer/" + someID},
		{"PATCH", "/reject-certificate-transfer/" + someID},
		{"PATCH", "/cancel-certificate-transfer/" + someID},
	} {
		env.key = admin
		env.wantError(call.method, call.target, "{}", http.StatusBadRequest, "InvalidRequestException")
		env.key = limited
		env.wantError(call.method, call.target, "{}", http.StatusForbidden, "AccessDeniedException")
	}
	for _, op := range Implemented() {
		if strings.Contains(op.Name, "Transfer") {
			t.Errorf("%s counts as served", op.Name)
		}
	}
}

func escaped(s string) string {
	return strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(s)
}
