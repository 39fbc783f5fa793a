package catalog

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
)

// Audited says what audit records show of packages and their versions: not the recipes, which are documents.
func Audited() []audit.Shown {
	return []audit.Shown{
		audit.Show(tables.packages, func(_ string, p muster.Package) (string, []audit.Field) {
			return "package/" + string(p.Name), []audit.Field{audit.IfSet("description", p.Description), audit.IfSet("defaultVersionName", p.Default)}
		}),
		audit.Show(tables.versions, func(_ string, v muster.PackageVersion) (string, []audit.Field) {
			fields := []audit.Field{audit.Is("status", v.Status), audit.IfSet("description", v.Description)}
			if v.Artifact != nil {
				fields = append(fields, audit.Is("artifact.s3Location.bucket", v.Artifact.Bucket), audit.Is("artifact.s3Location.key", v.Artifact.Key), audit.IfSet("artifact.s3Location.version", v.Artifact.Version))
			}
			return "package/" + string(v.Package) + "/version/" + string(v.Name), slices.Concat(fields, audit.Each("attributes", v.Attributes))
		}),
		audit.Show(tables.config, func(_ string, c PackageConfig) (string, []audit.Field) {
			return "packageconfiguration", []audit.Field{audit.Is("versionUpdateByJobsConfig.enabled", c.Enabled), audit.IfSet("versionUpdateByJobsConfig.roleArn", c.RoleARN)}
		}),
	}
}
