package jobdoc

import (
	"strings"

	"github.com/muster-iot/muster"
)

// ResolveTemplate reads the ARN of a job template. It returns the ID of a custom
// template, which need not exist, or a managed template. It fails with Invalid for
// any other ARN, and with NotFound for an unknown managed template and for another
// account or region.
func ResolveTemplate(a muster.Account, arn string) (muster.JobTemplateID, *ManagedTemplate, error) {
	if full, ok := strings.CutPrefix(arn, muster.Account{Region: a.Region}.JobTemplateARN("")); ok {
		name, version, _ := strings.Cut(full, ":")
		if t, ok := FindManagedTemplate(name, version); ok && version != "" {
			return "", &t, nil
		}
		return "", nil, muster.Errorf(muster.NotFound, "Managed job template %s not found", full)
	}
	_, name, err := a.ParseARN(arn)
	if err != nil {
		return "", nil, err
	}
	id := muster.JobTemplateID(name)
	if a.JobTemplateARN(id) != arn {
		return "", nil, muster.Errorf(muster.Invalid, "%s is not a job template", arn)
	}
	return id, nil, nil
}
