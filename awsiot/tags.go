package awsiot

import (
	"context"

	"github.com/muster-iot/muster/awsiot/wire"
)

func (n *needs) tagResource(in *wire.TagResourceRequest) {
	n.arns(*in.ResourceARN)
	n.tags = in.Tags
}

func (s *Server) tagResource(ctx context.Context, in *wire.TagResourceRequest) error {
	return s.o.Engine.TagResource(ctx, *in.ResourceARN, tagsOf(in.Tags))
}

func (n *needs) untagResource(in *wire.UntagResourceRequest) { n.arns(*in.ResourceARN) }

func (s *Server) untagResource(ctx context.Context, in *wire.UntagResourceRequest) error {
	return s.o.Engine.UntagResource(ctx, *in.ResourceARN, in.TagKeys)
}

func (n *needs) listTagsForResource(in *wire.ListTagsForResourceRequest) { n.arns(*in.ResourceARN) }

func (s *Server) listTagsForResource(ctx context.Context, in *wire.ListTagsForResourceRequest) (*wire.ListTagsForResourceResponse, error) {
	tags, err := s.o.Engine.ListTagsForResource(ctx, *in.ResourceARN, wire.Or(in.NextToken, ""))
	if err != nil {
		return nil, err
	}
	out := &wire.ListTagsForResourceResponse{Tags: make([]wire.Tag, 0, len(tags))}
	for _, t := range tags {
		out.Tags = append(out.Tags, wire.Tag{Key: &t.Key, Value: &t.Value})
	}
	return out, nil
}
