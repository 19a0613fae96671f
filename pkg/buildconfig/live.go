package buildconfig

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gobuild/pkg/goeval"
)

// needed are the fields of a Host and a Builder that a coordinator cannot do
// without; of the others, one that is not known has its zero value.
var needed = []string{"HostType", "HostArch", "IsReverse", "ExpectNum"}

// Config returns what s comes to as a Config, checked as Read does. It is an
// error if the source could not be read to its end, if a program with it would
// panic when it starts, or if a table may have entries that are not known.
// Host and builder types that may not be there are left out.
func (s *Source) Config() (*Config, error) {
	var errs []error
	for _, err := range s.Syntax {
		errs = append(errs, err)
	}
	for _, p := range s.Panics {
		errs = append(errs, fmt.Errorf("%s: it panics when it starts: %s", s.position(p), p.Message))
	}
	for table, why := range map[string]string{hostsVar: s.HostsOpen, buildersVar: s.BuildersOpen} {
		if why != "" {
			errs = append(errs, fmt.Errorf("%s: %s may have other entries: they hang on %s", s.Name, table, why))
		}
	}
	if len(errs) > 0 {
		slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return nil, errors.Join(errs...)
	}
	c := &Config{Builders: map[string]*Builder{}, Hosts: map[string]*Host{}}
	for _, r := range s.Hosts {
		if r.Maybe == "" {
			h := &Host{}
			errs = append(errs, r.fill(reflect.ValueOf(h).Elem()))
			c.Hosts[r.Key] = h
		}
	}
	for _, r := range s.Builders {
		if r.Maybe == "" && !r.Rejected {
			b := &Builder{}
			errs = append(errs, r.fill(reflect.ValueOf(b).Elem()))
			if env, all := s.Environ(r); all {
				for _, v := range env {
					b.FullEnv = append(b.FullEnv, v.Name+"="+v.Value)
				}
			}
			c.Builders[r.Key] = b
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	return c, nil
}

// position says where a panic comes from.
func (s *Source) position(p goeval.Panic) string {
	if len(p.Calls) > 0 {
		return s.Fset.Position(p.Calls[0].Pos()).String()
	}
	return s.Name
}

// fill sets the fields of a struct that r has.
func (r *Record) fill(to reflect.Value) error {
	for i := range to.NumField() {
		name := to.Type().Field(i).Name
		if has, known := r.Has(name); known && !has {
			continue // derived, or the source is older or newer
		}
		v := r.Value(name)
		if u, ok := v.(*goeval.Unknown); ok && slices.Contains(needed, name) {
			return fmt.Errorf("%s: field %s cannot be known: it hangs on %s", r.Key, name, u.Why)
		}
		set(to.Field(i), v)
	}
	return nil
}

// set gives a Go variable the value of v, as far as it is known.
func set(to reflect.Value, v goeval.Value) {
	if ptr, ok := v.(*goeval.Pointer); ok {
		v = ptr.To.Get()
	}
	switch to.Kind() {
	case reflect.String:
		text, _ := goeval.String(v)
		to.SetString(text)
	case reflect.Bool:
		b, _ := goeval.Bool(v)
		to.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, _ := goeval.Int(v)
		to.SetInt(n)
	case reflect.Slice:
		list, ok := v.(*goeval.Slice)
		if !ok {
			return
		}
		to.Set(reflect.MakeSlice(to.Type(), 0, len(list.Elems)))
		for _, c := range list.Elems {
			if _, unknown := c.Get().(*goeval.Unknown); !unknown {
				e := reflect.New(to.Type().Elem()).Elem()
				set(e, c.Get())
				to.Set(reflect.Append(to, e))
			}
		}
	case reflect.Pointer:
		if _, ok := v.(*goeval.Struct); ok {
			to.Set(reflect.New(to.Type().Elem()))
			set(to.Elem(), v)
		}
	case reflect.Struct:
		if s, ok := v.(*goeval.Struct); ok {
			for i := range to.NumField() {
				name := to.Type().Field(i).Name
				if has, known := s.HasField(name); has || !known && slices.Contains(s.Fields(), name) {
					set(to.Field(i), s.Field(name).Get())
				}
			}
		}
	}
}
