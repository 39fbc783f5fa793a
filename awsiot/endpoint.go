package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
)

// describeEndpoint answers with a host of the deployment (registry.md section 6.1,
// arbitration A14).
func (e Endpoints) describeEndpoint(_ context.Context, in *wire.DescribeEndpointRequest) (*wire.DescribeEndpointResponse, error) {
	kind := wire.Or(in.EndpointType, "iot:Data")
	host := ""
	switch kind {
	case "iot:Data", "iot:Data-ATS":
		host = e.Data
	case "iot:Jobs":
		host = e.Jobs
		if host == "" {
			host = e.Data
		}
	case "iot:CredentialProvider":
		host = e.CredentialProvider
	}
	if host == "" {
		return nil, muster.Errorf(muster.Invalid, "There is no endpoint of the type %q here", kind)
	}
	return &wire.DescribeEndpointResponse{EndpointAddress: &host}, nil
}
