package wiregen

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/muster-iot/muster/internal/wiregen/model"
)

// writeOperations writes every operation of every service and the errors they
// model.
func writeOperations(p *plan, src *source) error {
	src.line("// operations holds every operation, by service and name.\nvar operations = []*Operation{")
	for _, svc := range p.services {
		for _, name := range slices.Sorted(maps.Keys(svc.Operations)) {
			src.line("%s,", svc.operationName(name))
		}
	}
	src.line("}")
	for _, svc := range p.services {
		src.line("\n// The operations of service %s.\nvar (", svc.Metadata.SigningName)
		for _, name := range slices.Sorted(maps.Keys(svc.Operations)) {
			if err := writeOperation(svc, svc.Operations[name], src); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		src.line(")\n\n// The errors of service %s.\nvar (", svc.Metadata.SigningName)
		for _, name := range slices.Sorted(maps.Keys(svc.Shapes)) {
			if e := svc.Shapes[name].Error; e != nil {
				src.line("%s = &ErrorShape{%q, %d}", errorName(svc, name), name, e.HTTPStatusCode)
			}
		}
		src.line(")")
	}
	return nil
}

func errorName(svc *service, shape string) string {
	return strings.ToLower(svc.goName[:1]) + svc.goName[1:] + shape
}

func writeOperation(svc *service, op *model.Operation, src *source) error {
	src.line("\n// %s is %s %s.", svc.operationName(op.Name), op.HTTP.Method, op.HTTP.RequestURI)
	src.line("%s = &Operation{\nName: %q,\nService: %s,", svc.operationName(op.Name), op.Name, svc.goName)
	src.line("Method: %q,\nPath: %q,", op.HTTP.Method, op.HTTP.RequestURI)
	var segments []string
	for s := range strings.SplitSeq(op.HTTP.RequestURI, "/") {
		switch label, isLabel := strings.CutPrefix(s, "{"); {
		case isLabel:
			label, ok := strings.CutSuffix(label, "}")
			if !ok {
				return fmt.Errorf("path %s has a label inside a segment", op.HTTP.RequestURI)
			}
			label, all := strings.CutSuffix(label, "+")
			if all || greedy[op.Name] == label {
				segments = append(segments, fmt.Sprintf("{Label: %q, Greedy: true}", label))
			} else {
				segments = append(segments, fmt.Sprintf("{Label: %q}", label))
			}
		case s != "":
			segments = append(segments, fmt.Sprintf("{Literal: %q}", s))
		}
	}
	src.line("Segments: []Segment{%s},", strings.Join(segments, ", "))
	input := svc.lookup(op.Input)
	writeBindings("Query", "querystring", input, src)
	writeBindings("Header", "header", input, src)
	src.line("Errors: []*ErrorShape{")
	for _, e := range op.Errors {
		if svc.Shapes[e.Shape].Error == nil {
			return fmt.Errorf("error %s has no status", e.Shape)
		}
		src.line("%s,", errorName(svc, e.Shape))
	}
	src.line("},")
	if most := svc.bodyMax(op); most > 0 {
		src.line("BodyMax: %d,", most)
	}
	if svc.shaped[op.Name] {
		src.line("Shaped: true,")
	}
	src.line("}")
	return nil
}

func writeBindings(field, location string, input *model.Shape, src *source) {
	if input == nil {
		return
	}
	var bindings []string
	for _, name := range slices.Sorted(maps.Keys(input.Members)) {
		if m := input.Members[name]; m.Location == location {
			bindings = append(bindings, fmt.Sprintf("{%q, %q}", name, m.LocationName))
		}
	}
	if bindings != nil {
		src.line("%s: []Binding{%s},", field, strings.Join(bindings, ", "))
	}
}
