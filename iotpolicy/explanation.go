package iotpolicy

// Question asks whether a principal may do an action on a resource. It is sent as JSON.
type Question struct {
	Who      string `json:"who"`                // a certificate's id or ARN, or an access key id
	ClientID string `json:"clientId,omitempty"` // of the MQTT connection; empty means HTTPS
	Action   string `json:"action"`             // such as iot:Publish
	Resource string `json:"resource"`           // an ARN, or the end of one such as topic/a/b
}

// Explanation is the answer to a Question: what would be decided now, and what
// the decision rests on.
type Explanation struct {
	Principal string         `json:"principal"`        // its ARN
	Action    string         `json:"action"`           // as asked
	Resource  string         `json:"resource"`         // the whole ARN
	Allowed   bool           `json:"allowed"`          // whether it may be done
	Decision  string         `json:"decision"`         // ALLOWED, EXPLICIT_DENY or IMPLICIT_DENY, by the policies alone
	Policy    string         `json:"policy,omitempty"` // the one that decided
	Statement string         `json:"statement,omitempty"`
	Refused   string         `json:"refused,omitempty"` // why the policies do not matter, such as an INACTIVE certificate
	Thing     string         `json:"thing,omitempty"`   // that the connection would act as (AUTH-41)
	Missing   []string       `json:"missing"`           // variables in statements that have no value
	Policies  []PolicyAnswer `json:"policies"`          // in force, by name
}

// PolicyAnswer is what one of the policies in force says by itself.
type PolicyAnswer struct {
	Name      string `json:"name"`
	Version   string `json:"version,omitempty"` // in force; access keys have no versions
	Decision  string `json:"decision"`
	Statement string `json:"statement,omitempty"`
}
