package contract

import (
	"encoding/base64"
	"fmt"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/internal/wiregen"
	"github.com/muster-iot/muster/internal/wiregen/model"
)

// generator generates inputs that keep every limit of the model.
type generator struct {
	rand     *rand.Rand
	apis     map[wire.Service]*model.API
	known    *known
	patterns map[string]*pattern
	now      func() time.Time
	papers   *papers
	wild     bool // the current input need not make sense
}

func newGenerator(seed uint64, now func() time.Time) (*generator, error) {
	r := rand.New(rand.NewPCG(seed, 0))
	g := &generator{
		rand: r, apis: map[wire.Service]*model.API{}, patterns: map[string]*pattern{}, now: now,
		known: &known{rand: r, texts: map[string][]string{}},
	}
	for service, file := range map[wire.Service]string{
		wire.ControlPlane: model.ControlPlane, wire.JobsData: model.JobsData, wire.IoTData: model.IoTData,
	} {
		api, err := wiregen.Load(file)
		if err != nil {
			return nil, err
		}
		g.apis[service] = api
	}
	g.tighten()
	var err error
	g.papers, err = newPapers(now)
	return g, err
}

// tighten adds limits that the specification has in addition to the model
// (jobs-data-plane.md section 3.5; numbers generates -1 where it has a meaning).
func (g *generator) tighten() {
	shapes := g.apis[wire.JobsData].Shapes
	shapes["StepTimeoutInMinutes"].Min, shapes["StepTimeoutInMinutes"].Max = new(1.0), new(10080.0)
	shapes["DescribeJobExecutionJobId"].Max = new(64.0)
}

// likely returns true with a probability of percent in a hundred.
func (g *generator) likely(percent int) bool { return g.rand.IntN(100) < percent }

// sensibly returns true nearly always, but only half of the time for a wild input.
func (g *generator) sensibly() bool {
	if g.wild {
		return g.likely(50)
	}
	return g.likely(99)
}

// pick returns one of the values at random.
func pick[T any](g *generator, some ...T) T { return some[g.rand.IntN(len(some))] }

// input is an input of an operation.
type input struct {
	op    *wire.Operation
	api   *model.API
	value *value // of the input's structure
}

// bound returns the members in a location: "uri", "querystring", "header", or "" for
// the body.
func (in *input) bound(place string) iter.Seq2[*model.Member, member] {
	return func(yield func(*model.Member, member) bool) {
		for _, m := range in.value.members {
			if facts := in.value.shape.Members[m.name]; facts.Location == place && !yield(facts, m) {
				return
			}
		}
	}
}

// input generates a valid input of op.
func (g *generator) input(op *wire.Operation) *input {
	api := g.apis[op.Service]
	g.wild = g.likely(12)
	in := &input{op: op, api: api, value: &value{shape: &model.Shape{Type: "structure"}}}
	if facts := api.Operations[op.Name]; facts.Input != nil {
		in.value = g.value(in, facts.Input.Shape, 0)
	}
	g.meet(in)
	return in
}

// meet changes an input that names a thing and a job: mostly it then names two that
// belong together.
func (g *generator) meet(in *input) {
	thing, job := in.value.get("thingName"), in.value.get("jobId")
	if thing == nil || job == nil || len(g.known.pairs) == 0 || g.likely(25) {
		return
	}
	p := g.known.pairs[g.rand.IntN(len(g.known.pairs))]
	thing.literal = quote(p.thing)
	if job.text() != "$next" {
		job.literal = quote(p.job)
	}
}

// value generates a value of a shape; depth is its depth in the input.
func (g *generator) value(in *input, name string, depth int) *value {
	v := &value{name: name, shape: in.api.Shapes[name]}
	switch shape := v.shape; shape.Type {
	case "structure":
		g.fill(in, v, depth)
	case "list":
		for range g.count(shape) {
			v.items = append(v.items, g.value(in, shape.Element.Shape, depth+1))
		}
	case "map":
		for range g.count(shape) {
			key := g.value(in, shape.Key.Shape, depth+1).text()
			v.set(key, g.value(in, shape.Value.Shape, depth+1))
		}
	case "string":
		v.literal = quote(g.text(in, name, shape))
	case "blob":
		v.literal = quote(base64.StdEncoding.EncodeToString([]byte(g.letters(1 + g.rand.IntN(20)))))
	case "boolean":
		v.literal = strconv.FormatBool(g.likely(50))
	case "timestamp":
		v.literal = strconv.FormatInt(g.now().Unix()+int64(g.rand.IntN(86400)), 10)
	default:
		v.literal = g.number(name, shape)
	}
	return v
}

// fill gives a structure its required members and some of the optional ones.
func (g *generator) fill(in *input, v *value, depth int) {
	percent := 40 / (1 + depth)
	leaning := leanings[v.name]
	for _, name := range slices.Sorted(maps.Keys(v.shape.Members)) {
		m := v.shape.Members[name]
		required := slices.Contains(v.shape.Required, name) || m.Location == "uri"
		chance, lean := leaning[name]
		switch {
		case name == "nextToken" || name == "marker":
			chance = 8
		case !lean || g.wild:
			chance = percent
		}
		if required || g.likely(chance) {
			v.set(name, g.value(in, m.Shape, depth+1))
		}
	}
	if !g.wild {
		for _, alternative := range alternatives[v.name] {
			alternative.choose(g, in, v, depth)
		}
		g.finish(in, v)
	}
}

// alternative lists members of which exactly one should be given, each with its
// probability.
type alternative []struct {
	name    string
	percent int
}

func (a alternative) choose(g *generator, in *input, v *value, depth int) {
	n, chosen := g.rand.IntN(100), false
	for _, one := range a {
		v.drop(one.name)
		if n -= one.percent; n < 0 && !chosen {
			chosen = true
			v.set(one.name, g.value(in, v.shape.Members[one.name].Shape, depth+1))
		}
	}
}

// count chooses the size of a list or map.
func (g *generator) count(shape *model.Shape) int {
	least, most := 0, 4
	if shape.Min != nil {
		least = int(*shape.Min)
	}
	if shape.Max != nil {
		most = min(most, int(*shape.Max))
	}
	return least + g.rand.IntN(max(0, most-least)+1)
}

// text generates a string, often one with a meaning.
func (g *generator) text(in *input, name string, shape *model.Shape) string {
	meant := meanings[name]
	if name == "CertificateId" && strings.Contains(in.op.Name, "CA") {
		meant = (*generator).authorityID
	}
	if name == "NextToken" || name == "Marker" {
		meant = func(g *generator) (string, bool) { return g.known.one(name + "@" + in.op.Name) }
	}
	if meant != nil && g.sensibly() {
		if s, ok := meant(g); ok && g.fits(s, shape) {
			return s
		}
	}
	if shape.Enum != nil {
		return pick(g, shape.Enum...)
	}
	if s, ok := g.known.one(name); ok && g.sensibly() && g.likely(60) {
		return s
	}
	if s := g.common(name); g.sensibly() && named(name) && g.fits(s, shape) {
		return s
	}
	return g.textOf(shape)
}

// named reports whether a shape holds names or ids.
func named(shape string) bool {
	return strings.HasSuffix(shape, "Name") || strings.HasSuffix(shape, "Id")
}

// common returns one of a few names, so that inputs of different operations often name
// the same thing.
func (g *generator) common(shape string) string {
	some := 5
	if shape == "JobId" || shape == "PolicyName" {
		some = 9 // they cannot be deleted while they are in use
	}
	return fmt.Sprintf("%s-%d", strings.ToLower(shape), g.rand.IntN(some))
}

// number generates a number in the range of its shape.
func (g *generator) number(name string, shape *model.Shape) string {
	if meant := numbers[name]; meant != nil && g.sensibly() {
		return meant(g)
	}
	least, most := 0.0, math.Inf(1)
	if shape.Min != nil {
		least = *shape.Min
	}
	if shape.Max != nil {
		most = *shape.Max
	}
	n := least + float64(g.rand.IntN(int(min(most-least, 10))+1))
	switch g.rand.IntN(10) {
	case 0:
		n = least
	case 1:
		if !math.IsInf(most, 1) {
			n = most
		}
	case 2:
		if shape.Type == "long" && shape.Max == nil {
			return pick(g, "9223372036854775807", "0", "4294967296")
		}
		if shape.Type == "integer" && shape.Max == nil {
			return "2147483647"
		}
	case 3:
		if shape.Type == "double" || shape.Type == "float" {
			return strconv.FormatFloat(min(most, least+g.rand.Float64()), 'f', -1, 64)
		}
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}
