package sigv4_test

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/muster-iot/muster/sigv4"
)

// A client signs a request, and a server finds out who sent it.
func Example() {
	key := sigv4.Credential{AccessKeyID: "AKIDEXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

	r, err := http.NewRequest(http.MethodGet, "http://muster.example/things", nil)
	if err != nil {
		panic(err)
	}
	sigv4.Sign(r, nil, key, "us-east-1", "iot", now)

	verifier := sigv4.Verifier{
		Region: "us-east-1",
		Lookup: func(id string) (sigv4.Credential, error) {
			if id != key.AccessKeyID {
				return sigv4.Credential{}, sigv4.ErrUnknownKey
			}
			return key, nil
		},
	}
	signature, err := verifier.Verify(r, nil, now.Add(time.Minute))
	fmt.Println(signature.AccessKeyID, signature.Path, err)

	_, err = verifier.Verify(r, []byte("another body"), now.Add(time.Minute))
	var refused *sigv4.Error
	fmt.Println(errors.As(err, &refused), refused.Code)
	// Output:
	// AKIDEXAMPLE /things <nil>
	// true InvalidSignatureException
}
