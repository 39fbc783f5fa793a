package foreign

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/xml"
	"net/http"
	"strings"
)

// The service and the version of the API of GetCallerIdentity.
const (
	IdentityService = "sts"
	IdentityVersion = "2011-06-15"
	CallerIdentity  = "GetCallerIdentity"
)

type callerIdentity struct {
	XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ GetCallerIdentityResponse"`
	ARN       string   `xml:"GetCallerIdentityResult>Arn"`
	UserID    string   `xml:"GetCallerIdentityResult>UserId"`
	Account   string   `xml:"GetCallerIdentityResult>Account"`
	RequestID string   `xml:"ResponseMetadata>RequestId"`
}

// WriteCallerIdentity answers GetCallerIdentity with the caller's ARN.
func WriteCallerIdentity(w http.ResponseWriter, arn, requestID string) {
	parts := strings.SplitN(arn, ":", 6)
	account := ""
	if len(parts) == 6 {
		account = parts[4]
	}
	WriteXML(w, http.StatusOK, callerIdentity{ARN: arn, UserID: UserID(arn), Account: account, RequestID: requestID})
}

// UserID returns an id for the user whom an ARN names, in AWS's form of user ids. It
// is the same for all access keys of the user.
func UserID(arn string) string {
	digest := sha256.Sum256([]byte(arn))
	return "AIDA" + base32.StdEncoding.EncodeToString(digest[:])[:17]
}
