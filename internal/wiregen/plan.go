package wiregen

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/muster-iot/muster/internal/wiregen/model"
)

// plan holds all that is to be generated, with all names chosen.
type plan struct {
	services []*service
	types    []*structure // sorted by name
	rules    []*rule      // sorted by name
	patterns []string     // distinct, sorted
}

// service is one model with the Go names of its parts.
type service struct {
	*model.API
	id     string // model folder
	goName string // constant of package wire
	prefix string // for names that another service has, too
	base   *service
	shaped map[string]bool
}

// structure is a Go type to be generated.
type structure struct {
	name   string
	svc    *service
	shape  *model.Shape
	op     string // of a request or response: its operation
	input  bool   // reachable from an input: decode and validate it
	output bool   // reachable from an output: encode it
}

// rule is a set of constraints that a shape puts on a value.
type rule struct {
	name  string
	shape *model.Shape
}

// newPlan loads the models and makes a plan of what to generate.
func newPlan() (*plan, error) {
	p := new(plan)
	control := &service{id: model.ControlPlane, goName: "ControlPlane"}
	for _, svc := range []*service{
		control,
		{id: model.JobsData, goName: "JobsData", prefix: "Data", base: control},
		{id: model.IoTData, goName: "IoTData", prefix: "Data", base: control},
	} {
		api, err := Load(svc.id)
		if err != nil {
			return nil, err
		}
		svc.API, svc.shaped = api, map[string]bool{}
		p.services = append(p.services, svc)
	}
	types := map[string]*structure{}
	for _, svc := range p.services {
		for _, name := range shaped[svc.id] {
			op := svc.Operations[name]
			if op == nil {
				return nil, fmt.Errorf("service %s has no operation %s", svc.id, name)
			}
			svc.shaped[name] = true
			if err := p.reach(svc, op.Input, op.Name, true, types); err != nil {
				return nil, err
			}
			if err := p.reach(svc, op.Output, op.Name, false, types); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		p.types = append(p.types, types[name])
	}
	return p, p.constrain()
}

// reach adds the structures that a shape contains.
func (p *plan) reach(svc *service, ref *model.Ref, op string, input bool, types map[string]*structure) error {
	if ref == nil {
		return nil
	}
	shape := svc.Shapes[ref.Shape]
	switch shape.Type {
	case "list":
		return p.reach(svc, shape.Element, "", input, types)
	case "map":
		return p.reach(svc, shape.Value, "", input, types)
	case "structure":
	default:
		return nil
	}
	name := svc.typeName(ref.Shape)
	t := types[name]
	if t == nil {
		t = &structure{name: name, svc: svc, shape: shape, op: op}
		types[name] = t
	}
	if t.svc != svc {
		return fmt.Errorf("type %s is in two services", name)
	}
	seen := &t.output
	if input {
		seen = &t.input
	}
	if *seen {
		return nil
	}
	*seen = true
	for _, m := range shape.Members {
		if err := p.reach(svc, &model.Ref{Shape: m.Shape}, "", input, types); err != nil {
			return err
		}
	}
	return nil
}

// typeName returns the Go name of a structure.
func (s *service) typeName(shape string) string {
	if s.base != nil {
		if other := s.base.Shapes[shape]; other != nil && other.Type == "structure" {
			return s.prefix + shape
		}
	}
	return shape
}

// operationName returns the Go name of an operation.
func (s *service) operationName(op string) string {
	if s.base != nil && s.base.Operations[op] != nil {
		return s.prefix + op
	}
	return op
}

// constrain collects the rules and patterns that the inputs need.
func (p *plan) constrain() error {
	rules := map[string]*rule{}
	patterns := map[string]bool{}
	for _, t := range p.types {
		if !t.input {
			continue
		}
		for _, m := range t.shape.Members {
			shape := t.svc.Shapes[m.Shape]
			for name, s := range map[string]*model.Shape{
				m.Shape: shape, refName(shape.Element): t.svc.lookup(shape.Element),
				refName(shape.Key): t.svc.lookup(shape.Key), refName(shape.Value): t.svc.lookup(shape.Value),
			} {
				if s == nil || !constrained(s) {
					continue
				}
				rules[t.svc.ruleName(name)] = &rule{name: t.svc.ruleName(name), shape: s}
				if s.Pattern != "" {
					patterns[s.Pattern] = true
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		p.rules = append(p.rules, rules[name])
	}
	p.patterns = slices.Sorted(maps.Keys(patterns))
	return nil
}

func refName(ref *model.Ref) string {
	if ref == nil {
		return ""
	}
	return ref.Shape
}

func (s *service) lookup(ref *model.Ref) *model.Shape {
	return s.Shapes[refName(ref)]
}

// constrained reports whether a shape limits its values.
func constrained(s *model.Shape) bool {
	return s.Type != "structure" && (s.Min != nil || s.Max != nil || s.Pattern != "" || s.Enum != nil)
}

// ruleName returns the name of the rule of a shape; each service has its own.
func (s *service) ruleName(shape string) string {
	name := strings.ToLower(shape[:1]) + shape[1:] + "Rule"
	if s.base != nil {
		return strings.ToLower(s.goName[:1]) + s.goName[1:] + shape + "Rule"
	}
	return name
}

// members returns the names of a structure's members in order.
func (t *structure) members() []string {
	return slices.Sorted(maps.Keys(t.shape.Members))
}

// in returns the names of the members with one of these locations.
func (t *structure) in(locations ...string) []string {
	var names []string
	for _, name := range t.members() {
		if slices.Contains(locations, t.shape.Members[name].Location) {
			names = append(names, name)
		}
	}
	return names
}
