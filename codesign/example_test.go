package codesign_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/muster-iot/muster/codesign"
)

// A profile signs a file, and its certificate verifies the signature.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	year := 365 * 24 * time.Hour
	profile, err := codesign.Folder(dir).Create("release", codesign.ECDSA, year, time.Now())
	if err != nil {
		panic(err)
	}
	signature, err := profile.Sign(strings.NewReader("firmware"))
	if err != nil {
		panic(err)
	}
	element := profile.Element(signature, nil) // what a job document has as "codesign"
	fmt.Println(element.RawPayloadSize, element.SignatureAlgorithm)

	key := profile.Chain[0].PublicKey.(*ecdsa.PublicKey)
	digest := sha256.Sum256([]byte("firmware"))
	fmt.Println(ecdsa.VerifyASN1(key, digest[:], signature.Value))
	// Output:
	// 8 SHA256withECDSA
	// true
}
