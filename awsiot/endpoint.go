package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
)

// describeEndpoint names a host of the deployment (registry.md section 6.1,
// arbitration A14).
func (s *Server) describeEndpoint(_ context.Context, in *wire.DescribeEndpointRequest) (*wire.DescribeEndpointResponse, error) {
	e, kind := s.o.Endpoints, wire.Or(in.EndpointType, "iot:Data")
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
