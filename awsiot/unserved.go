package awsiot

import (
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
)

// member is a member of an input that is not served yet, and whether it is
// given. An empty configuration asks for nothing, so it does not count.
type member struct {
	name  string
	given bool
}

// refuseUnserved returns an error for what CreateJob cannot do yet: better than
// a job that silently does something else.
func refuseUnserved(in *wire.CreateJobRequest) error {
	switch {
	case in.Document == nil && in.DocumentSource == nil && in.JobTemplateARN == nil:
		return muster.Errorf(muster.Invalid, "One of document, documentSource and jobTemplateArn is required")
	case in.Document != nil && in.DocumentSource != nil:
		return muster.Errorf(muster.Invalid, "document and documentSource exclude each other")
	case in.Document != nil && in.JobTemplateARN != nil:
		return muster.Errorf(muster.Invalid, "document and jobTemplateArn exclude each other")
	}
	err := refuseGiven(
		member{"documentSource", in.DocumentSource != nil},
		member{"jobTemplateArn", in.JobTemplateARN != nil},
		member{"documentParameters", len(in.DocumentParameters) > 0},
		member{"destinationPackageVersions", len(in.DestinationPackageVersions) > 0},
		member{"presignedUrlConfig", !emptyPresigned(in.PresignedURLConfig)},
	)
	if err == nil && strings.Contains(*in.Document, "${aws:") {
		err = muster.Errorf(muster.Invalid, "The job document has a placeholder ${aws:…}; placeholders are not supported yet")
	}
	return err
}

// refuseUnservedChange is refuseUnserved for UpdateJob.
func refuseUnservedChange(in *wire.UpdateJobRequest) error {
	return refuseGiven(member{"presignedUrlConfig", !emptyPresigned(in.PresignedURLConfig)})
}

func refuseGiven(members ...member) error {
	for _, m := range members {
		if m.given {
			return muster.Errorf(muster.Invalid, "%s is not supported yet", m.name)
		}
	}
	return nil
}

func emptyPresigned(c *wire.PresignedUrlConfig) bool {
	return c == nil || *c == wire.PresignedUrlConfig{}
}
