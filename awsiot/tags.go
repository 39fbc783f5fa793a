package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
)

// Tags keeps the tags of resources of all kinds, which are named by their ARNs
// (registry.md section 6.4).
type Tags interface {
	ListTagsForResource(ctx context.Context, arn, token string) ([]muster.Tag, error)
	TagResource(ctx context.Context, arn string, set []muster.Tag) error
	UntagResource(ctx context.Context, arn string, keys []string) error
}

// tagOperations are the operations on tags (registry.md section 6.4).
type tagOperations struct{ tags Tags }

func (tagOperations) tagResourceNeeds(in *wire.TagResourceRequest) needs {
	return arns(*in.ResourceARN).and(needs{tags: in.Tags})
}

func (o tagOperations) tagResource(ctx context.Context, in *wire.TagResourceRequest) error {
	return o.tags.TagResource(ctx, *in.ResourceARN, tagsOf(in.Tags))
}

func (tagOperations) untagResourceNeeds(in *wire.UntagResourceRequest) needs {
	return arns(*in.ResourceARN)
}

func (o tagOperations) untagResource(ctx context.Context, in *wire.UntagResourceRequest) error {
	return o.tags.UntagResource(ctx, *in.ResourceARN, in.TagKeys)
}

func (tagOperations) listTagsForResourceNeeds(in *wire.ListTagsForResourceRequest) needs {
	return arns(*in.ResourceARN)
}

func (o tagOperations) listTagsForResource(ctx context.Context, in *wire.ListTagsForResourceRequest) (*wire.ListTagsForResourceResponse, error) {
	tags, err := o.tags.ListTagsForResource(ctx, *in.ResourceARN, wire.Or(in.NextToken, ""))
	if err != nil {
		return nil, err
	}
	return &wire.ListTagsForResourceResponse{
		Tags: each(tags, func(t muster.Tag) wire.Tag { return wire.Tag{Key: &t.Key, Value: &t.Value} }),
	}, nil
}
