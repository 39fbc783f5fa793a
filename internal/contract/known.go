package contract

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/internal/wiregen/model"
)

// known keeps the names, ARNs, ids and tokens from answers, by the shape that they had
// there, so that later inputs can use them.
type known struct {
	rand  *rand.Rand
	texts map[string][]string
	pairs []pair
}

// pair is a thing that has, or had, an execution of a job.
type pair struct{ thing, job string }

// pairUp keeps the pairs in an answer that lists the jobs of a thing or the things of
// a job.
func (k *known) pairUp(thing, job string) {
	if p := (pair{thing, job}); thing != "" && job != "" && job != "$next" && !slices.Contains(k.pairs, p) {
		k.pairs = append(k.pairs, p)
		k.pairs = k.pairs[max(0, len(k.pairs)-pairsMax):]
	}
}

// knownMax is how many values of a shape are kept.
const knownMax = 40

// pairsMax is how many pairs are kept. Older ones mostly do not exist any more.
const pairsMax = 15

func (k *known) add(shape, text string) {
	if text == "" || len(text) > longText || slices.Contains(k.texts[shape], text) {
		return
	}
	if len(k.texts[shape]) < knownMax {
		k.texts[shape] = append(k.texts[shape], text)
		return
	}
	k.texts[shape][k.rand.IntN(knownMax)] = text
}

// one returns a value of one of the shapes, and whether there is any.
func (k *known) one(shapes ...string) (string, bool) {
	for _, i := range k.rand.Perm(len(shapes)) {
		if all := k.texts[shapes[i]]; len(all) > 0 {
			return all[k.rand.IntN(len(all))], true
		}
	}
	return "", false
}

// arns returns the name under which ARNs of a kind of resource are kept.
func arns(kind string) string { return "arn:" + kind }

// learn keeps what a successful answer contains.
func (k *known) learn(in *input, body []byte) {
	api, op := in.api, in.op
	facts := api.Operations[op.Name]
	for _, found := range jobIDs.FindAllSubmatch(body, -1) {
		k.pairUp(labelOf(in, "thingName"), string(found[1]))
	}
	for _, found := range thingARNs.FindAllSubmatch(body, -1) {
		k.pairUp(string(found[1]), labelOf(in, "jobId"))
	}
	if facts.Output == nil || api.Shapes[facts.Output.Shape].Payload != "" {
		return
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var answer any
	if d.Decode(&answer) == nil {
		k.walk(api, op, facts.Output.Shape, answer)
	}
}

var (
	jobIDs    = regexp.MustCompile(`"jobId":"([^"]+)"`)
	thingARNs = regexp.MustCompile(`"thingArn":"[^"]+/([^"/]+)"`)
)

func (k *known) walk(api *model.API, op *wire.Operation, name string, v any) {
	shape := api.Shapes[name]
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			switch m := shape.Members[key]; {
			case m != nil:
				k.walk(api, op, m.Shape, v[key])
			case shape.Value != nil:
				k.walk(api, op, shape.Key.Shape, key)
				k.walk(api, op, shape.Value.Shape, v[key])
			}
		}
	case []any:
		for _, item := range v {
			k.walk(api, op, shape.Element.Shape, item)
		}
	case string:
		if name == "NextToken" || name == "Marker" {
			name += "@" + op.Name
		}
		if name == "RegistrationCode" {
			k.texts[name] = nil // only the newest one is valid
		}
		k.add(name, v)
		if parts := strings.SplitN(v, ":", 6); len(parts) == 6 && parts[0] == "arn" {
			kind, _, _ := strings.Cut(parts[5], "/")
			k.add(arns(kind), v)
		}
	}
}
