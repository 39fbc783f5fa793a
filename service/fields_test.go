package service

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster/store"
)

var updateFields = flag.Bool("update-fields", false, "add the fields of today to the list of those that stay")

// shape is a table and what its records are.
type shape struct {
	table store.Table
	of    reflect.Type
}

// shapes returns those of Tables, each of which is a store.Of.
func shapes(t *testing.T) []shape {
	t.Helper()
	var all []shape
	for _, table := range Tables() {
		get, ok := reflect.TypeOf(table).MethodByName("Get")
		if !ok {
			t.Fatalf("%T is no store.Of", table)
		}
		name := reflect.ValueOf(table).FieldByName("Table").String()
		all = append(all, shape{store.Table(name), get.Type.Out(0).Elem()})
	}
	return all
}

// TestFieldsOfRecordsStay holds the fields of all records against those that the
// format had: a field that goes or becomes another type makes stored records
// unreadable or, worse, read as if it had never been set. Fields may be added, when
// their zero value means "as before"; -update-fields puts them on the list.
func TestFieldsOfRecordsStay(t *testing.T) {
	var is []string
	for _, s := range shapes(t) {
		is = append(is, fieldsOf(string(s.table), s.of)...)
	}
	list := filepath.Join("testdata", fmt.Sprintf("fields-of-format-%d.txt", store.Format))
	if *updateFields {
		slices.Sort(is)
		noErr(t, "WriteFile", os.WriteFile(list, []byte(strings.Join(is, "\n")+"\n"), 0o600))
	}
	text, err := os.ReadFile(list)
	noErr(t, "ReadFile", err)
	for want := range strings.Lines(string(text)) {
		if want = strings.TrimSpace(want); !slices.Contains(is, want) {
			t.Errorf("format %d has %q and the records of today do not: raise store.Format and say how old records become new ones", store.Format, want)
		}
	}
}

var marshaler = reflect.TypeFor[json.Marshaler]()

// fieldsOf returns a line for everything in the JSON of a type.
func fieldsOf(at string, of reflect.Type) []string {
	switch {
	case of.Implements(marshaler) || reflect.PointerTo(of).Implements(marshaler):
		return []string{at + " " + of.String()}
	case of.Kind() == reflect.Pointer:
		return fieldsOf(at, of.Elem())
	case of.Kind() == reflect.Slice && of.Elem().Kind() != reflect.Uint8, of.Kind() == reflect.Array:
		return fieldsOf(at+"[]", of.Elem())
	case of.Kind() == reflect.Map:
		return fieldsOf(at+"{}", of.Elem())
	case of.Kind() != reflect.Struct:
		return []string{at + " " + of.Kind().String()}
	}
	var all []string
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-" || !field.IsExported() && !field.Anonymous:
		case field.Anonymous && name == "":
			all = append(all, fieldsOf(at, field.Type)...)
		case name == "":
			all = append(all, fieldsOf(at+"."+field.Name, field.Type)...)
		default:
			all = append(all, fieldsOf(at+"."+name, field.Type)...)
		}
	}
	return all
}
