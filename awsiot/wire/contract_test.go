package wire_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/awsiot/wire/wiretest"
	"github.com/muster-iot/muster/internal/wiregen/model"
)

// contract is an operation with its shapes.
type contract struct {
	model  string
	op     *wire.Operation
	input  func() wire.Input
	output wire.Output // nil when the operation has none
}

// each runs test for every contract, with the facts of the model about it.
func each(t *testing.T, test func(t *testing.T, c contract, api *model.API, input *model.Shape)) {
	apis := map[string]*model.API{}
	for _, c := range contracts {
		if apis[c.model] == nil {
			api, err := model.Load(c.model)
			if err != nil {
				t.Fatal(err)
			}
			apis[c.model] = api
		}
		api := apis[c.model]
		t.Run(c.model+"/"+c.op.Name, func(t *testing.T) {
			test(t, c, api, api.Shapes[api.Operations[c.op.Name].Input.Shape])
		})
	}
}

// wrong returns JSON that is not valid for a member of that type.
func wrong(typ string) string {
	if typ == "string" || typ == "blob" {
		return `[7]`
	}
	return `"x"`
}

func TestEveryMemberOfTheBodyIsRead(t *testing.T) {
	each(t, func(t *testing.T, c contract, api *model.API, input *model.Shape) {
		for name, m := range input.Members {
			if m.Location != "" || input.Payload != "" {
				continue
			}
			body := `{"` + name + `":` + wrong(api.Shapes[m.Shape].Type) + `}`
			err := c.input().Decode(&wire.Request{Body: []byte(body)})
			e, ok := errors.AsType[*wire.InputError](err)
			if !ok || e.Fault != wire.WrongType || !strings.Contains(e.Message, "'"+name+"'") {
				t.Errorf("Decode(%s) = %v, want a complaint about the type of %s", body, err, name)
			}
		}
	})
}

func TestEveryParameterIsRead(t *testing.T) {
	each(t, func(t *testing.T, c contract, api *model.API, input *model.Shape) {
		for name, m := range input.Members {
			value := "7"
			if api.Shapes[m.Shape].Type == "boolean" {
				value = "true"
			}
			var r wire.Request
			switch m.Location {
			case "uri":
				r.Labels = wire.Labels{{Name: m.LocationName, Value: value}}
			case "querystring":
				r.Query = url.Values{m.LocationName: {value}}
			case "header":
				r.Header = http.Header{}
				r.Header.Set(m.LocationName, "Nzc3") // base64 of 777
			default:
				continue
			}
			in := c.input()
			err := in.Decode(&r)
			if e, ok := errors.AsType[*wire.InputError](err); err != nil && (!ok || e.Fault != wire.Violation) {
				t.Errorf("Decode(%+v) = %v, want no complaint about types", r, err)
			}
			if set := setFields(in); len(set) != 1 || !strings.EqualFold(set[0], name) {
				t.Errorf("Decode(%+v) sets %v, want only %s", r, set, name)
			}
		}
	})
}

// setFields names the fields of a structure that are not nil.
func setFields(in any) []string {
	var set []string
	v := reflect.ValueOf(in).Elem()
	for i := range v.NumField() {
		if !v.Field(i).IsNil() {
			set = append(set, v.Type().Field(i).Name)
		}
	}
	return set
}

func TestEveryRequiredMemberIsMissed(t *testing.T) {
	each(t, func(t *testing.T, c contract, api *model.API, input *model.Shape) {
		err := c.input().Validate()
		if (err == nil) != (len(input.Required) == 0) {
			t.Errorf("Validate of nothing = %v, want complaints about %v", err, input.Required)
		}
		for _, name := range input.Required {
			if want := "Value null at '" + name + "' failed to satisfy constraint: Member must not be null"; !strings.Contains(err.Error(), want) {
				t.Errorf("Validate of nothing = %v, want %s", err, want)
			}
		}
	})
}

func TestEveryLimitOfTheBodyHolds(t *testing.T) {
	each(t, func(t *testing.T, c contract, api *model.API, input *model.Shape) {
		for name, m := range input.Members {
			shape := api.Shapes[m.Shape]
			if m.Location != "" || input.Payload != "" {
				continue
			}
			for value, constraint := range beyond(shape) {
				err := c.input().Decode(&wire.Request{Body: []byte(`{"` + name + `":` + value + `}`)})
				if err == nil || !strings.Contains(err.Error(), "' failed to satisfy constraint: "+constraint) {
					t.Errorf("Decode(%s of %.40s) = %v, want %s", name, value, err, constraint)
				}
			}
		}
	})
}

// beyond returns JSON values that break a limit of shape, each with the constraint
// that it breaks.
func beyond(shape *model.Shape) map[string]string {
	values := map[string]string{}
	number := func(f float64) string {
		b, _ := json.Marshal(f)
		return string(b)
	}
	switch shape.Type {
	case "string":
		if shape.Enum != nil {
			values[`"no such value"`] = "Member must satisfy enum value set: [" + strings.Join(shape.Enum, ", ") + "]"
		}
		if shape.Max != nil {
			values[`"`+strings.Repeat("a", int(*shape.Max)+1)+`"`] = "Member must have length less than or equal to " + number(*shape.Max)
		}
		if shape.Min != nil && *shape.Min > 0 {
			values[`""`] = "Member must have length greater than or equal to " + number(*shape.Min)
		}
	case "integer", "long", "double":
		if shape.Max != nil {
			values[number(*shape.Max+1)] = "Member must have value less than or equal to " + number(*shape.Max)
		}
		if shape.Min != nil {
			values[number(*shape.Min-1)] = "Member must have value greater than or equal to " + number(*shape.Min)
		}
	case "list":
		if shape.Min != nil && *shape.Min > 0 {
			values[`[]`] = "Member must have length greater than or equal to " + number(*shape.Min)
		}
	}
	return values
}

func TestEveryOutputFollowsTheModel(t *testing.T) {
	checker := wiretest.New(t)
	header := http.Header{"X-Amzn-Requestid": {"6b6a"}, "Content-Type": {"application/json"}}
	each(t, func(t *testing.T, c contract, api *model.API, _ *model.Shape) {
		output := api.Operations[c.op.Name].Output
		if output == nil {
			if c.output != nil {
				t.Errorf("%s has an output of type %T", c.op.Name, c.output)
			}
			return
		}
		if got := string(c.output.AppendJSON(nil)); got != "{}" {
			t.Errorf("an empty output is %s, want {}", got)
		}
		out := reflect.New(reflect.TypeOf(c.output).Elem())
		fill(out.Elem(), api, output.Shape)
		body := out.Interface().(wire.Output).AppendJSON(nil)
		checker.Check(t, c.op, http.StatusOK, header, body)
		var members map[string]json.RawMessage
		if err := json.Unmarshal(body, &members); err != nil {
			t.Fatal(err)
		}
		got, want := slices.Sorted(maps.Keys(members)), slices.Sorted(maps.Keys(api.Shapes[output.Shape].Members))
		if !slices.Equal(got, want) {
			t.Errorf("a full output has the members %v, want %v", got, want)
		}
	})
}

// fill sets v, of the Go type of a shape, and everything in it.
func fill(v reflect.Value, api *model.API, name string) {
	shape := api.Shapes[name]
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch shape.Type {
	case "structure":
		for i := range v.NumField() {
			for member, m := range shape.Members {
				if strings.EqualFold(member, v.Type().Field(i).Name) {
					fill(v.Field(i), api, m.Shape)
				}
			}
		}
	case "list":
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), api, shape.Element.Shape)
		}
	case "map":
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, api, shape.Key.Shape)
		fill(value, api, shape.Value.Shape)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case "blob":
		v.SetBytes([]byte{0xFF})
	case "string":
		v.SetString("text")
		if shape.Enum != nil {
			v.SetString(shape.Enum[len(shape.Enum)-1])
		}
	case "boolean":
		v.SetBool(true)
	case "double":
		v.SetFloat(1.5)
	case "timestamp":
		v.SetInt(1790000009214)
	default:
		v.SetInt(7)
	}
}
