package muster

import "strings"

// CertificateID is the lower-case hex SHA-256 of a certificate's DER form
// (identity-and-auth.md AUTH-20).
type CertificateID string

// CertificateIDOf returns text as a certificate ID. It accepts upper case and the
// prefix 0x (AUTH-20), and checks nothing else.
func CertificateIDOf(text string) CertificateID {
	return CertificateID(strings.TrimPrefix(strings.ToLower(text), "0x"))
}

// CertificateStatus is the state of a certificate. Only an active one gives access
// (AUTH-30).
type CertificateStatus uint8

// The statuses. The zero value is not a status.
const (
	CertificateActive CertificateStatus = iota + 1
	CertificateInactive
	CertificateRevoked
	CertificatePendingTransfer
	CertificateRegisterInactive
	CertificatePendingActivation
)

var certificateStatusNames = [...]string{
	"", "ACTIVE", "INACTIVE", "REVOKED", "PENDING_TRANSFER", "REGISTER_INACTIVE", "PENDING_ACTIVATION",
}

// String returns the contract's word for s, or "" for the zero value.
func (s CertificateStatus) String() string { return certificateStatusNames[s] }

// ParseCertificateStatus returns the status that word names.
func ParseCertificateStatus(word string) (CertificateStatus, bool) {
	return byName[CertificateStatus](certificateStatusNames[:], word)
}

// Certificate is a device certificate in the registry
// (identity-and-auth.md section A.3). The private key is never here.
type Certificate struct {
	ID           CertificateID
	PEM          string
	Status       CertificateStatus
	CA           CertificateID // the registered CA that signed it; "" if none
	SNIOnly      bool          // certificateMode SNI_ONLY
	CreatedAt    Instant
	UpdatedAt    Instant
	Version      int64 // customerVersion
	GenerationID string
	NotBefore    Instant
	NotAfter     Instant
}

// CheckFirstStatus returns a CertificateState error unless a certificate may be
// registered with that status (AUTH-29).
func CheckFirstStatus(s CertificateStatus) error {
	switch s {
	case CertificateActive, CertificateInactive, CertificateRevoked:
		return nil
	}
	return Errorf(CertificateState, "A certificate cannot be registered as %s; it can be as ACTIVE, INACTIVE or REVOKED", s)
}

// WithStatus returns the certificate after UpdateCertificate at the instant now. It
// fails with Invalid for the two pending statuses, which no request can set
// (AUTH-30).
func (c Certificate) WithStatus(s CertificateStatus, now Instant) (Certificate, error) {
	if s == CertificatePendingTransfer || s == CertificatePendingActivation {
		return c, Errorf(Invalid, "A certificate cannot be set to %s", s)
	}
	if c.Status != s {
		c.Status, c.UpdatedAt, c.Version = s, now, c.Version+1
	}
	return c, nil
}

// CA is a certificate authority registered by an operator.
type CA struct {
	ID               CertificateID
	PEM              string
	Subject          string // DER of its subject, in hex: the issuer of the certificates that it signs
	Active           bool
	AutoRegistration bool // a device with a certificate of this CA is registered when it first connects
	SNIOnly          bool
	Template         string // registrationConfig.templateBody, stored and returned
	TemplateName     string
	RoleARN          string
	CreatedAt        Instant
	UpdatedAt        Instant
	Version          int64
	GenerationID     string
	NotBefore        Instant
	NotAfter         Instant
}

// Attachment binds a certificate to a thing (registry.md section 6.3).
type Attachment struct {
	Exclusive bool // EXCLUSIVE_THING: the certificate can be attached to no other thing
}
