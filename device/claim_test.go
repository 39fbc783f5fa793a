package device

import "testing"

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
