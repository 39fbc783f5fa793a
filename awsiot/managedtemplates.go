package awsiot

import (
	"context"

	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/jobdoc"
)

// describeManagedJobTemplateNeeds asks for the version that the call will show.
func (o templateOperations) describeManagedJobTemplateNeeds(in *wire.DescribeManagedJobTemplateRequest) needs {
	version := wire.Or(in.TemplateVersion, "")
	if t, ok := jobdoc.FindManagedTemplate(*in.TemplateName, version); ok {
		version = t.Version
	}
	return arns(o.account.ManagedTemplateARN(*in.TemplateName, version))
}

func (o templateOperations) describeManagedJobTemplate(_ context.Context, in *wire.DescribeManagedJobTemplateRequest) (*wire.DescribeManagedJobTemplateResponse, error) {
	t, err := o.templates.ManagedTemplate(*in.TemplateName, wire.Or(in.TemplateVersion, ""))
	if err != nil {
		return nil, err
	}
	out := &wire.DescribeManagedJobTemplateResponse{
		TemplateName:    &t.Name,
		TemplateARN:     new(o.account.ManagedTemplateARN(t.Name, t.Version)),
		Description:     &t.Description,
		TemplateVersion: &t.Version,
		Environments:    t.Environments,
		Document:        &t.Document,
	}
	for _, p := range t.Parameters {
		out.DocumentParameters = append(out.DocumentParameters, wire.DocumentParameter{
			Key: &p.Key, Description: &p.Description, Regex: new(p.Regex()), Example: &p.Example, Optional: &p.Optional,
		})
	}
	return out, nil
}

func (o templateOperations) listManagedJobTemplates(_ context.Context, in *wire.ListManagedJobTemplatesRequest) (*wire.ListManagedJobTemplatesResponse, error) {
	list, err := o.templates.ManagedTemplates(wire.Or(in.TemplateName, ""), page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	out := &wire.ListManagedJobTemplatesResponse{NextToken: text(list.Next)}
	for _, t := range list.Templates {
		out.ManagedJobTemplates = append(out.ManagedJobTemplates, wire.ManagedJobTemplateSummary{
			TemplateARN: new(o.account.ManagedTemplateARN(t.Name, t.Version)), TemplateName: &t.Name,
			Description: &t.Description, Environments: t.Environments, TemplateVersion: &t.Version,
		})
	}
	return out, nil
}
