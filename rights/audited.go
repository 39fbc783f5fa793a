package rights

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/store"
)

// Audited says what audit records show of certificates, CAs, policies and what is attached to what. Of the document of a policy
// that is its length and hash.
func Audited() []audit.Shown {
	return []audit.Shown{
		audit.Show(tables.certificates, func(_ string, c muster.Certificate) (string, []audit.Field) {
			return "cert/" + string(c.ID), []audit.Field{audit.Is("status", c.Status.String()), audit.IfSet("caCertificateId", c.CA)}
		}),
		audit.Show(tables.cas, func(_ string, c muster.CA) (string, []audit.Field) {
			return "cacert/" + string(c.ID), []audit.Field{
				audit.Is("active", c.Active), audit.Is("autoRegistration", c.AutoRegistration),
				audit.IfSet("registrationConfig.templateName", c.TemplateName), audit.IfSet("registrationConfig.roleArn", c.RoleARN),
			}
		}),
		audit.Show(tables.policies, func(_ string, p muster.Policy) (string, []audit.Field) {
			fields := []audit.Field{audit.Is("defaultVersionId", p.Default)}
			for _, v := range p.Versions {
				sum := sha256.Sum256([]byte(v.Document))
				fields = append(fields, audit.Field{Name: "policyVersions." + v.ID, Value: fmt.Sprintf("%d bytes, SHA-256 %s", len(v.Document), hex.EncodeToString(sum[:]))})
			}
			return "policy/" + p.Name, fields
		}),
		audit.Show(tables.policyTargets, func(key string, _ store.Link) (string, []audit.Field) {
			of := store.SplitKey(key)
			return "policy/" + of[0], []audit.Field{{Name: "targets." + of[len(of)-1], Value: "attached"}}
		}),
		audit.Show(tables.principalsOfThing, func(key string, _ muster.Attachment) (string, []audit.Field) {
			of := store.SplitKey(key)
			return "thing/" + of[0], []audit.Field{{Name: "principals.cert/" + of[len(of)-1], Value: "attached"}}
		}),
	}
}
