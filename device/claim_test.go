package device

import (
	"strings"
	"testing"
)

// JSON parsers differ on which of two members of one name counts, so a document
// that has such members is refused before it is used.
func TestADocumentSaysEachThingOnce(t *testing.T) {
	for document, twice := range map[string]string{
		`{"u":1,"u":2}`:                   "u",
		`{"a":[{"u":1,"\u0075":2}]}`:      "u",
		`{"a":{"b":{"":1,"":{}}}}`:        "",
		`{"u":{"u":"u"},"a":["u","u"]}`:   "-",
		`[{"u":1},{"u":2}]`:               "-",
		`{"a":{"u":1},"b":{"u":2},"u":3}`: "-",
	} {
		_, err := signedFiles([]byte(document), nil)
		if want := `the job document has "` + twice + `" more than once`; twice != "-" && (err == nil || !strings.Contains(err.Error(), want)) || twice == "-" && err != nil {
			t.Errorf("signedFiles(%s) = %v, want %q", document, err, twice)
		}
	}
}

// FuzzSignedFiles feeds documents: nothing panics, and what is found can be
// fetched and verified.
func FuzzSignedFiles(f *testing.F) {
	f.Add([]byte(`{"presign":"https://files/lab/fw.bin","codesign":{"rawPayloadSize":9,"signature":"MEUC","signatureAlgorithm":"SHA256withECDSA"}}`))
	f.Add([]byte(`{"afr_ota":{"files":[{"filepath":"a","filesize":9,"update_data_url":"http://x","sig-sha256-rsa":"MEUC"},7,{}]}}`))
	f.Add([]byte(`{"a":[{"codesign":{"rawPayloadSize":1e99,"signature":"ME UC"},"u":"https://x"}]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		found, err := signedFiles(document, nil)
		if err != nil {
			return
		}
		if found.unsigned < 0 || len(found.claims) > claimsMax {
			t.Fatalf("signedFiles(%q) = %d claims, %d unsigned", document, len(found.claims), found.unsigned)
		}
		for _, c := range found.claims {
			if !isURL(c.url) || len(c.signature) == 0 || c.size < -1 {
				t.Fatalf("signedFiles(%q) has %+v", document, c)
			}
		}
	})
}
