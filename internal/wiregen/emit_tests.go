package wiregen

import (
	"maps"
	"slices"
)

// writeTestTable writes the inputs and outputs of all shaped operations as a table,
// for tests that compare each of them with the model.
func writeTestTable(p *plan, src *source) error {
	src.line("import \"github.com/muster-iot/muster/awsiot/wire\"\n")
	src.line("// contracts holds every operation that has shapes.\nvar contracts = []contract{")
	for _, svc := range p.services {
		for _, name := range slices.Sorted(maps.Keys(svc.shaped)) {
			op := svc.Operations[name]
			output := "nil"
			if op.Output != nil {
				output = "new(wire." + svc.typeName(op.Output.Shape) + ")"
			}
			src.line("{%q, wire.%s, func() wire.Input { return new(wire.%s) }, %s},",
				svc.id, svc.operationName(name), svc.typeName(op.Input.Shape), output)
		}
	}
	src.line("}")
	return nil
}
