package golden

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// Dump is a plan as text: a line for each value, note and step.
func Dump(p plan.Plan) string {
	var b strings.Builder
	each(p, func(path string, at plan.Source, v any, why string) {
		fmt.Fprintf(&b, "%s = %v  # %s", path, v, at)
		if why != "" {
			fmt.Fprintf(&b, ", %s", why)
		}
		b.WriteByte('\n')
	})
	for _, n := range plan.Sort(p.Notes) {
		fmt.Fprintln(&b, n)
	}
	for i, s := range p.Steps {
		fmt.Fprintf(&b, "%d. %s\n", i+1, s)
	}
	return b.String()
}

// each calls do for all that a plan gives, in the order of its fields.
func each(p plan.Plan, do func(path string, at plan.Source, v any, why string)) {
	p.Notes, p.Steps = nil, nil
	walk(reflect.ValueOf(p), "", do)
}

func walk(v reflect.Value, path string, do func(string, plan.Source, any, string)) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), fmt.Sprintf("%s[%d]", path, i), do)
		}
	case reflect.Struct:
		if from, ok := v.Type().FieldByName("From"); ok && from.Type == reflect.TypeFor[plan.Source]() {
			at := v.FieldByIndex(from.Index).Interface().(plan.Source)
			if inner := v.FieldByName("V"); inner.IsValid() {
				if at != (plan.Source{}) {
					do(path, at, inner.Interface(), v.FieldByName("Why").String())
				}
				return
			}
			do(path, at, v.Interface(), "")
		}
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			walk(v.Field(i), strings.TrimPrefix(path+"."+strings.ToLower(name[:1])+name[1:], "."), do)
		}
	default: // what has no source of its own
	}
}
